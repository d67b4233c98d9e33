"""Every key of torchtune's YAML and what becomes of it; what a component takes is a key of its group."""

from __future__ import annotations

from zyc.importers import values
from zyc.importers.rules import becomes, nothing, refused, table, together

_STORE = "results are kept in the store under the key of what made them"
_LOGS = "every step is written to events.jsonl, and `zyc logs` shows it"
_NOT_TRAINING = "of a recipe that trains nothing: `evals`, `quants` and `prompts` say it here"
_PLACE = "how the model gets into memory: the script sees to it"
_TEACHER = "of a distillation: write it as a node of `distillations`"
_PPO = "of a recipe that zyc does not have: use `grpo` or `rloo` of `alignments`"
_LOADER = "how examples are fetched, not which"

_SETTINGS = (
    becomes("train.learning_rate", "optimizer.lr", values.number),
    becomes("engine.adam_epsilon", "optimizer.eps", values.number),
    becomes("lora.dropout", "model.lora_dropout", values.number),
    together("the defaults of the kind stand", "seed shuffle"),
    together(
        "one number of examples a step is made of these", "batch_size gradient_accumulation_steps epochs max_steps_per_epoch"
    ),
    together(
        "the optimizer has no such setting",
        "optimizer._component_ optimizer.weight_decay optimizer.betas optimizer.fused optimizer",
    ),
    together(
        "the schedule has no such setting",
        "lr_scheduler._component_ lr_scheduler.num_warmup_steps lr_scheduler.num_cycles lr_scheduler",
    ),
    together("bf16 and fp32 are what there is", "dtype"),
    together(
        "no adapter is trained",
        """
        model model._component_ model.lora_attn_modules model.apply_lora_to_mlp model.apply_lora_to_output
        model.lora_rank model.lora_alpha model.quantize_base model.use_dora
        """,
    ),
    together(
        "one GPU needs no sharding",
        "device fsdp_cpu_offload fsdp.cpu_offload data_parallel_shard_dim data_parallel_replicate_dim",
    ),
    together("nothing is recomputed", "enable_activation_checkpointing"),
    together("compiling is off", "compile"),
    together("no bound on the gradients", "clip_grad_norm"),
    together("the loss of the method", "loss._component_ loss.beta loss.label_smoothing loss"),
)

_MODEL = (
    together(
        "the model as it is",
        "checkpointer._component_ checkpointer.checkpoint_dir checkpointer.adapter_checkpoint checkpointer.recipe_checkpoint",
    ),
    nothing(
        "the folder of a model names its files",
        """
        checkpointer.checkpoint_files checkpointer.checkpoint_files.filename_format
        checkpointer.checkpoint_files.max_filename checkpointer.model_type checkpointer.safe_serialization
        checkpointer.should_load_recipe_state checkpointer.enable_async_checkpointing
        checkpointer.keep_last_n_checkpoints checkpointer
        """,
    ),
    nothing(_STORE, "checkpointer.output_dir"),
    nothing(
        "the tokenizer of the model is used as it is",
        """
        tokenizer._component_ tokenizer.path tokenizer.merges_file tokenizer.merges_path tokenizer.vocab_path
        tokenizer.special_tokens_path tokenizer
        """,
    ),
    together("rows are cut at `context`", "tokenizer.max_seq_len"),
    refused(
        "a wording of its own round each message",
        "let the chat template of the model word it",
        """
        tokenizer.prompt_template
        """,
    ),
    refused(
        "a model of images",
        "zyc trains language models only",
        """
        tokenizer.image_size model.image_size model.decoder_trainable model.encoder_trainable model.fusion_trainable
        collate_fn model.max_num_tiles tokenizer.max_num_tiles
        """,
    ),
    refused("the model would have another shape", "name the model as it is", "model.*"),
)

