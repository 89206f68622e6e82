--- `podsmith gpus`: the catalogue in the order podsmith would try.

local gpu = require("podsmith.gpu")
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
  return show.table({ "GPU", "MEMORY", "CLOUD", "PRICE", "STOCK", "DATA CENTERS", "WHY HERE" }, rows)
end

local function refused_text(refused)
  local rows = {}
  for i, item in ipairs(refused) do rows[i] = { item.id, item.reason } end
  return show.table({ "NOT TAKEN", "WHY" }, rows)
end

local function some(list) return #list > 0 and list or nil end

return {
  name = "gpus", summary = "the GPU catalogue with prices and stock, in the order podsmith would try",
  params = {
    { "vram", "number", min = 0, help = "GB of memory each GPU must have" },
    { "count", "integer", default = 1, min = 1, help = "GPUs in one pod; prices are for all of them" },
    { "cloud", "choice", choices = { "SECURE", "COMMUNITY", "ALL" }, default = "SECURE", help = "Runpod's cloud" },
    { "region", "list", help = "EUROPE, NORTH_AMERICA, or what data centers begin with, like EU (may be given again)" },
    { "data-center", "list", help = "a data center's id (may be given again)" },
    { "min-cuda", "string", help = "a CUDA version that hosts must have, like 12.8" },
    { "max-price", "number", min = 0, help = "USD per hour for all GPUs of the pod" },
    { "order", "choice", choices = { "priority", "cheapest", "value", "flops", "stock" }, default = "cheapest",
      help = "priority: podsmith's classes; value: USD for a GB; flops: USD for a BF16 TFLOPS" },
    { "filter", "string", help = "part of a GPU's name or id" },
    { "exclude", "list", help = "part of a name or id not to take (may be given again)" },
    { "all", "flag", help = "also what is not taken, and why" },
    shared.SIM, shared.ENV_FILE, shared.JSON, shared.VERBOSE,
  },
  run = function(args)
    local picked = gpu.pick {
      vram = args.vram, count = args.count, cloud = args.cloud, filter = args.filter, max_price = args.max_price,
      order = args.order, min_cuda = args.min_cuda, regions = some(args.region), data_centers = some(args.data_center),
      exclude = some(args.exclude),
    }
    if args.json then
      if not args.all then picked.refused = nil end
      return shared.print_json(picked)
    end
    print(candidates_text(picked.candidates))
    if args.all and #picked.refused > 0 then print("\n" .. refused_text(picked.refused)) end
  end,
}
