"""Every key of LLaMA-Factory's YAML, both of its forms and what accelerate reads beside it, and what becomes of it."""

from __future__ import annotations

from zyc.importers import values
from zyc.importers.rules import becomes, nothing, refused, table, together

_STORE = "results are kept in the store under the key of what made them"
_EVALUATING = "the held-out part is measured while it trains; an `evals` node measures more"
_KERNELS = "how fast, not what: the scripts use the kernels of the pinned libraries"
_LOGS = "every step is written to events.jsonl, and `zyc logs` shows it"
_LOADING = "how the model gets into memory: the script sees to it"
_PREPARING = "datasets are nodes: prepared once, kept in the store, and read as they are"
_SHARDS = "how the weights are spread, not what is learned: `placement.sharding` says which way"
_PARALLEL = (
    "where and how fast: zyc spreads over GPUs by `placement.gpus` and `placement.sharding` only; `zyc plan` says whether it fits"
)
_VISION = "a model of images or sound: zyc trains language models only"
_SAMPLING = "sampling is a prompt's: `prompts: {NAME: {sampling: ...}}`"
_LAUNCHER = "the launcher of accelerate reads it: rendered scripts start one process a GPU by themselves"
_EXPORT = "to write the merged model out is a node of the compiler's (`.fused`), and to publish it a `deployments` node"
_NO_OPTIMIZER = "zyc has no such optimizer"
_NO_METHOD = "zyc has no such method"
_NO_LOSS = "zyc has no such loss"
_NO_TRACKER = "zyc has no such tracker"

_SETTINGS = (
    together("as LLaMA-Factory has it", "learning_rate weight_decay"),
    becomes("train.clip", "max_grad_norm", values.number),
    becomes("engine.adam_epsilon", "adam_epsilon", values.number),
    becomes("engine.neftune_noise_alpha", "neftune_noise_alpha", values.number),
    becomes("engine.label_smoothing_factor", "label_smoothing_factor", values.number),
    becomes("engine.lr_scheduler_kwargs", "lr_scheduler_kwargs"),
    becomes("engine.average_tokens_across_devices", "average_tokens_across_devices", values.flag),
    becomes("engine.dataloader_drop_last", "dataloader_drop_last", values.flag),
    becomes("engine.torch_empty_cache_steps", "torch_empty_cache_steps", values.integer),
    becomes("placement.workers", "dataloader_num_workers batching_workers", values.integer),
    together(
        "the defaults of the kind stand", "seed data_seed cutoff_len packing neat_packing batching_strategy disable_shuffling"
    ),
    together(
        "one number of examples a step is made of these",
        """
        per_device_train_batch_size gradient_accumulation_steps micro_batch_size global_batch_size num_train_epochs
        max_steps warmup_ratio warmup_steps
        """,
    ),
    together(
        "the optimizer has no such setting",
        "optim optim_args optim_target_modules adam_beta1 adam_beta2 optim_config optim_config.*",
    ),
    together("the schedule has no such setting", "lr_scheduler_type lr_scheduler_config lr_scheduler_config.*"),
    together("`bf16` and `fp16` decide", "bf16 fp16 pure_bf16"),
    together(
        "no adapter is trained",
        """
        stage finetuning_type lora_rank lora_alpha lora_dropout lora_target additional_target use_rslora use_dora
        pissa_init quantization_bit peft_config.name peft_config.r peft_config.lora_alpha peft_config.lora_dropout
        peft_config.target_modules quant_config quant_config.name quant_config.quantization_bit peft_config
        """,
    ),
    together(
        "nothing stops early without `early_stopping_steps`", "early_stopping_steps metric_for_best_model greater_is_better"
    ),
    together(
        "one GPU needs no sharding",
        """
        deepspeed fsdp fsdp_config fsdp_transformer_layer_cls_to_wrap dist_config.name dist_config.config_file
        ray_num_workers
        """,
    ),
    together("the default attention of the model", "flash_attn"),
    together("activations are kept", "disable_gradient_checkpointing enable_activation_checkpointing gradient_checkpointing"),
    together("checkpoints are written at the kind's own interval", "save_steps save_strategy save_epochs"),
    together("compiling is off", "torch_compile torch_compile_backend torch_compile_mode"),
    together("the held-out part is measured while it trains", "eval_strategy eval_steps evaluation_strategy"),
)

