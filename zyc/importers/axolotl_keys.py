"""Every key of axolotl's YAML, old ones too, and what becomes of it."""

from __future__ import annotations

from zyc.importers import values
from zyc.importers.rules import becomes, nothing, refused, table, together

_STORE = "results are kept in the store under the key of what made them"
_TEMPLATE = "the model's own template and tokenizer are used as they are"
_LOADING = "how the model gets into memory: the script sees to it"
_PREPARING = "datasets are nodes: prepared once, kept in the store, and read as they are"
_EVALUATING = "the held-out part is measured at the end, and whenever an early stop asks; an `evals` node measures more"
_KERNELS = "how fast, not what: the scripts use the kernels of the pinned libraries"
_SHARDS = "how the weights are spread, not what is learned: `placement.sharding` says which way"
_PARALLEL = (
    "where and how fast: zyc spreads over GPUs by `placement.gpus` and `placement.sharding` only; `zyc plan` says whether it fits"
)
_LAUNCHER = "the launcher sets it: rendered scripts start one process a GPU by themselves"
_LOGS = "every step is written to events.jsonl, whatever else is on"
_TRACKER = "`placement.trackers` names the tracker and its project; the rest is the tracker's own environment"
_INTERNAL = "axolotl's own bookkeeping"
_VISION = "a model of images or sound: zyc trains language models only"
_MOE = "how the experts of a mixture are computed, not what is learned"
_OTHER_METHOD = "zyc has no such method"
_ENGINE_OPTIMIZER = "the engine has no such optimizer setting"

_SETTINGS = (
    becomes("train.learning_rate", "learning_rate", values.number),
    together("as axolotl has it", "weight_decay"),
    becomes("train.clip", "max_grad_norm", values.number),
    becomes("engine.adam_epsilon", "adam_epsilon adam_eps", values.number),
    becomes("engine.neftune_noise_alpha", "neftune_noise_alpha noisy_embedding_alpha", values.number),
    becomes("engine.pad_to_multiple_of", "pad_to_multiple_of", values.integer),
    becomes("engine.torch_empty_cache_steps", "torch_empty_cache_steps gc_steps", values.integer),
    becomes("placement.workers", "dataloader_num_workers", values.integer),
    together("the defaults of the kind stand", "seed sequence_len sample_packing"),
    together(
        "one number of examples a step is made of these",
        "micro_batch_size gradient_accumulation_steps batch_size num_epochs max_steps warmup_ratio warmup_steps",
    ),
    together("the optimizer has no such setting", "optimizer adam_beta1 adam_beta2 optim_args optim_target_modules"),
    together(
        "the schedule has no such setting",
        """
        lr_scheduler lr_scheduler_kwargs cosine_min_lr_ratio cosine_constant_lr_ratio
        """,
    ),
    together("`bf16` and `fp16` decide", "bf16 fp16 bfloat16 float16 float32 torch_dtype"),
    together(
        "no adapter is trained",
        """
        adapter load_in_4bit load_in_8bit lora_r lora_alpha lora_dropout lora_target_modules lora_target_linear
        lora_modules_to_save peft_use_rslora peft_use_dora peft_init_lora_weights
        """,
    ),
    together("what is trained on is read from the datasets", "train_on_inputs val_set_size dataset_exact_deduplication"),
    together(
        "nothing stops early without `early_stopping_patience`",
        """
        early_stopping_patience metric_for_best_model greater_is_better
        """,
    ),
    together(
        "one GPU needs no sharding",
        "deepspeed fsdp fsdp_config fsdp_version dp_shard_size dp_replicate_size ddp ray_num_workers use_ray world_size",
    ),
    together(
        "the default attention of the model", "attn_implementation flash_attention sdp_attention eager_attention flex_attention"
    ),
    together("the default attention of the model", "xformers_attention sage_attention s2_attention"),
    together("nothing is recomputed", "gradient_checkpointing gradient_checkpointing_kwargs"),
    together("checkpoints are written at the kind's own interval", "save_steps saves_per_epoch save_strategy"),
    together("compiling is off", "torch_compile torch_compile_backend torch_compile_mode"),
)

