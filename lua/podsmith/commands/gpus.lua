--- `podsmith gpus`: the catalogue in the order podsmith would try.

local errors = require("podsmith.errors")
local gpu = require("podsmith.gpu")
local params = require("podsmith.params")
local shared = require("podsmith.commands.shared")
local show = require("podsmith.show")

local MOST_CENTERS = 3

local function centers_text(centers)
  local parts = {}
  for i, center in ipairs(centers) do
    if i > MOST_CENTERS then
      parts[i] = ("and %d more"):format(#centers - MOST_CENTERS)
      break
    end
    parts[i] = center.id
  end
  return table.concat(parts, ", ")
end

local function candidates_text(candidates)
  local rows = {}
  for i, candidate in ipairs(candidates) do
    rows[i] = { candidate.name, ("%d GB"):format(candidate.memory), candidate.cloud:lower(),
      candidate.price and show.money(candidate.price) .. "/h" or "?", candidate.stock:lower(),
      centers_text(candidate.data_centers), candidate.reason }
  end
  -- On a narrow terminal the reason and the places give way: a price that is cut misleads.
  return show.table({ "GPU", "MEMORY", "CLOUD", "PRICE", "STOCK", "DATA CENTERS", "WHY HERE" }, rows, { 7, 6 })
end

local function refused_text(refused)
  local rows = {}
  for i, item in ipairs(refused) do rows[i] = { item.id, item.reason } end
  return show.table({ "NOT TAKEN", "WHY" }, rows)
end

local function some(list) return #list > 0 and list or nil end

local function cuda_problem(text)
  if text:match("^%d+%.%d+$") then return nil end
  return ("'%s' is not a CUDA version; write it like %s"):format(text, text:match("%d+%.%d+") or "12.8")
end

local function unknown(flag, text, noun, names)
  local near = params.nearest(text, names)
  params.usage(("%s: there is no %s '%s'"):format(flag, noun, text),
    near ~= "" and ("did you mean '%s'?"):format(near) or ("there are " .. table.concat(names, ", ")))
end

-- Places by name, as the service has them now: a misspelt one would look like one without stock.
local function check_places(args)
  if #args.region == 0 and #args.data_center == 0 then return end
  local centers, ids, regions, seen = require("podsmith.runpod").data_centers(), {}, {}, {}
  for i, center in ipairs(centers) do
    ids[i] = center.id
    for _, name in ipairs { center.region or center.id, center.id:match("^[^-]+") } do
      if not seen[name] then regions[#regions + 1] = name end
      seen[name] = true
    end
  end
  table.sort(regions)
  for _, text in ipairs(args.region) do
    local is_known = false
    for _, list in ipairs { ids, regions } do
      for _, name in ipairs(list) do
        is_known = is_known or name:lower() == text:lower()
          or (list == ids and text ~= "" and name:sub(1, #text):lower() == text:lower())
      end
    end
    if not is_known then unknown("--region", text, "region", regions) end
  end
  for i, text in ipairs(args.data_center) do
    local id = params.nearest(text, ids)
    if id:lower() ~= text:lower() then unknown("--data-center", text, "data center", ids) end
    args.data_center[i] = id
  end
end

-- What gpu.pick gives. When nothing is left and what is refused is asked for: that, and the error.
local function pick(need, with_refused)
  local picked, err = errors.try(gpu.pick, need)
  if picked then return picked end
  if not with_refused or (err.kind ~= "capacity" and err.kind ~= "invalid") then error(err, 0) end
  need.may_be_none = true
  picked = gpu.pick(need) -- raises again what is wrong with the need itself
  need.may_be_none = nil
  return picked, err
end

return {
  name = "gpus", summary = "the GPU catalogue with prices and stock, in the order podsmith would try",
  params = {
    { "vram", "number", min = 0, help = "GB of memory each GPU must have" },
    { "count", "integer", default = 1, min = 1, help = "GPUs in one pod; prices are for all of them" },
    { "cloud", "choice", choices = { "SECURE", "COMMUNITY", "ALL" }, default = "SECURE", help = "Runpod's cloud" },
    { "region", "list", help = "EUROPE, NORTH_AMERICA, or what data centers begin with: EU (EUR-IS-1 too), US-KS (may be given again)" },
    { "data-center", "list", help = "a data center's id (may be given again)" },
    { "min-cuda", "string", check = cuda_problem, help = "a CUDA version that hosts must have, like 12.8" },
    { "max-price", "number", min = 0, help = "USD per hour for all GPUs of the pod" },
    { "order", "choice", choices = { "priority", "cheapest", "value", "flops", "stock" }, default = "cheapest",
      help = "priority: podsmith's classes; value: USD for a GB; flops: USD for a BF16 TFLOPS" },
    { "filter", "string", help = "part of a GPU's name or id" },
    { "exclude", "list", help = "part of a name or id not to take (may be given again)" },
    { "all", "flag", help = "also what is not taken, and why" },
    shared.SIM, shared.ENV_FILE, shared.JSON, shared.VERBOSE,
  },
  run = function(args)
    check_places(args)
    local picked, none = pick({
      vram = args.vram, count = args.count, cloud = args.cloud, filter = args.filter, max_price = args.max_price,
      order = args.order, min_cuda = args.min_cuda, regions = some(args.region), data_centers = some(args.data_center),
      exclude = some(args.exclude),
    }, args.all or args.json)
    if args.json then
      picked.candidates = json.array(picked.candidates)
      if not args.all then picked.refused = nil end
      shared.print_json(picked)
    else
      local texts = {}
      if not none then texts[1] = candidates_text(picked.candidates) end
      if args.all and #picked.refused > 0 then texts[#texts + 1] = refused_text(picked.refused) end
      print(table.concat(texts, "\n\n"))
    end
    if none then error(none, 0) end
  end,
}
