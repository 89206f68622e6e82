-- Stand-in: the configuration keys that Open R1's scripts, TRL 0.18 and accelerate 1.4 accept, with their types. Not all of
-- them: the ones that recipes use, and the commonest of the rest.

local M = {}

local function typed(table_of_names)
  local out = {}
  for kind, names in pairs(table_of_names) do
    for name in names:gmatch("%S+") do out[name] = kind end
  end
  return out
end

local common = {
  string = [[model_name_or_path model_revision torch_dtype attn_implementation dataset_name dataset_config
    dataset_train_split dataset_test_split hub_model_id hub_strategy hub_revision log_level logging_strategy
    lr_scheduler_type output_dir save_strategy eval_strategy optim system_prompt chat_template run_name
    resume_from_checkpoint benchmarks wandb_project wandb_entity bnb_4bit_quant_type bnb_4bit_compute_dtype
    lora_task_type logging_dir hub_token_name ddp_backend]],
  boolean = [[trust_remote_code bf16 fp16 tf32 do_eval do_train gradient_checkpointing logging_first_step log_completions
    overwrite_output_dir push_to_hub use_liger_kernel use_peft load_in_4bit load_in_8bit use_bnb_nested_quant
    hub_private_repo hub_always_push save_only_model save_safetensors remove_unused_columns use_rslora use_dora
    load_best_model_at_end ignore_data_skip push_to_hub_revision overwrite_hub_revision]],
  integer = [[gradient_accumulation_steps logging_steps per_device_train_batch_size per_device_eval_batch_size max_steps
    save_steps save_total_limit seed data_seed eval_steps dataloader_num_workers lora_r lora_alpha
    ddp_timeout]],
  number = [[learning_rate num_train_epochs warmup_ratio warmup_steps weight_decay max_grad_norm adam_beta1 adam_beta2 adam_epsilon
    lora_dropout]],
  map = [[gradient_checkpointing_kwargs lr_scheduler_kwargs dataset_mixture]],
  ["list or string"] = [[report_to lora_target_modules lora_modules_to_save callbacks]],
}

local function with(extra)
  local merged = {}
  for kind, names in pairs(common) do merged[kind] = names end
  for kind, names in pairs(extra) do merged[kind] = (merged[kind] or "") .. " " .. names end
  return typed(merged)
end

M.grpo = with {
  string = "dataset_prompt_column vllm_mode vllm_server_host loss_type",
  boolean = "use_vllm scale_rewards mask_truncated_completions shuffle_dataset",
  integer = [[max_prompt_length max_completion_length num_generations num_iterations num_completions_to_print top_k
    vllm_server_port vllm_tensor_parallel_size repetition_n_grams parallel_code_exec_per_proc generation_batch_size]],
  number = [[temperature top_p min_p beta epsilon epsilon_high repetition_penalty vllm_gpu_memory_utilization
    cosine_min_value_wrong cosine_max_value_wrong cosine_min_value_correct cosine_max_value_correct
    repetition_max_penalty]],
  ["list or string"] = "reward_funcs",
  list = "reward_weights",
}

M.sft = with {
  string = "dataset_text_field eos_token pad_token",
  boolean = "packing eval_packing completion_only_loss use_liger padding_free",
  integer = "max_seq_length max_length dataset_num_proc dataset_batch_size",
  map = "model_init_kwargs dataset_kwargs",
}

M.accelerate = typed {
  string = [[compute_environment distributed_type downcast_bf16 main_training_function mixed_precision rdzv_backend
    main_process_ip gpu_ids dynamo_backend]],
  boolean = "debug same_network tpu_use_cluster tpu_use_sudo use_cpu enable_cpu_affinity",
  integer = "machine_rank num_machines num_processes main_process_port",
  map = "deepspeed_config fsdp_config dynamo_config",
  list = "tpu_env",
}

M.deepspeed = typed {
  string = [[deepspeed_multinode_launcher offload_optimizer_device offload_param_device deepspeed_config_file
    offload_optimizer_nvme_path offload_param_nvme_path deepspeed_hostfile]],
  boolean = "zero3_init_flag zero3_save_16bit_model",
  integer = "zero_stage gradient_accumulation_steps",
  number = "gradient_clipping",
}

-- What a run cannot do without.
M.required = {
  grpo = { "model_name_or_path", "output_dir", "reward_funcs" },
  sft = { "model_name_or_path", "output_dir" },
}

local function is_list(value)
  return type(value) == "table" and (#value > 0 or next(value) == nil)
end

-- Whether a YAML value is of a kind above; the trainers take an integer where a number is asked, not the reverse.
function M.fits(kind, value)
  if kind == "number" then return type(value) == "number" end
  if kind == "integer" then return math.type(value) == "integer" end
  if kind == "list" then return is_list(value) end
  if kind == "list or string" then return is_list(value) or type(value) == "string" end
  if kind == "map" then return type(value) == "table" and #value == 0 end
  return type(value) == kind
end

return M
