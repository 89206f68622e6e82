--- Open R1 training: the keys that its trainers' config files may have, with their kinds. Data.
---
--- From the dataclasses of the versions that Open R1 pins (its setup.py: trl 0.18.0, transformers 4.52.3) and its own
--- (src/open_r1/configs.py); tests/clients/open_r1_keys.py compares. The Hub's token is left out: it never goes into a file.

local COMMON = {
  string = [[attn_implementation? bnb_4bit_quant_type chat_template? dataset_config? dataset_name? dataset_test_split
    dataset_train_split ddp_backend? eval_strategy fp16_backend fp16_opt_level fsdp_transformer_layer_cls_to_wrap?
    half_precision_backend hub_model_id? hub_model_revision? hub_strategy length_column_name? log_level?
    log_level_replica? logging_dir? logging_strategy lora_task_type lr_scheduler_type metric_for_best_model?
    model_name_or_path? model_revision mp_parameters optim optim_args? output_dir? push_to_hub_model_id?
    push_to_hub_organization? ray_scope? resume_from_checkpoint? run_name? save_strategy system_prompt?
    torch_compile_backend? torch_compile_mode? torch_dtype? torchdynamo? wandb_entity? wandb_project? wandb_run_group?]],
  boolean = [[adafactor auto_find_batch_size average_tokens_across_devices? batch_eval_metrics bf16 bf16_full_eval
    dataloader_drop_last dataloader_persistent_workers dataloader_pin_memory ddp_broadcast_buffers?
    ddp_find_unused_parameters? disable_tqdm? do_eval do_predict do_train eval_do_concat_batches eval_on_start
    eval_use_gather_object? fp16 fp16_full_eval full_determinism gradient_checkpointing
    gradient_checkpointing_use_reentrant greater_is_better? group_by_length hub_always_push hub_private_repo?
    ignore_bias_buffers ignore_data_skip include_inputs_for_metrics include_num_input_tokens_seen?
    include_tokens_per_second? jit_mode_eval load_best_model_at_end? load_in_4bit load_in_8bit log_on_each_node
    logging_first_step logging_nan_inf_filter no_cuda overwrite_hub_revision overwrite_output_dir prediction_loss_only
    push_to_hub push_to_hub_revision remove_unused_columns? restore_callback_states_from_checkpoint save_on_each_node
    save_only_model save_safetensors? skip_memory_metrics tf32? torch_compile tpu_metrics_debug trust_remote_code
    use_bnb_nested_quant use_cpu use_dora use_ipex use_legacy_prediction_loop use_liger_kernel? use_mps_device
    use_peft use_rslora]],
  integer = [[data_seed? dataloader_num_workers dataloader_prefetch_factor? ddp_bucket_cap_mb? ddp_timeout?
    eval_accumulation_steps? fsdp_min_num_params gradient_accumulation_steps lora_alpha lora_r max_steps past_index
    per_device_eval_batch_size per_device_train_batch_size per_gpu_eval_batch_size? per_gpu_train_batch_size?
    save_total_limit? seed torch_empty_cache_steps? tpu_num_cores? warmup_steps]],
  number = [[adam_beta1 adam_beta2 adam_epsilon eval_delay? eval_steps? label_smoothing_factor learning_rate logging_steps
    lora_dropout max_grad_norm neftune_noise_alpha? num_train_epochs save_steps warmup_ratio weight_decay]],
  list = [[benchmarks callbacks include_for_metrics label_names?]],
  map = [[dataset_mixture?]],
  ["list or string"] = [[debug fsdp? lora_modules_to_save? lora_target_modules? optim_target_modules? report_to?]],
  ["map or string"] = [[accelerator_config? fsdp_config? gradient_checkpointing_kwargs? lr_scheduler_kwargs?]],
}

local GRPO = {
  string = [[cache_implementation? code_eval_scoring_mode code_language code_provider? dataset_prompt_column e2b_router_url?
    ioi_provider? loss_type morph_router_url? vllm_guided_decoding_regex? vllm_mode vllm_server_base_url?
    vllm_server_host]],
  boolean = [[disable_dropout ds3_gather_for_generation log_completions mask_truncated_completions scale_rewards
    shuffle_dataset? sync_ref_model use_liger_loss use_vllm wandb_log_unique_prompts wandb_log_unique_prompts?]],
  integer = [[code_eval_test_batch_size cosine_max_len generation_batch_size? max_completion_len max_completion_length?
    max_prompt_length? num_completions_to_print num_completions_to_print? num_generations? num_iterations
    parallel_code_exec_per_proc ref_model_sync_steps repetition_n_grams soft_punish_cache steps_per_generation? top_k?
    vllm_server_port vllm_tensor_parallel_size]],
  number = [[beta cosine_max_value_correct cosine_max_value_wrong cosine_min_value_correct cosine_min_value_wrong delta?
    epsilon epsilon_high? min_p? ref_model_mixup_alpha repetition_max_penalty repetition_penalty temperature top_p
    vllm_gpu_memory_utilization vllm_server_timeout]],
  list = [[reward_funcs reward_weights?]],
  ["map or string"] = [[model_init_kwargs?]],
}

local SFT = {
  string = [[dataset_text_field eos_token? pad_token?]],
  boolean = [[activation_offloading completion_only_loss? eval_packing? packing padding_free]],
  integer = [[dataset_num_proc? max_length? max_seq_length? pad_to_multiple_of?]],
  map = [[dataset_kwargs? model_init_kwargs?]],
}

local M = {
  grpo = config.schema("Open R1's GRPO trainer", COMMON, GRPO),
  sft = config.schema("Open R1's SFT trainer", COMMON, SFT),
}

--- Keys that a newer release has dropped, or renamed: what is written where such a release is installed. Read from the
--- releases' dataclasses; tests/clients/open_r1_keys.py compares.
---@type {package: "transformers"|"trl", since: string, key: string, now?: string}[]
M.DROPPED = {
  { package = "transformers", since = "5.0.0", key = "overwrite_output_dir" },
  { package = "transformers", since = "5.0.0", key = "warmup_ratio", now = "warmup_steps" }, -- a share when below 1
  { package = "trl", since = "0.20.0", key = "max_seq_length", now = "max_length" },
  { package = "trl", since = "0.27.0", key = "torch_dtype", now = "dtype" },
  { package = "trl", since = "0.28.0", key = "max_prompt_length" },
}

return M