_MODEL = (
    together(
        "the model as it is", "base_model revision_of_model trust_remote_code tokens special_tokens.additional_special_tokens"
    ),
    together(_TEMPLATE, "chat_template chat_template_jinja special_tokens.*"),
    nothing(
        "config.json of the model names its classes",
        """
        model_type type_of_model tokenizer_type tokenizer_use_fast tokenizer_legacy is_falcon_derived_model
        is_llama_derived_model is_mistral_derived_model is_qwen_derived_model cls_model_config
        base_model_ignore_patterns tokenizer_save_jinja_files
        """,
    ),
    nothing(
        "padding to a multiple of 32 only makes the embedding larger: rows are added for `add_tokens`, and no others",
        "resize_token_embeddings_to_32x shrink_embeddings mean_resizing_embeddings",
    ),
    together("the template ends each turn; before the first step it is checked that this end carries a label", "eot_tokens"),
    nothing(
        _LOADING,
        """
        low_cpu_mem_usage device_map device max_memory gpu_memory_limit experimental_skip_move_to_device
        embeddings_skip_upcast lora_on_cpu ple_cpu_offload qlora_sharded_model_loading torchdistx_path fp32_norms
        fp32_norm_classes model_kwargs
        """,
    ),
    refused(
        "the configuration of the model would be another one",
        "change config.json in a folder of your own and name it with `path`",
        """
        model_config.* overrides_of_model_config rope_scaling base_model_config reinit_weights overrides_of_model_kwargs
        model_config
        """,
    ),
    refused(
        "another tokenizer than the model's own",
        "put both into one folder and name it with `path`, or give the model a `tokenizer` node",
        "tokenizer_config tokenizer_use_mistral_common added_tokens_overrides",
    ),
    refused(
        "the base is loaded in a quantized form of its own",
        "name the unquantized model; `method: qlora` quantizes it",
        """
        gptq gptq_groupsize gptq_model_v1 gptq_disable_exllama model_quantization_config
        model_quantization_config_kwargs.* use_onebitllms quantize_moe_experts nonexpert_quantization
        gemma4_fp8_nonexpert gemma4_nf4_nonexpert model_quantization_config_kwargs
        """,
    ),
    nothing("zyc quantizes to NF4 with double quantization", "bnb_config_kwargs.bnb_4bit_use_double_quant"),
    refused("NF4 is the one 4-bit form here", "remove it", "bnb_config_kwargs.* bnb_config_kwargs"),
    nothing(_TEMPLATE, "chat_template_kwargs.enable_thinking"),
    refused(
        "arguments of a template are part of a prompt",
        "put them into `prompts`: `arguments:`",
        "chat_template_kwargs.* chat_template_kwargs",
    ),
    refused("a system message of its own for every example", "write it into the data", "default_system_message"),
    refused(
        "rows of the embedding would be changed by hand",
        "name the new tokens in `add_tokens` of the model",
        "fix_untrained_tokens peft_trainable_token_indices",
    ),
    refused(
        _VISION,
        "remove it, and name a language model",
        """
        processor_type image_size image_resize_algorithm processor_kwargs.* processor_kwargs role_boundaries[].*
        role_boundaries
        """,
    ),
    nothing("the weights of images and sound are no part of a language model", "freeze_mm_modules"),
)

