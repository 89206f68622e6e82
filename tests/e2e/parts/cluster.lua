-- A cluster of two pods for ../cluster.sh. Argument: what comes then: "end", "wait" (to be killed or interrupted) or "keep".

local what = ...
local cluster <close> = runpod.clusters.create {
  name = "twins", type = "APPLICATION", gpu = "NVIDIA L40S", gpu_count = 1, pod_count = 2, disk = 10,
  image = "podsmith-sim/no-container",
}
local members = cluster:pods()
assert(#members == 2, #members)
local sum = 0
for _, pod in ipairs(members) do
  assert(pod.data.cluster.id == cluster.id)
  local _, err = try(pod.terminate, pod) -- members end with the cluster only
  assert(err and err.kind == "conflict", err)
  sum = sum + pod.price
end
assert(math.abs(cluster.price - sum) < 1e-9 and sum > 0, cluster.price)
print("members: " .. #members)
if what == "keep" then cluster:keep() end
if what == "wait" then task.sleep(600) end