_DATA = (
    together(
        "the dataset has no use for it",
        """
        dataset dataset._component_ dataset.source dataset.split dataset.train_on_input dataset.packed dataset.column
        dataset.column_map dataset.conversation_column dataset.conversation_style dataset.subset dataset.name
        dataset.data_files dataset.add_eos dataset.max_seq_len dataset.split_across_pack dataset.new_system_prompt
        dataset.data_dir
        """,
    ),
    refused(
        "rows would be left out by a function",
        "use `clean` of the dataset",
        """
        dataset.filter_fn dataset.filter_kwargs dataset.*
        """,
    ),
    refused(
        "several datasets by a loader of its own",
        "write one `dataset`, or the mixture as a node of `datasets`",
        """
        datasets[].source datasets[].subset datasets[].split datasets[].transform._component_ datasets[].weight
        datasets[].* datasets
        """,
    ),
    nothing(
        _LOADER,
        """
        dataloader.collate_fn dataloader.num_workers dataloader.packed dataloader.parallel_method dataloader.pin_memory
        dataloader.prefetch_factor dataloader.shuffle dataloader.drop_last dataloader packed
        """,
    ),
)

_AROUND = (
    nothing(_STORE, "output_dir save_adapter_weights_only save_last_epoch_only epochs_to_keep keep_last_n_checkpoints"),
    refused(
        "training goes on from another run's checkpoint",
        "let zyc train it: it resumes what it began itself",
        "resume_from_checkpoint",
    ),
    nothing(_LOGS, "log_every_n_steps log_peak_memory_stats log_level"),
    together(
        "no tracker is named", "metric_logger metric_logger._component_ metric_logger.project metric_logger.experiment_name"
    ),
    nothing("`placement.trackers` names the project; the rest is the tracker's own environment", "metric_logger.*"),
    nothing(_LOGS, "profiler profiler.*"),
    nothing(
        "how activations and optimizer states are kept, not what is learned",
        "enable_activation_offloading ac_mode ac_option optimizer_in_bwd low_cpu_ram memory_efficient_fsdp_wrap",
    ),
    nothing(
        "how the weights are spread, not what is learned: `placement.sharding` says which way",
        """
        custom_sharded_layers tensor_parallel_dim tensor_parallel_plan._component_ tensor_parallel_plan
        context_parallel_dim fsdp_reshard_after_forward fsdp fsdp_sharding_strategy
        """,
    ),
    refused(
        "training with rounded weights",
        "train in bf16 and quantize the result with a `quants` node",
        "quantizer quantizer.* fake_quant_after_n_steps",
    ),
    refused(
        _TEACHER,
        "`{student: BASE, teachers: {TEACHER: 100%}, mode: logits}`",
        "teacher_model teacher_model.* teacher_checkpointer teacher_checkpointer.* kd_loss kd_loss.* kd_ratio",
    ),
    refused(
        _PPO,
        "declare an alignment",
        """
        policy_model policy_model.* reward_and_value_model reward_and_value_model.* ref_policy_checkpointer
        ref_policy_checkpointer.* reward_checkpointer reward_checkpointer.* value_checkpointer value_checkpointer.*
        ppo_batch_size ppo_epochs forward_batch_size gamma lmbda kl_coeff penalise_no_eos reward_penalty
        min_response_length num_steps whiten_rewards loss.epsilon loss.value_clip_range loss.value_coeff stop_token_ids
        grpo_samples grpo_size max_generated_tokens_grpo
        """,
    ),
    nothing("the reference is the base", "ref_checkpointer ref_checkpointer.*"),
    nothing(
        _NOT_TRAINING,
        """
        tasks limit prompt prompt.* prompt.user.* max_new_tokens max_generated_tokens temperature top_k top_p
        enable_kv_cache max_seq_length chat_format
        """,
    ),
    refused("another loss", "remove it", "loss.*"),
    refused("the optimizer has no such setting here", "remove it", "optimizer.* lr_scheduler.*"),
    nothing("the folder of a model names its files", "checkpointer.*"),
    nothing("the tokenizer of the model is used as it is", "tokenizer.*"),
    nothing("further settings of the machine", "device_type world_size num_output_chunks base_model"),
)

KEYS = table(*_SETTINGS, *_MODEL, *_DATA, *_AROUND)