_ADAPTER = (
    refused(
        "training goes on from an adapter",
        "declare the finetune that made it, and take it as `base`",
        "lora_model_dir",
    ),
    nothing(
        "peft sets it by the model's own layers",
        """
        lora_fan_in_fan_out peft_ensure_weight_tying peft_autocast_adapter_dtype
        """,
    ),
    nothing(
        _KERNELS,
        "lora_mlp_kernel lora_qkv_kernel lora_o_kernel lora_embedding_kernel",
    ),
    refused(
        "a finetune has no field for this setting of the adapter",
        "remove it, or use `targets`",
        """
        lora_target_parameters lora_rank_pattern.* lora_alpha_pattern.* lora_rank_pattern lora_alpha_pattern
        peft_layers_to_transform peft_layers_pattern peft_layer_replication peft.loftq_config.loftq_bits
        peft.loftq_config peft
        """,
    ),
    refused(
        "another learning rate for some weights",
        "remove it",
        """
        loraplus_lr_ratio loraplus_lr_embedding embedding_lr embedding_lr_scale lr_groups[].name lr_groups[].modules
        lr_groups[].lr lr_groups
        """,
    ),
    nothing("`.fused` is a node that the compiler adds where a whole model is wanted", "merge_lora merge_method"),
    refused(
        _OTHER_METHOD,
        "use `lora`, `dora`, `qlora` or `full`",
        """
        relora relora_prune_ratio relora_prune_method relora_cpu_offload relora_steps relora_warmup_steps
        relora_anneal_steps jagged_restart_steps jagged_restart_warmup_steps jagged_restart_anneal_steps mora.use_mora
        mora.mora_type mora lisa_n_layers lisa_step_interval lisa_layers_attribute spectrum_top_fraction
        spectrum_model_name unfrozen_parameters peft_adapter ia3_target_modules ia3_feedforward_modules
        ia3_fan_in_fan_out
        """,
    ),
)

