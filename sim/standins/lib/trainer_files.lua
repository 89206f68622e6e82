-- Stand-in: the files that a trainer writes: checkpoints, a model, a card.

local say = require("trainer_env").say

local M = {}

-- A real, tiny safetensors file; its content follows the step, so that two checkpoints differ.
local function safetensors(step)
  local header = '{"__metadata__":{"format":"pt"},"stand_in.weight":{"dtype":"F32","shape":[16,16],"data_offsets":[0,1024]}}'
  header = header .. (" "):rep(-#header % 8)
  local data = {}
  for i = 1, 256 do data[i] = string.pack("<f", math.sin(i * (step + 1))) end
  return string.pack("<I8", #header) .. header .. table.concat(data)
end

function M.model_files(config, folder, step)
  fs.mkdir(folder)
  local function write(name, text) fs.write(folder .. "/" .. name, text) end
  if config.use_peft then
    write("adapter_model.safetensors", safetensors(step))
    write("adapter_config.json", json.encode {
      base_model_name_or_path = config.model_name_or_path, peft_type = "LORA", r = config.lora_r or 16,
      lora_alpha = config.lora_alpha or 32, target_modules = config.lora_target_modules or "all-linear",
    })
    write("tokenizer_config.json", json.encode { chat_template = config.chat_template, model_max_length = 8192, _stand_in = true })
    return { "adapter_model.safetensors", "adapter_config.json", "tokenizer_config.json" }
  end
  write("model.safetensors", safetensors(step))
  write("config.json", json.encode { architectures = { "GemmaForCausalLM" }, model_type = "gemma", _stand_in = true })
  return { "model.safetensors", "config.json" }
end

function M.checkpoints(folder)
  local steps = {}
  if fs.exists(folder) then
    for _, name in ipairs(fs.list(folder)) do
      local step = name:match("^checkpoint%-(%d+)$")
      if step and fs.exists(folder .. "/" .. name .. "/trainer_state.json") then steps[#steps + 1] = math.tointeger(step) end
    end
  end
  table.sort(steps)
  return steps
end

local function remove_folder(path)
  for _, name in ipairs(fs.list(path)) do os.remove(path .. "/" .. name) end
  os.remove(path)
end

function M.save_checkpoint(run)
  local folder = ("%s/checkpoint-%d"):format(run.config.output_dir, run.step)
  M.model_files(run.config, folder, run.step)
  fs.write(folder .. "/optimizer.pt", ("optimizer of step %d\n"):format(run.step))
  fs.write(folder .. "/trainer_state.json", json.encode {
    global_step = run.step, epoch = run.step / run.steps * run.epochs, max_steps = run.steps,
    num_train_epochs = run.epochs, log_history = run.history, logging_steps = run.config.logging_steps or 500,
    train_batch_size = run.config.per_device_train_batch_size or 8, is_world_process_zero = true,
  })
  say("Saving model checkpoint to %s", folder)
  local steps = M.checkpoints(run.config.output_dir)
  local limit = run.config.save_total_limit
  for i = 1, limit and #steps - limit or 0 do
    say("Deleting older checkpoint [%s/checkpoint-%d] due to args.save_total_limit", run.config.output_dir, steps[i])
    remove_folder(("%s/checkpoint-%d"):format(run.config.output_dir, steps[i]))
  end
end

function M.model_card(run)
  local config = run.config
  local name = run.hub_id and run.hub_id:match("([^/]+)$") or "model"
  return ("---\nbase_model: %s\nlibrary_name: transformers\nmodel_name: %s\ntags:\n- generated_from_trainer\n- open-r1\n- trl\n- %s\n"
    .. "---\n\n# Model Card for %s\n\nThis model is a fine-tuned version of %s. It was made by a simulator: its weights are "
    .. "random.\n"):format(config.model_name_or_path, name, run.mode, name, config.model_name_or_path)
end

return M