_MODEL = (
    together("the model as it is", "model_name_or_path model model_revision trust_remote_code add_tokens add_special_tokens"),
    together("the model's own template is used", "template"),
    nothing(
        "config.json of the model names its classes; its tokenizer is used as it is",
        "model_class use_fast_tokenizer split_special_tokens resize_vocab tool_format enable_thinking preserve_thinking",
    ),
    nothing(
        _LOADING,
        """
        low_cpu_mem_usage device_map compute_dtype model_max_length block_diag_attn offload_folder cache_dir infer_dtype
        quantization_device_map init_config.name init_config print_param_status upcast_layernorm upcast_lmhead_output
        """,
    ),
    refused(
        "the configuration of the model would be another one",
        "change config.json in a folder of your own and name it with `path`",
        "rope_scaling shift_attn mixture_of_depths moe_aux_loss_coef",
    ),
    refused(
        "new weights instead of the model's",
        "declare a model with `scratch: {...}` and train it in `pretrains`",
        "train_from_scratch",
    ),
    refused(
        "rows of new tokens begin in a way of their own",
        "name them in `add_tokens` of the model: their rows begin as the mean of the others",
        "new_special_tokens_config",
    ),
    nothing("rows of new tokens begin as the mean of the others", "init_special_tokens"),
    refused("a system message of its own for every example", "write it into the data", "default_system"),
    nothing(
        "a secret: it stays in the environment (`HF_TOKEN`)", "hf_hub_token ms_hub_token om_hub_token hub_token", secret=True
    ),
    nothing(
        _VISION,
        """
        image_max_pixels image_min_pixels image_do_pan_and_scan crop_to_patches video_max_pixels video_min_pixels
        video_fps video_maxlen use_audio_in_video audio_sampling_rate media_dir freeze_vision_tower
        freeze_multi_modal_projector
        """,
    ),
    refused(_VISION, "remove it", "freeze_language_model"),
)

_ADAPTER = (
    refused(
        "training goes on from an adapter",
        "declare the finetune that made it, and take it as `base`",
        "adapter_name_or_path adapter_folder create_new_adapter peft_config.adapter_name_or_path",
    ),
    nothing(
        "PiSSA is computed by peft in a few seconds, and taken back when the adapter is written",
        """
        pissa_iter pissa_convert
        """,
    ),
    nothing(
        "zyc quantizes to NF4 with double quantization, by bitsandbytes",
        "quantization_method quantization_type double_quantization",
    ),
    refused("another learning rate for some weights", "remove it", "loraplus_lr_ratio loraplus_lr_embedding"),
    refused(
        _NO_METHOD,
        "use `lora` or `full`",
        """
        freeze_trainable_layers freeze_trainable_modules freeze_extra_modules peft_config.freeze_trainable_layers
        peft_config.freeze_trainable_modules peft_config.freeze_extra_modules module_dropout oft_rank oft_block_size
        oft_target use_llama_pro use_kt kt_weight_path kt_expert_checkpoint_path kt_use_lora_experts kt_lora_expert_num
        kt_lora_expert_intermediate_size kt_config.*
        """,
    ),
    nothing(_EXPORT, "peft_config.export_dir peft_config.export_size peft_config.infer_dtype"),
)

_TRAINING = (
    refused(
        _NO_OPTIMIZER,
        "use AdamW, its 8-bit forms, Adafactor or SGD",
        """
        use_galore galore_target galore_rank galore_update_interval galore_scale galore_proj_type galore_layerwise
        use_apollo apollo_target apollo_rank apollo_update_interval apollo_scale apollo_proj apollo_proj_type
        apollo_scale_type apollo_layerwise apollo_scale_front use_badam badam_mode badam_start_block badam_switch_mode
        badam_switch_interval badam_update_ratio badam_mask_mode badam_verbose use_adam_mini use_muon
        """,
    ),
    together("nothing is aligned", "use_dft_loss"),
    refused(_NO_LOSS, "remove it", "use_asft_loss asft_alpha use_eaft_loss eaft_alpha mask_history"),
    refused(
        "training with rounded weights",
        "train in bf16 and quantize the result with a `quants` node",
        "fp8 fp8_enable_fsdp_float8_all_gather enable_qat",
        off="auto",
    ),
    nothing("`fp8` is off here", "fp8_backend"),
    nothing(
        _KERNELS,
        """
        enable_liger_kernel use_liger_kernel liger_kernel_config use_unsloth use_unsloth_gc use_v1_kernels tf32
        use_kv_cache use_cache
        """,
    ),
    nothing(
        _KERNELS,
        """
        kernel_config.name kernel_config.include_kernels kernel_config bias_activation_fusion apply_rope_fusion
        """,
    ),
    nothing(_KERNELS, "moe_grouped_gemm gradient_checkpointing_kwargs gradient_checkpointing_kwargs.* use_reentrant_gc"),
    nothing(
        _PARALLEL,
        """
        use_mca use_hyper_parallel hyper_parallel_args tensor_model_parallel_size pipeline_model_parallel_size
        expert_model_parallel_size sequence_parallel virtual_pipeline_model_parallel_size context_parallel_size
        moe_token_dispatcher_type recompute_granularity use_distributed_optimizer overlap_grad_reduce
        overlap_param_gather dist_config.cp_mode dist_config.cp_size parallelism_config parallelism_config.*
        """,
    ),
    nothing(
        _SHARDS,
        """
        fsdp_config.* ddp_timeout ddp_bucket_cap_mb ddp_broadcast_buffers ddp_find_unused_parameters ddp_backend
        ddp_static_graph accelerator_config accelerator_config.* dist_config.dcp_path dist_config.* dist_config
        full_determinism
        """,
    ),
    nothing(
        _LAUNCHER,
        """
        compute_environment debug distributed_type downcast_bf16 machine_rank main_training_function mixed_precision
        num_machines num_processes rdzv_backend same_network tpu_env tpu_use_cluster tpu_use_sudo use_cpu
        main_process_ip main_process_port local_rank ray_init_kwargs ray_init_kwargs.* master_addr master_port
        """,
    ),
    nothing(
        "how examples are put together and fetched, not which",
        """
        dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor
        dataloader_multiprocessing_context dataloader_in_order remove_unused_columns length_column_name
        auto_find_batch_size ignore_data_skip
        """,
    ),
    together("batches of like length are an engine setting", "group_by_length train_sampling_strategy"),
)