_TRAINING = (
    refused(
        "another loss than the engine's",
        "remove it",
        """
        use_eaft eaft_alpha eaft_k liger_use_token_scaling process_reward_model scaling_softmax scaling_softmax_factor
        scaling_softmax_bias dpo_norm_loss diffusion.* diffusion kd_trainer kd_ce_alpha kd_alpha kd_temperature kd_beta
        kd_normalize_topk kd_online_server_base_url kd_online_topk kd_online_server kd_online_timeout kd_temperature_min
        """,
        off="1.0 20",
    ),
    refused(
        "training with rounded weights",
        "train in bf16 and quantize the result with a `quants` node",
        """
        qat.* qat fp8 fp8_config.recipe fp8_config fp8_enable_fsdp_float8_all_gather quantization.* quantization
        llmcompressor.* llmcompressor nvfp4_merge_aware nvfp4_merge_aware_start_step
        """,
    ),
    refused(
        _ENGINE_OPTIMIZER,
        "choose another optimizer",
        """
        adam_epsilon2 adam_beta3 dion_lr dion_momentum dion_rank_fraction dion_rank_multiple_of qgalore_rank
        qgalore_update_proj_gap qgalore_scale qgalore_proj_type qgalore_proj_quant qgalore_proj_bits
        qgalore_proj_group_size qgalore_cos_threshold qgalore_gamma_proj qgalore_queue_size grokfast_alpha grokfast_lamb
        dense_mixer lr_quadratic_warmup lr_div_factor eta_min
        """,
    ),
    refused(
        "examples would be of another form",
        "cut them in the dataset node: `clean: [length: ...]`",
        """
        use_pose pose_split_on_token_ids pose_max_context_len pose_num_chunks min_sample_len max_prompt_len
        sample_packing_sequentially pretraining_sample_concatenation
        """,
    ),
    refused("the first and last layers of a context extension", "remove it", "context_extension"),
    nothing("a GPU's faster multiplication in eight bits: the engine has none", "fp8_kernel"),
    nothing("single precision is multiplied as torch does it by itself", "tf32"),
    nothing(
        _KERNELS,
        """
        flash_attn_cross_entropy flash_attn_rms_norm flash_attn_fuse_mlp flash_attn_fuse_qkv flash_optimum
        flash_attn_d512 large_head_attention sdpa_varlen fused_attn_kernel flex_attn_compile_kwargs.*
        flex_attn_compile_kwargs gemma4_hybrid_attn_impl cut_cross_entropy chunked_cross_entropy
        chunked_cross_entropy_num_chunks liger_rope liger_rms_norm liger_rms_norm_gated liger_layer_norm liger_swiglu
        liger_glu_activation liger_cross_entropy liger_fused_linear_cross_entropy liger_kernel_impl tiled_mlp
        tiled_mlp_num_shards tiled_mlp_use_original_mlp use_kernels kernels torch_compile_options.*
        torch_compile_options unsloth_lora_mlp unsloth_lora_qkv unsloth_lora_o unsloth_cross_entropy_loss
        unsloth_rms_norm unsloth_rope xformers_attention_kernel
        """,
    ),
    nothing(
        _MOE,
        """
        experts_implementation expert_backend moe_grouped_backend moe_dequant_chunk_size moe_bnb_fast use_scattermoe
        use_sonicmoe use_dsv4_kernels use_glm_dsa_kernels dsv4_fp8_nonexpert_mode dsv4_fp8_lora_kernel
        dsv4_shared_mlp_lora_kernel dsv4_bf16_all dsv4_fp4_grouped_mode llama4_linearized_experts
        """,
    ),
    nothing(
        "how activations are kept, not what is learned: `placement.activation_checkpointing` is what there is",
        "activation_offloading layer_offloading selective_checkpointing.* selective_checkpointing",
    ),
    nothing(
        _SHARDS,
        """
        fsdp_config.* fsdp_final_state_dict_type deepcompile ddp_timeout ddp_bucket_cap_mb ddp_broadcast_buffers
        ddp_find_unused_parameters accelerator_config.* accelerator_config
        """,
    ),
    nothing(
        _PARALLEL,
        """
        context_parallel_size sequence_parallel_degree heads_k_stride ring_attn_func tensor_parallel_size
        expert_parallel_size expert_parallel_backend expert_parallel_num_nvl_bytes expert_parallel_num_rdma_bytes
        expert_parallel_token_capacity expert_parallel_fallback_on_unsupported ringmaster_backend ringmaster_config.*
        ringmaster_config
        """,
    ),
    nothing(_LAUNCHER, "local_rank ray_run_name resources_per_worker.* resources_per_worker"),
    nothing(
        "how examples are put together and fetched, not which: zyc's packing loses none",
        """
        sample_packing_group_size sample_packing_bin_size sample_packing_eff_est sample_packing_seq_len_multiplier
        sample_packing_mp_start_method eval_sample_packing pad_to_sequence_len multipack_real_batches batch_flattening
        pretrain_multipack_buffer_size pretrain_multipack_attn streaming_multipack_buffer_size streaming
        dataloader_pin_memory dataloader_prefetch_factor total_num_tokens total_supervised_tokens remove_unused_columns
        """,
    ),
    refused("axolotl gave it up for `sample_packing`", "write `sample_packing: true`", "max_packed_sequence_len"),
    together(
        "batches of like length are an engine setting",
        """
        curriculum_sampling group_by_length dataloader_drop_last excess_length_strategy
        """,
    ),
    nothing(
        "a loss that is no number ends the step, and the last good state is kept; for others put a gate on `train.loss`",
        "loss_watchdog_threshold loss_watchdog_patience",
    ),
    nothing(
        _EVALUATING,
        """
        eval_steps evals_per_epoch eval_strategy evaluation_strategy eval_batch_size eval_table_size eval_max_new_tokens
        eval_sequence_len do_causal_lm_eval eval_causal_lm_metrics do_bench_eval bench_dataset bench_split lm_eval_tasks
        lm_eval_batch_size lm_eval_post_train lm_eval_model generate_samples num_generation_samples
        generation_max_new_tokens generation_temperature generation_top_p generation_top_k generation_prompt_ratio
        generation_do_sample
        """,
    ),
    refused("axolotl's own classes would train", "remove it", "trainer_cls"),
    together("what a plugin does stands in its own keys", "plugins"),
)

