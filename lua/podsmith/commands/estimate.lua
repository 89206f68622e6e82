--- `podsmith estimate`: how much GPU memory a model takes, and which GPUs have it.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local gpu = require("podsmith.gpu")
local hf = require("podsmith.hf")
local shared = require("podsmith.commands.shared")
local show = require("podsmith.show")

local MOST_FITTING = 8

-- The candidates that have the memory, or nil and why there are none.
local function fitting(need, count)
  if not core.secret_env("RUNPOD_API_KEY") then
    return nil, "no RUNPOD_API_KEY is set, so the catalogue of GPUs was not asked"
  end
  local picked, err = errors.try(gpu.pick, { vram = need, count = count, cloud = "ALL", order = "cheapest" })
  if picked then return picked.candidates end
  if err.kind == "capacity" or err.kind == "invalid" then return nil, err.message end
  error(err, 0)
end

local function terms_text(estimate)
  local rows = {}
  for i, term in ipairs(estimate.terms) do rows[i] = { term.name, ("%.2f GiB"):format(term.gib), term.source } end
  rows[#rows + 1] = { "in all", ("%.2f GiB"):format(estimate.total), ("%d GB on each GPU"):format(estimate.need) }
  return show.table({ "ON ONE GPU", "MEMORY", "HOW" }, rows)
end

local function print_fitting(candidates, why)
  if not candidates then return print("\nGPUs: " .. why) end
  local rows = {}
  for i, candidate in ipairs(candidates) do
    if i > MOST_FITTING then break end
    rows[i] = { candidate.name, ("%d GB"):format(candidate.memory), candidate.cloud:lower(),
      candidate.price and show.money(candidate.price) .. "/h" or "?", candidate.stock:lower() }
  end
  print("\n" .. show.table({ "FITS ON", "MEMORY", "CLOUD", "PRICE", "STOCK" }, rows))
  local more = #candidates - #rows
  if more > 0 then print(("and %d more; `podsmith gpus` lists them"):format(more)) end
end

local function parameters_text(count)
  if count < 0.995e9 then return ("%.2f million parameters"):format(count / 1e6) end
  return ("%.2f billion parameters"):format(count / 1e9)
end

return {
  name = "estimate", operands = "MODEL", summary = "how much GPU memory a model takes, and which GPUs have it",
  params = {
    { "model", "string", positional = true, required = true, check = hf.id_problem, help = "a model on the Hub, like unsloth/gemma-2b" },
    { "method", "choice", choices = { "inference", "lora", "qlora", "full", "grpo" }, default = "full",
      help = "what is done with it; grpo trains all weights, with vLLM on the same GPUs" },
    { "seq", "integer", default = 2048, min = 1, help = "tokens of one sequence, prompt and completion" },
    { "batch", "integer", default = 1, min = 1, help = "sequences on one GPU at a time" },
    { "gpus", "integer", default = 1, min = 1, help = "GPUs in the pod" },
    { "zero", "integer", choices = { 0, 1, 2, 3 },
      help = "DeepSpeed's ZeRO stage; without it 3 for full and grpo on several GPUs, else 0" },
    { "gradient-checkpointing", "flag", default = true, help = "compute activations twice instead of keeping them" },
    { "lora-rank", "integer", default = 16, min = 1, help = "rank of the adapters" },
    { "revision", "string", help = "of the model" },
    shared.SIM, shared.ENV_FILE, shared.JSON, shared.VERBOSE,
  },
  run = function(args)
    local facts = hf.model_facts(args.model, args.revision)
    local estimate = gpu.estimate(facts, {
      method = args.method, sequence = args.seq, batch = args.batch, gpus = args.gpus, zero = args.zero,
      checkpointing = args.gradient_checkpointing, lora_rank = args.lora_rank,
    })
    if facts.config_problem then table.insert(estimate.assumptions, 1, facts.config_problem) end
    local candidates, why = fitting(estimate.need, args.gpus)
    if args.json then
      estimate.model, estimate.method, estimate.gpus = args.model, args.method, args.gpus
      estimate.fits, estimate.fits_problem = candidates and json.array(candidates) or nil, why
      return shared.print_json(estimate)
    end
    print(("%s: %s, %s on %d GPU%s%s\n"):format(args.model, parameters_text(estimate.parameters), args.method, args.gpus,
      args.gpus == 1 and "" or "s", estimate.zero > 0 and (", ZeRO-%d"):format(estimate.zero) or ""))
    print(terms_text(estimate))
    if #estimate.assumptions > 0 then print("\nassumed: " .. table.concat(estimate.assumptions, "\n         ")) end
    print_fitting(candidates, why)
  end,
}
