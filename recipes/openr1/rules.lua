--- Open R1 training: what must hold across the flags, as data, in the order in which it is checked: before anything is
--- sent. Each rule gives nothing when it holds, else what is wrong and what to do.

local numbers = require("recipes.openr1.numbers")
local params = require("podsmith.params")

local M = {}

---@alias openr1.Rule fun(args: table, mode: "grpo"|"sft"): string?, string? problem and remedy

local function tags_in_pairs(name)
  return function(args)
    if (args[name .. "_tag"] == "") == (args[name .. "_end_tag"] == "") then return end
    return ("--%s-tag and --%s-end-tag go together, and only one has a value"):format(name, name),
      "give both, or make both empty"
  end
end

local function fraction_is_a_part(args)
  if args.dataset_fraction > 0 and args.dataset_fraction <= 1 then return end
  return ("--dataset-fraction must be above 0 and at most 1, not %s"):format(args.dataset_fraction)
end

local function template_is_one(args)
  local template = args.chat_template
  if not template or template:find("{", 1, true) or fs.exists(template) then return end
  return ("--chat-template: there is no file %s, and as a template it holds no {{ }}"):format(template)
end

local function volume_can_be_had(args)
  if args.volume_gb == 0 or args.volume_gb >= 10 then return end
  return ("--volume-gb %d is too small: Runpod's volumes start at 10 GB"):format(args.volume_gb),
    "0 chooses a size that fits the model"
end

local function bid_is_for_spot(args)
  if args.bid and not args.spot then return "--bid is for spot pods", "add --spot" end
end

local function generations_fit(args, mode)
  if mode ~= "grpo" then return end
  local fits, err = try(numbers.num_generations, args)
  if not fits then return err.message, err.hint end
end

---@type openr1.Rule[]
M.RULES = {
  tags_in_pairs("answer"), tags_in_pairs("reasoning"), fraction_is_a_part, template_is_one, volume_can_be_had,
  bid_is_for_spot, generations_fit,
}

--- Raises a wrong-usage error for the first rule that does not hold.
---@param args table the recipe's parameters
---@param mode "grpo"|"sft"
function M.check(args, mode)
  for _, rule in ipairs(M.RULES) do
    local problem, remedy = rule(args, mode)
    if problem then params.usage(problem, remedy) end
  end
end

return M
