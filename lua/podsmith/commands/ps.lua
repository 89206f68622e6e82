--- `podsmith ps`: the account's pods and clusters.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local show = require("podsmith.show")
local shared = require("podsmith.commands.shared")

local function age_text(created)
  local at = core.utc_parse(created or "")
  return at and show.duration(core.utc() - at) or ""
end

-- The account's clusters. A service or a key without them has none.
local function clusters_of(client)
  local list, err = errors.try(client.list, client, "clusters")
  if err and err.kind ~= "unsupported" and err.kind ~= "forbidden" then
    core.log("warn", "the clusters are not shown: " .. tostring(err))
  end
  return list or {}
end

-- What the journal knows of a cluster's price, since the service does not tell; nil for another machine's.
local function price_of(cluster)
  local entry = core.run_tag(cluster.name or "") and require("podsmith.run").journal():pod_by_id(cluster.id)
  return entry and entry.price
end

local function cluster_row(cluster, price)
  local gpus, status = shared.cluster_texts(cluster)
  return { cluster.id, cluster.name, "cluster: " .. status, gpus, cluster.dataCenterId or "",
    price and show.money(price) .. "/h" or "", age_text(cluster.createdAt), core.run_tag(cluster.name or "") or "" }
end

local ps = {
  name = "ps", summary = "the account's pods and clusters, what they cost, whose they are",
  params = { shared.SIM, shared.ENV_FILE, shared.JSON, shared.VERBOSE },
  run = function(args)
    local list = shared.client():list_pods()
    local clusters = clusters_of(shared.client())
    if args.json then
      for _, pod in ipairs(list) do
        -- Any of them may be a key, of this machine or another's.
        for name in pairs(pod.env or {}) do pod.env[name] = "***" end
      end
      for _, cluster in ipairs(clusters) do
        cluster.kind = "cluster"
        list[#list + 1] = cluster
      end
      return shared.print_json(json.array(list))
    end
    if #list + #clusters == 0 then return print("no pods") end
    local rows, total = {}, 0
    for i, pod in ipairs(list) do
      local cost = shared.cost_now(pod)
      total = total + cost
      rows[i] = { pod.id, pod.name, pod.status, pod.gpu and ("%d x %s"):format(pod.gpu.count, pod.gpu.id) or "CPU", pod.dataCenterId or "",
        show.money(cost) .. (pod.status == "EXITED" and "/h disk" or "/h"), age_text(pod.createdAt), core.run_tag(pod.name) or "" }
    end
    for _, cluster in ipairs(clusters) do
      local price = price_of(cluster)
      total = total + (price or 0)
      rows[#rows + 1] = cluster_row(cluster, price)
    end
    -- The id and the price stay whole.
    print(show.table({ "ID", "NAME", "STATUS", "GPU", "DATA CENTER", "PRICE", "AGE", "RUN" }, rows, { 2, 5, 8, 4 }))
    print(("%d pod%s, %s%s/h now"):format(#list, #list == 1 and "" or "s",
      #clusters > 0 and ("%d cluster%s, "):format(#clusters, #clusters == 1 and "" or "s") or "", show.money(total)))
  end,
}

return ps
