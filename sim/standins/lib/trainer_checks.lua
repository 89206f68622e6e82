-- Stand-in: the checks that the launcher and the trainers make of their configuration.

local keys = require("trl_keys")
local env = require("trainer_env")
local die, die_early, knob = env.die, env.die_early, env.knob

local M = {}

local function unknown_keys(config, known)
  local unknown = {}
  for name in pairs(config) do
    if not known[name] then unknown[#unknown + 1] = tostring(name) end
  end
  table.sort(unknown)
  return unknown
end

local function shown(value)
  if type(value) == "table" then return json.encode(value) end
  return tostring(value)
end

local function check_types(config, known, where)
  for name, value in pairs(config) do
    if known[name] and not keys.fits(known[name], value) then
      die_early(("TypeError: %s: '%s' must be %s, got %s"):format(where, name, known[name], shown(value)))
    end
  end
end

function M.accelerate(config, path)
  local unknown = unknown_keys(config, keys.accelerate)
  if #unknown > 0 then
    die_early(("ValueError: The config file at %s had unknown keys (['%s']), please try upgrading your `accelerate` version or fix "
      .. "(and potentially remove) these keys from your config file."):format(path, table.concat(unknown, "', '")))
  end
  check_types(config, keys.accelerate, path)
  for _, name in ipairs { "num_processes", "distributed_type" } do
    if config[name] == nil then die_early(("KeyError: '%s' (in %s)"):format(name, path)) end
  end
  local deepspeed = config.deepspeed_config
  if config.distributed_type == "DEEPSPEED" and not deepspeed then
    die_early("ValueError: distributed_type is DEEPSPEED and there is no deepspeed_config in " .. path)
  end
  if deepspeed then
    unknown = unknown_keys(deepspeed, keys.deepspeed)
    if #unknown > 0 then die_early("ValueError: unknown DeepSpeed keys ['" .. table.concat(unknown, "', '") .. "'] in " .. path) end
    check_types(deepspeed, keys.deepspeed, path)
    local stage = deepspeed.zero_stage
    if stage ~= 0 and stage ~= 1 and stage ~= 2 and stage ~= 3 then die_early("ValueError: zero_stage must be 0 to 3") end
  end
end

function M.visible_gpus()
  local list = os.getenv("CUDA_VISIBLE_DEVICES")
  if not list then return math.tointeger(tonumber(knob("SIM_GPU_COUNT") or 0)) end
  local count = 0
  for _ in list:gmatch("[^,%s]+") do count = count + 1 end
  return count
end

-- How many machines train together. They meet at the first one's address: who looks for it elsewhere waits in vain.
function M.machines(config)
  local machines = config.num_machines or 1
  if machines == 1 then return 1 end
  local here = { address = os.getenv("PRIMARY_ADDR"), port = os.getenv("PRIMARY_PORT"), rank = os.getenv("NODE_RANK") }
  if config.main_process_ip ~= here.address or tostring(config.main_process_port) ~= here.port
    or tostring(config.machine_rank) ~= here.rank or tostring(machines) ~= os.getenv("NUM_NODES") then
    die(("torch.distributed.DistNetworkError: The client socket has timed out while trying to connect to (%s, %s): this machine is "
      .. "%s of %s, and they meet at (%s, %s)."):format(config.main_process_ip, config.main_process_port, here.rank,
      os.getenv("NUM_NODES"), here.address, here.port))
  end
  return machines
end

function M.training(config, mode, path)
  local unknown = unknown_keys(config, keys[mode])
  if #unknown > 0 then
    local words = {}
    for _, name in ipairs(unknown) do
      words[#words + 1] = ("'--%s', '%s'"):format(name, shown(config[name]))
    end
    die_early("ValueError: Some specified arguments are not used by the HfArgumentParser: [" .. table.concat(words, ", ") .. "]")
  end
  check_types(config, keys[mode], path)
  local missing = {}
  for _, name in ipairs(keys.required[mode]) do
    if config[name] == nil then missing[#missing + 1] = "--" .. name end
  end
  if mode == "grpo" and not config.dataset_name and not config.dataset_mixture then missing[#missing + 1] = "--dataset_name" end
  if #missing > 0 then
    io.stderr:write("usage: ", env.script, " [-h] ...\n")
    io.stderr:write(env.script, ": error: the following arguments are required: ", table.concat(missing, ", "), "\n")
    env.leave(2)
  end
end

function M.generations(config, processes)
  local count = config.num_generations or 8
  local batch = (config.per_device_train_batch_size or 8) * (config.gradient_accumulation_steps or 1) * processes
  if count < 2 then
    die(("ValueError: GRPO requires at least 2 generations per prompt to calculate the advantages. You provided %d, which is "
      .. "less than the minimum required."):format(count))
  end
  if batch % count ~= 0 then
    die(("ValueError: generation_batch_size (%d) must be divisible by num_generations (%d)."):format(batch, count))
  end
  if config.reward_weights and type(config.reward_funcs) == "table" and #config.reward_weights ~= #config.reward_funcs then
    die(("ValueError: Number of reward weights (%d) must match number of reward functions (%d)"):format(
      #config.reward_weights, #config.reward_funcs))
  end
end

-- What pip has written down must hold what the configuration asks for.
function M.packages(config, mode)
  local venv = os.getenv("SIM_VENV") or os.getenv("VIRTUAL_ENV")
  local book = venv and venv .. "/.podsmith-sim-pip" or "/root/.sim/pip"
  local text = "\n" .. (fs.exists(book) and fs.read(book) or "")
  local function need(package, message)
    if not text:find("\n" .. package .. "==", 1, true) then die(message) end
  end
  need("torch", "ModuleNotFoundError: No module named 'torch'")
  need("trl", "ModuleNotFoundError: No module named 'trl'")
  need("transformers", "ModuleNotFoundError: No module named 'transformers'")
  if mode == "grpo" and config.use_vllm then
    need("vllm", "ImportError: vLLM is not available and `use_vllm` is set to True. Please install vLLM with `pip install "
      .. "trl[vllm]` to use it.")
  end
  if config.use_peft then need("peft", "ValueError: You need to have PEFT installed in your environment, make sure to install `peft`.") end
  if config.load_in_4bit then need("bitsandbytes", "ImportError: Using `bitsandbytes` 4-bit quantization requires bitsandbytes") end
  if config.attn_implementation == "flash_attention_2" then
    need("flash-attn", "ImportError: FlashAttention2 has been toggled on, but it cannot be used due to the following error: the "
      .. "package flash_attn seems to be not installed.")
  end
end

function M.sources(hub, config, mode)
  local id = config.model_name_or_path
  local model_config, refusal = hub:text(id, "config.json")
  if not model_config then
    local said = refusal and refusal.headers["x-error-message"] or "it has no config.json"
    die(("OSError: %s is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'\n"
      .. "If this is a private repository, make sure to pass a token having permission to this repo.\n%s"):format(id, said))
  end
  local datasets = config.dataset_mixture and config.dataset_mixture.datasets or { { id = config.dataset_name } }
  for _, dataset in ipairs(datasets) do
    if dataset.id and not hub:has_dataset(dataset.id) then
      die(("datasets.exceptions.DatasetNotFoundError: Dataset '%s' doesn't exist on the Hub or cannot be accessed."):format(dataset.id))
    end
  end
  local template = config.chat_template
  if mode == "grpo" and not template and not hub:text(id, "chat_template.jinja") then
    local tokenizer = hub:text(id, "tokenizer_config.json")
    if not tokenizer or not json.decode(tokenizer).chat_template then
      die("ValueError: Cannot use chat template functions because tokenizer.chat_template is not set and no template argument "
        .. "was passed! For information about writing templates and setting the tokenizer.chat_template attribute, please see the "
        .. "documentation at https://huggingface.co/docs/transformers/main/en/chat_templating")
    end
  end
end

return M