_DATA = (
    together(
        "the dataset has no use for it",
        """
        datasets[].path datasets[].type datasets[].name datasets[].split datasets[].revision datasets[].data_files
        datasets[].ds_type datasets[].field datasets[].field_messages datasets[].message_property_mappings
        datasets[].message_field_role datasets[].message_field_content datasets[].field_human datasets[].field_model
        datasets[].field_chosen datasets[].field_rejected datasets[].field_tools datasets[].roles
        datasets[].roles_to_train datasets[].chat_template datasets[].conversation datasets[].train_on_eos
        datasets[].train_on_eot datasets[].trust_remote_code datasets[].drop_system_message datasets[].shards
        datasets[].chat_template_jinja datasets[].input_format
        """,
    ),
    together(
        "the dataset has no use for it",
        """
        test_datasets[].path test_datasets[].type test_datasets[].name test_datasets[].split test_datasets[].data_files
        test_datasets[].ds_type test_datasets[].field_messages test_datasets[].message_property_mappings
        test_datasets[].roles test_datasets[].message_field_role test_datasets[].message_field_content
        test_datasets[].field test_datasets[].revision
        """,
    ),
    together(
        "the dataset has no use for it",
        """
        pretraining_dataset pretraining_dataset[].path pretraining_dataset[].name pretraining_dataset[].split
        pretraining_dataset[].type pretraining_dataset[].text_column pretraining_dataset[].field
        pretraining_dataset[].data_files pretraining_dataset[].revision pretraining_dataset[].trust_remote_code
        """,
    ),
    nothing(
        _PREPARING,
        """
        datasets[].preprocess_shards dataset_prepared_path dataset_processes dataset_num_proc dataset_shard_num
        skip_prepare_dataset num_dataset_shards_to_save dataset_keep_in_memory push_dataset_to_hub is_preprocess
        preprocess_iterable shuffle_merged_datasets shuffle_before_merging_datasets hf_use_auth_token
        """,
    ),
    refused(
        "only a part of the rows would be read",
        "make a file of that part, or name a `split` such as `train[:10%]`",
        "datasets[].shards_idx dataset_shard_idx pretraining_dataset[].skip",
    ),
    refused(
        "rows would become other texts",
        "write the rows as `messages` or as `prompt` and `completion`, or name their columns with `map`",
        """
        datasets[].input_transform datasets[].logprobs_field datasets[].temperature datasets[].step_separator
        datasets[].max_completion_length datasets[].train_on_last_step_only datasets[].split_thinking datasets[].length
        datasets[].sequence_length datasets[].min_input_id datasets[].max_input_id datasets[].seed
        """,
    ),
    refused(
        "some words or turns of a message would be left out of the loss",
        "keep `loss_on: assistant`, or `all`; split the dataset where rows differ",
        "datasets[].message_field_training datasets[].message_field_training_detail",
    ),
    nothing(
        "further columns of a message are kept, and the template reads them",
        "datasets[].field_thinking datasets[].template_thinking_key",
    ),
)

_RL = (
    together(
        "nothing is aligned", "rl rl_beta dpo_beta orpo_alpha simpo_gamma cpo_alpha kto_desirable_weight kto_undesirable_weight"
    ),
    together(
        "nothing is aligned",
        "dpo_label_smoothing dpo_loss_type dpo_loss_weights rpo_alpha dpo_use_weighting precompute_ref_log_probs",
    ),
    together("nothing is aligned", "reward_model center_rewards_coefficient num_labels"),
    together(
        "nothing is aligned",
        """
        trl.beta trl.max_completion_length trl.num_generations trl.temperature trl.top_p trl.top_k trl.min_p
        trl.repetition_penalty trl.reward_funcs trl.reward_weights trl.epsilon trl.epsilon_high trl.num_iterations
        trl.loss_type trl.scale_rewards trl.mask_truncated_completions trl.importance_sampling_level trl.sync_ref_model
        trl.ref_model_mixup_alpha trl.ref_model_sync_steps
        """,
    ),
    nothing(
        "the script samples answers itself",
        """
        trl.use_vllm trl.vllm_mode trl.vllm_server_host trl.vllm_server_port trl.vllm_server_timeout
        trl.vllm_enable_sleep_mode trl.vllm_sync_interval trl.vllm_lora_sync trl.async_prefetch trl.prefetch_depth
        trl.use_data_producer trl.streaming_partial_batch trl.streaming_min_groups trl.reward_num_workers
        trl.use_liger_loss vllm.*
        """,
    ),
    nothing(_LOGS, "trl.log_completions trl.num_completions_to_print trl.log_multimodal dpo_generate_during_eval"),
    nothing(_KERNELS, "dpo_use_liger_kernel dpo_padding_free dpo_use_logits_to_keep trl.skip_zero_advantage_batches"),
    nothing(_TEMPLATE, "trl.chat_template_kwargs.enable_thinking"),
    refused("axolotl's own variant of the method", "remove it", "trl.* vllm ebft.* ebft trl"),
    refused(
        "rewards would come from a server of environments",
        "write the reward as a function in a file: `rewards` of an alignment",
        """
        nemo_gym_enabled nemo_gym_dir nemo_gym_auto_clone nemo_gym_config_paths nemo_gym_head_port
        nemo_gym_server_timeout nemo_gym_verify_timeout nemo_gym_run_timeout nemo_gym_datasets[].path
        nemo_gym_datasets[].server_name nemo_gym_datasets nemo_gym_auto_start nemo_gym_model_name nemo_gym_multi_turn
        nemo_gym_max_turns hatchery.* hatchery
        """,
    ),
)