_DATA = (
    together(
        "the dataset has no use for it",
        "dataset dataset_dir train_dataset max_samples val_size train_on_prompt mix_strategy interleave_probs",
    ),
    refused(
        "a test set of its own",
        "put it into the same dataset as a `test` split, or measure it with an `evals` node",
        "eval_dataset",
    ),
    nothing(
        _PREPARING,
        """
        overwrite_cache preprocessing_batch_size preprocessing_num_workers streaming buffer_size tokenized_path
        data_shared_file_system ignore_pad_token_for_loss
        """,
    ),
)

_RL = (
    together(
        "nothing is aligned", "pref_beta pref_ftx pref_loss dpo_label_smoothing kto_chosen_weight kto_rejected_weight ld_alpha"
    ),
    refused(_NO_LOSS, "remove it", "pref_bco_weight", off="0 0.0"),
    refused("zyc has no `simpo`", "choose `sigmoid`, `hinge`, `ipo` or `orpo`", "simpo_gamma"),
    refused(
        "zyc has no PPO",
        "use `grpo` or `rloo` of `alignments`",
        """
        ppo_buffer_size ppo_epochs ppo_score_norm ppo_target ppo_whiten_rewards reward_model reward_model_adapters
        reward_model_quantization_bit reward_model_type
        """,
    ),
    refused(
        "another reference than the model that training starts from",
        "remove it: the reference is the base",
        "ref_model ref_model_adapters ref_model_quantization_bit",
    ),
)

_AROUND = (
    nothing(
        _STORE,
        """
        output_dir overwrite_output_dir save_total_limit save_only_model save_safetensors save_ckpt_as_hf
        save_on_each_node enable_jit_checkpoint restore_callback_states_from_checkpoint load_best_model_at_end
        """,
    ),
    refused(
        "training goes on from another run's checkpoint",
        "let zyc train it: it resumes what it began itself",
        "resume_from_checkpoint",
    ),
    nothing(
        _LOGS,
        """
        logging_steps logging_strategy logging_first_step logging_nan_inf_filter logging_dir log_level log_level_replica
        log_on_each_node disable_tqdm plot_loss include_num_input_tokens_seen include_tokens_per_second
        include_effective_tokens_per_second skip_memory_metrics enable_torch_profiler profiler_output_dir
        profiler_wait_steps profiler_warmup_steps profiler_active_steps profiler_repeat profiler_record_shapes
        profiler_profile_memory profiler_with_stack profile_modules
        """,
    ),
    together("no tracker is named", "report_to run_name project use_swanlab"),
    nothing(
        "`placement.trackers` names the project; the rest is the tracker's own environment",
        "trackio_space_id trackio_bucket_id trackio_static_space_id",
    ),
    nothing(_NO_TRACKER, "swanlab_project swanlab_workspace swanlab_run_name swanlab_mode swanlab_logdir"),
    nothing(
        "a secret: it stays in the environment",
        """
        swanlab_api_key swanlab_lark_webhook_url swanlab_lark_secret
        """,
        secret=True,
    ),
    nothing(
        _EVALUATING,
        """
        do_train do_eval do_predict per_device_eval_batch_size eval_on_each_dataset eval_on_start eval_delay
        eval_accumulation_steps eval_do_concat_batches eval_use_gather_object eval_num_beams batch_eval_metrics
        include_for_metrics prediction_loss_only predict_with_generate compute_accuracy label_names task task_dir
        batch_size lang n_shot save_dir download_mode bf16_full_eval fp16_full_eval
        """,
    ),
    nothing(
        _SAMPLING,
        """
        do_sample temperature top_p top_k num_beams max_length max_new_tokens repetition_penalty length_penalty
        skip_special_tokens sample_backend infer_backend vllm_maxlen vllm_gpu_util vllm_enforce_eager vllm_max_lora_rank
        vllm_config vllm_config.* sglang_maxlen sglang_mem_fraction sglang_tp_size sglang_config sglang_config.*
        sglang_lora_backend
        """,
    ),
    nothing(
        _EXPORT,
        """
        export_dir export_size export_device export_quantization_bit export_quantization_dataset
        export_quantization_nsamples export_quantization_maxlen export_legacy_format export_hub_model_id push_to_hub
        hub_model_id hub_private_repo hub_strategy hub_always_push hub_revision
        """,
    ),
)

KEYS = table(*_SETTINGS, *_MODEL, *_ADAPTER, *_TRAINING, *_DATA, *_RL, *_AROUND)
