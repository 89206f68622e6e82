--- The README of a trained model on the Hub: metadata and text from the facts of its run, the base model's card below.
--- Pure: no network, no files; the same facts give the same text.

local config = require("podsmith.config")
local errors = require("podsmith.errors")
local licences = require("podsmith.licences")
local yaml = require("podsmith.yaml")

local M = {}

---@class podsmith.CardFacts
---  What a run did. Give what was used, not what was asked for.
---@field id string the new repository, "namespace/name"
---@field base_model string
---@field base_revision? string the base model's commit
---@field base_card? string the base model's README, front matter and all; appended
---@field license? string stronger than that of the base model's card
---@field mode? string "grpo", "sft" or another method's name
---@field relation? "finetune"|"adapter"|"merge"|"quantized" to the base model; default "finetune"
---@field library? string default "transformers"; "peft" for an adapter
---@field datasets? string[] ids on the Hub
---@field tags? string[] more tags
---@field about? string what it was trained for, the first line's end; default "step-by-step reasoning"
---@field closing? string the last paragraph of ours; default on reasoning for "grpo" and "sft"
---@field qlora? boolean with "sft"
---@field sharded? boolean with "sft": the model was split over the GPUs
---@field zero_stage? integer with "sft": DeepSpeed's
---@field num_generations? integer with "grpo"
---@field use_vllm? boolean with "grpo"
---@field dataset_fraction? number shown below 1
---@field max_steps? integer none or below 1: full epochs
---@field per_device_batch? integer
---@field gradient_accumulation? integer
---@field learning_rate? number
---@field attention? string
---@field trust_remote_code? boolean
---@field custom_dependencies? string[]
---@field run? any[][] more lines, { "GPU", "2 x NVIDIA L40S" }: hardware, hours, cost, date, seed, versions

local FIELDS = { "id", "base_model", "base_revision", "base_card", "license", "mode", "relation", "library", "datasets", "tags",
  "about", "closing", "qlora", "sharded", "zero_stage", "num_generations", "use_vllm", "dataset_fraction", "max_steps",
  "per_device_batch", "gradient_accumulation", "learning_rate", "attention", "trust_remote_code", "custom_dependencies", "run" }

local RELATIONS = { finetune = true, adapter = true, merge = true, quantized = true }

local HUB = "https://huggingface.co/"

-- ---- the base model's card --------------------------------------------------------------------------------------

--- The two parts of a card: the YAML between its first lines of three dashes (nil when there is none), and the text.
---@param card string
---@return string? front, string body
function M.split(card)
  card = card:gsub("^\239\187\191", ""):gsub("\r\n", "\n")
  local front, body = card:match("^%s*%-%-%-[ \t]*\n(.-)\n%-%-%-[ \t]*\n(.*)$")
  if not front then front, body = card:match("^%s*%-%-%-[ \t]*\n(.-)\n%-%-%-[ \t]*$"), "" end
  if not front and card:match("^%s*%-%-%-[ \t]*\n%-%-%-") then return "", (card:gsub("^%s*%-%-%-[ \t]*\n%-%-%-[ \t]*\n?", "")) end
  if not front then return nil, card end
  return front, body
end

-- The front matter of a card as a table; {} and a warning when it is no YAML mapping.
local function metadata_of(card, name)
  local front = M.split(card)
  if not front or front == "" then return {} end
  local value, err = errors.try(yaml.decode, front, "README.md of " .. name)
  if err then return {}, err.message end
  if type(value) ~= "table" or #value > 0 then return {}, ("the front matter of README.md of %s is no mapping"):format(name) end
  return value
end