_AROUND = (
    nothing(
        _STORE,
        "output_dir save_safetensors save_total_limit save_first_step save_only_model load_best_model_at_end",
    ),
    nothing(
        "an attempt that was cut short goes on from its last checkpoint by itself",
        "auto_resume_from_checkpoints dynamic_checkpoint.* dynamic_checkpoint",
    ),
    refused(
        "training goes on from another run's checkpoint",
        "let zyc train it: it resumes what it began itself",
        "resume_from_checkpoint",
    ),
    nothing(_LOGS, "logging_steps include_tokens_per_second include_tkps debug profiler_steps profiler_steps_start"),
    together(
        _TRACKER,
        "use_wandb wandb_project use_mlflow mlflow_experiment_name use_tensorboard use_trackio trackio_project_name",
    ),
    nothing(
        _TRACKER,
        """
        wandb_name wandb_run_id wandb_entity wandb_watch wandb_log_model wandb_mode mlflow_tracking_uri mlflow_run_name
        hf_mlflow_log_artifacts trackio_run_name trackio_space_id project_name
        """,
    ),
    refused(
        "zyc has no such tracker",
        "use W&B, MLflow, TensorBoard or trackio: `placement.trackers`",
        "use_comet use_swanlab use_otel_metrics",
    ),
    nothing(
        "settings of a tracker that zyc does not have",
        """
        comet_workspace comet_project_name comet_experiment_key comet_mode comet_online comet_experiment_config.*
        comet_experiment_config swanlab_project swanlab_experiment_name swanlab_description swanlab_mode
        swanlab_workspace swanlab_log_model swanlab_web_host swanlab_api_host swanlab_log_completions
        swanlab_completion_log_interval swanlab_completion_max_buffer otel_metrics_host otel_metrics_port
        """,
    ),
    nothing(
        "a secret: it stays in the environment",
        "comet_api_key swanlab_api_key swanlab_lark_secret swanlab_lark_webhook_url",
        secret=True,
    ),
    nothing("to publish a result is a `deployments` node: `target: hub`", "hub_model_id hub_strategy hub_revision"),
    nothing(
        "a demonstration page is a `deployments` node",
        "gradio_title gradio_share gradio_server_name gradio_server_port gradio_max_new_tokens gradio_temperature",
    ),
    nothing(
        _INTERNAL,
        """
        strict axolotl_config_path capabilities.* capabilities env_capabilities.* env_capabilities gc_collect_steps
        auto_find_batch_size test_value
        """,
    ),
    nothing(
        "which machine of a provider runs it: a host of the site, never a spec",
        """
        provider gpu gpu_count node_count memory memory_preprocess timeout timeout_preprocess branch dockerfile_commands
        secrets env.* env volumes[].name volumes[].mount volumes
        """,
    ),
)

KEYS = table(
    *_SETTINGS,
    *_MODEL,
    *_ADAPTER,
    *_TRAINING,
    *_DATA,
    *_RL,
    *_AROUND,
)
