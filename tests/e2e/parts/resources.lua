-- Every resource of Runpod's API by its Lua primitive, against the simulator; what is made is deleted again.
local function check(value, what) if not value then error(what, 2) end end
local function find(list, id)
  for _, item in ipairs(list) do if item.id == id then return item end end
end

-- catalogue
check(#runpod.gpus { count = 2, min_cuda = "12.4" } > 3, "GPUs")
check(#runpod.gpus { cloud = "COMMUNITY", country_codes = { "US" } } >= 0, "community GPUs")
check(#runpod.cpus { vcpu_count = 4 } > 0, "CPUs")
local centers = runpod.data_centers { regions = { "EUROPE" }, gpus = true }
check(#centers > 0 and centers[1].region == "EUROPE", "data centers of Europe")
check(#runpod.catalog_templates() > 0, "official templates")

-- templates
local template = runpod.templates.create { name = "ps-template", image = "runpod/base:0.7.0", disk = 15, env = { A = "1" },
  ports = { "22/tcp" }, volume = { size = 20, path = "/data" }, start_ssh = true }
check(find(runpod.templates.list(), template.id), "the template is listed")
template:update { disk = 25 }
check(runpod.templates.get(template.id).disk == 25, "the template's disk has changed")

-- network volumes
local volume = runpod.volumes.create { name = "ps-volume", size = 10, data_center = "US-KS-2" }
volume:update { size = 30 }
check(volume:refresh().size == 30, "the volume has grown")
local _, shrink = try(volume.update, volume, { size = 10 })
check(shrink and shrink.kind == "invalid", "a volume does not shrink")

-- registries, keys
local registry = runpod.registries.create { name = "ps-registry", username = "u", password = secret.new("very-secret-password") }
check(find(runpod.registries.list(), registry.id), "the registry is listed")
runpod.keys.add("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAbcdefghijklmnopqrstuvwxyz0123456789ABCDEFG one@here")
check(#runpod.keys.get() >= 1, "the key is there")
runpod.keys.remove("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAbcdefghijklmnopqrstuvwxyz0123456789ABCDEFG one@here")

-- a pod, from the template, on the volume, with the registry
local pod <close> = runpod.create { name = "ps-all", gpu = gpu.pick { vram = 24, volume_data_center = "US-KS-2" }, template = template.id,
  network_volume = volume.id, volume = { path = "/workspace" }, registry = registry.id, env = { B = "2" }, min_cuda = "12.1",
  ports = { "22/tcp", "8888/http" }, max_price = 10, min_ram = 8, lease = false }
check(pod.data.dataCenterId == "US-KS-2", "the pod is where its volume is")
check(pod.data.env.A == "1" and pod.data.env.B == "2", "the template's variables and the pod's own")
check(pod.data._dropped and pod.data._dropped[1] == "gpu.minRamPerGpu", "what the service does not know is dropped and noted")
check(find(runpod.list(), pod.id) and runpod.get(pod.id).name == pod.name, "the pod is listed and read")
pod:update { name = pod.name .. "-2" }
check(pod:refresh().name:match("%-2$"), "the pod has a new name")
pod:restart()
pod:stop()
check(pod:refresh().data.status == "EXITED", "the pod is stopped")
pod:start()
check(pod:refresh().data.status ~= "EXITED", "the pod is started")
local next_entry = pod:logs { tail = 10, idle = 0.5 }
next_entry()
local _, mounted = try(volume.delete, volume)
check(mounted and mounted.kind == "invalid", "a volume in use is not deleted")
pod:terminate()

-- money
local billing = runpod.billing { resource = "pods", bucket = "hour", last = 2 }
check(billing.metadata and type(billing.records) == "table", "billing")
check(runpod.account().balance > 0, "the balance")

volume:delete()
registry:delete()
template:delete()
check(not find(runpod.volumes.list(), volume.id) and not find(runpod.templates.list(), template.id), "all is deleted")
print("every resource works")
