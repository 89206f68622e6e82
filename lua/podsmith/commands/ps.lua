--- `podsmith ps`: the account's pods.

local core = require("podsmith.core")
local show = require("podsmith.show")
local shared = require("podsmith.commands.shared")

local function age_text(created)
  local at = core.utc_parse(created or "")
  return at and show.duration(core.utc() - at) or ""
end

local ps = {
  name = "ps", summary = "the account's pods, what they cost, whose they are",
  params = { shared.SIM, shared.ENV_FILE, shared.JSON, shared.VERBOSE },
  run = function(args)
    local list = shared.client():list_pods()
    if args.json then
      for _, pod in ipairs(list) do
        -- Any of them may be a key, of this machine or another's.
        for name in pairs(pod.env or {}) do pod.env[name] = "***" end
      end
      return shared.print_json(json.array(list))
    end
    if #list == 0 then return print("no pods") end
    local rows, total = {}, 0
    for i, pod in ipairs(list) do
      local cost = tonumber(pod.cost) or 0
      if pod.status ~= "EXITED" then total = total + cost end
      rows[i] = { pod.id, pod.name, pod.status, pod.gpu and ("%d x %s"):format(pod.gpu.count, pod.gpu.id) or "CPU",
        pod.dataCenterId or "", show.money(cost) .. "/h", age_text(pod.createdAt), core.run_tag(pod.name) or "" }
    end
    print(show.table({ "ID", "NAME", "STATUS", "GPU", "DATA CENTER", "PRICE", "AGE", "RUN" }, rows))
    print(("%d pod%s, %s/h while running"):format(#list, #list == 1 and "" or "s", show.money(total)))
  end,
}

return ps