local function texts(value)
  if type(value) == "string" then return { value } end
  local list = {}
  for _, item in ipairs(type(value) == "table" and value or {}) do
    if type(item) == "string" and item ~= "" then list[#list + 1] = item end
  end
  return list
end

-- Without repetition, in the order of first mention.
local function union(...)
  local seen, list = {}, {}
  for _, part in ipairs { ... } do
    for _, item in ipairs(part) do
      if not seen[item] then seen[item], list[#list + 1] = true, item end
    end
  end
  return list
end

-- ---- metadata ---------------------------------------------------------------------------------------------------

-- The Hub's rule for a part of an id.
local function is_name(text)
  return text:match("^[%w._-]+$") and not text:match("^[.-]") and not text:match("[.-]$") and not text:find("--", 1, true)
    and not text:find("..", 1, true)
end

local function is_id(text)
  local namespace, name = text:match("^([^/]+)/([^/]+)$")
  return namespace and is_name(namespace) and is_name(name) or is_name(text)
end

-- A link of the base model's card, which may be relative to its repository.
local function absolute(link, base_model)
  if link:match("^%a[%w+.-]*:") then return link end
  return HUB .. base_model .. "/blob/main/" .. link:gsub("^%./", ""):gsub("^/", "")
end

-- The licence's three keys. A licence that the Hub does not list becomes "other", named and linked, since the Hub
-- refuses a card with an unknown one.
local function license_of(facts, base)
  local found = facts.license or base.license
  if type(found) == "table" then
    local list = texts(found)
    for _, name in ipairs(list) do
      if not licences.is_known(name) then return "other", table.concat(list, ", "), HUB .. facts.base_model end
    end
    return json.array(list)
  end
  if type(found) ~= "string" or found == "" then return nil end
  if facts.license and facts.license ~= base.license then base = {} end
  local name = type(base.license_name) == "string" and base.license_name or nil
  local link = type(base.license_link) == "string" and absolute(base.license_link, facts.base_model) or nil
  if licences.is_known(found:lower()) and found:lower() ~= "other" then return found:lower(), name, link end
  return "other", name or (found:lower() ~= "other" and found or "see the base model"), link or HUB .. facts.base_model
end

-- The metadata of the new card. Of the base model's what describes it as well: licence, language, task, tags, data.
-- Not its scores, its gate and its own base model, which are facts about another repository.
local function metadata(facts, base)
  local license, license_name, license_link = license_of(facts, base)
  local language = texts(base.language)
  return config.ordered {
    { "license", license },
    { "license_name", license_name },
    { "license_link", license_link },
    { "library_name", facts.library or "transformers" },
    { "pipeline_tag", type(base.pipeline_tag) == "string" and base.pipeline_tag or "text-generation" },
    { "language", #language > 0 and json.array(language) or nil },
    { "base_model", facts.base_model },
    { "base_model_relation", facts.relation or "finetune" },
    { "datasets", json.array(union(texts(facts.datasets), texts(base.datasets))) },
    { "tags", json.array(union({ "podsmith" }, facts.mode and { facts.mode } or {}, texts(facts.tags), texts(base.tags))) },
  }
end

-- ---- text -------------------------------------------------------------------------------------------------------

local function link(id) return ("[%s](%s%s)"):format(id, HUB, id) end

local function yes(value) return value and "Yes" or "No" end

local function number(value) return (yaml.encode(value):gsub("%s+$", "")) end

-- The rows of "Training Arguments", in the order of the first system's cards.
local function arguments(facts)
  local mode = facts.mode or "training"
  local rows = {
    { "Base Model", link(facts.base_model) .. (facts.base_revision and (" at `%s`"):format(facts.base_revision) or "") },
    { "Model Name", facts.id },
    { "Training Mode", mode:upper() },
  }
  local function add(name, value) if value ~= nil then rows[#rows + 1] = { name, tostring(value) } end end
  if mode == "sft" then
    add("QLoRA", yes(facts.qlora) .. (facts.sharded and " (sharded)" or ""))
    add("ZeRO Stage", facts.zero_stage)
  elseif mode == "grpo" then
    add("Num Generations", facts.num_generations)
    add("Use vLLM", facts.use_vllm ~= nil and yes(facts.use_vllm) or nil)
  end
  local data = {}
  for i, id in ipairs(facts.datasets or {}) do data[i] = ("[%s](%sdatasets/%s)"):format(id, HUB, id) end
  add("Dataset", #data > 0 and table.concat(data, ", ") or nil)
  local fraction = facts.dataset_fraction
  add("Dataset Fraction", fraction and fraction < 1 and ("%.1f%%"):format(fraction * 100) or nil)
  add("Max Steps", facts.max_steps and facts.max_steps > 0 and facts.max_steps or "Default (full epochs)")
  add("Per Device Batch Size", facts.per_device_batch)
  add("Gradient Accumulation Steps", facts.gradient_accumulation)
  add("Learning Rate", facts.learning_rate and number(facts.learning_rate) or nil)
  add("Attention Implementation", facts.attention)
  add("Trust Remote Code", facts.trust_remote_code ~= nil and yes(facts.trust_remote_code) or nil)
  local packages = facts.custom_dependencies or {}
  add("Custom Dependencies", #packages > 0 and "`" .. table.concat(packages, "`, `") .. "`" or nil)
  return rows
end

local function bullets(rows)
  local lines = {}
  for i, row in ipairs(rows) do lines[i] = ("- **%s**: %s"):format(row[1], row[2]) end
  return table.concat(lines, "\n")
end

local CLOSING = "This model was trained to reason before it answers: it is meant to work a question through step by step and to give "
  .. "its answer after that. What it was trained on bounds what it can do; check its answers before you rely on them."

local function body(facts, base_body)
  local parts = {
    "# " .. facts.id,
    ("This model was made from %s, trained for %s."):format(link(facts.base_model), facts.about or "step-by-step reasoning"),
    "## Training Arguments",
    bullets(arguments(facts)),
  }
  if facts.run and #facts.run > 0 then table.move({ "## Run", bullets(facts.run) }, 1, 2, #parts + 1, parts) end
  parts[#parts + 1] = "---"
  parts[#parts + 1] = facts.closing or CLOSING
  if base_body and base_body:find("%S") then
    parts[#parts + 1] = "---"
    parts[#parts + 1] = ("*The card of %s follows.*"):format(link(facts.base_model))
    parts[#parts + 1] = (base_body:gsub("^%s+", ""):gsub("%s+$", ""))
  end
  return table.concat(parts, "\n\n") .. "\n"
end

-- ---- the whole --------------------------------------------------------------------------------------------------

local function check(facts)
  facts = errors.check_options(facts, FIELDS, "model_card.render")
  for _, name in ipairs { "id", "base_model" } do
    local value = facts[name]
    if type(value) ~= "string" or not is_id(value) then
      errors.raise("invalid", ("model card: %s must be namespace/name on the Hub, not '%s'"):format(name, tostring(value)))
    end
  end
  for _, id in ipairs(facts.datasets or {}) do
    if not is_id(id) then
      errors.raise("invalid", ("model card: '%s' is no data set on the Hub"):format(tostring(id)),
        "local data goes into `run`, not into `datasets`: the Hub refuses a card that names what it does not have")
    end
  end
  if facts.relation and not RELATIONS[facts.relation] then
    errors.raise("invalid", ("model card: '%s' is no relation to a base model"):format(tostring(facts.relation)),
      "there are finetune, adapter, merge and quantized")
  end
  return facts
end

--- What the Hub would refuse in a card: a list of problems, empty when there are none.
---@param card string
---@return string[]
function M.problems(card)
  local front = M.split(card)
  if not front then return { "README.md has no front matter between lines of ---" } end
  local value, err = errors.try(yaml.decode, front, "README.md")
  if err then return { err.message } end
  if type(value) ~= "table" or #value > 0 then return { "the front matter of README.md is no mapping" } end
  local list = {}
  local function say(...) list[#list + 1] = (...) end
  for _, name in ipairs(texts(value.license)) do
    if not licences.is_known(name) then say(("license: the Hub knows no '%s'"):format(name)) end
  end
  if value.license == "other" and not value.license_name then say("license: other needs license_name") end
  for _, key in ipairs { "base_model", "datasets" } do
    for _, id in ipairs(texts(value[key])) do
      if not is_id(id) then say(("%s: '%s' is no id on the Hub"):format(key, id)) end
    end
  end
  for _, key in ipairs { "tags", "datasets" } do
    local given = value[key]
    local is_list = given == nil or (type(given) == "table" and #texts(given) == #given)
    if not is_list then say(key .. ": a list of texts is needed") end
  end
  if value.base_model_relation and not RELATIONS[value.base_model_relation] then
    say(("base_model_relation: there is no '%s'"):format(tostring(value.base_model_relation)))
  end
  return list
end

--- The card of a trained model. What cannot be read of the base model's card is left out and said in a warning, since the
--- training is paid for by then. Raises invalid on facts that no card can have.
---@param facts podsmith.CardFacts
---@return string card, string[] warnings
function M.render(facts)
  facts = check(facts)
  local warnings = {}
  local base, base_body = {}, nil
  if facts.base_card then
    base, warnings[1] = metadata_of(facts.base_card, facts.base_model)
    base_body = select(2, M.split(facts.base_card))
  end
  local datasets = {}
  for _, id in ipairs(texts(base.datasets)) do
    if is_id(id) then datasets[#datasets + 1] = id else warnings[#warnings + 1] = ("left out of datasets: '%s'"):format(id) end
  end
  base.datasets = datasets
  local card = "---\n" .. yaml.encode(metadata(facts, base)) .. "---\n\n" .. body(facts, base_body)
  local problems = M.problems(card)
  if #problems > 0 then
    errors.raise("invalid", "model card of " .. facts.id .. ": " .. table.concat(problems, "; "))
  end
  return card, warnings
end

return M
