"""Axolotl's YAML: one training each, with its model and its datasets."""

from __future__ import annotations

import re
from collections.abc import Callable

from zyc.importers import training, values
from zyc.importers.axolotl_alignment import alignment
from zyc.importers.axolotl_data import datasets
from zyc.importers.axolotl_keys import KEYS
from zyc.importers.draft import Node
from zyc.importers.values import ON, Plain
from zyc.importers.work import Work
from zyc.source import Value

TABLE = KEYS
MARKS = ("base_model", "micro_batch_size", "sequence_len", "datasets", "num_epochs", "adapter", "sample_packing")
_LAYER = re.compile(r"^(self_attn|mlp|attn)\.")  # of a layer of the usual shape, the last word says which
_TEMPLATES = {  # theirs -> ours; others are the model's own
    "chatml": "chatml",
    "llama3": "llama3",
    "mistral_v1": "mistral-v0.1",
    "mistral_v2v3": "mistral",
    "gemma": "gemma",
    "gemma3": "gemma3",
    "phi_3": "phi3",
    "phi_35": "phi3.5",
    "qwen_25": "qwen",
}
_INITS = {"true": "default", "gaussian": "gaussian", "orthogonal": "orthogonal", "pissa": "pissa", "olora": "olora"}
_PLUGINS = (
    "cut_cross_entropy",
    "liger",
    "kernels",
    "swanlab",
    "expert_parallel",
    "spectrum",
    "llm_compressor",
    "lm_eval",
    "diffusion",
    "kd",
)


def convert(work: Work) -> None:
    """The file becomes a model, its datasets, and a finetune, a pretrain or an alignment."""
    given = work.given
    node = work.start(_section(work))
    base = training.model(work, "base_model", revision="revision_of_model", trust="trust_remote_code")
    if base is None:
        work.draft.main = None
        return
    _tokens(work, base)
    _template(work, base)
    work.put(node, "model" if node.section == "pretrains" else "base", Plain(base.name), "base_model")
    _method(work, node)
    alignment(work, node)
    datasets(work, node)
    training.speaking(work, base, "base_model")
    work.put(node, "context", given.integer("sequence_len", 512), "sequence_len")
    _placement(work, node)
    training.batch(work, node, "micro_batch_size", "gradient_accumulation_steps", context="sequence_len", whole="batch_size")
    training.length(work, node, "num_epochs", "max_steps")
    _pace(work, node)
    _packing(work, node)
    training.seed(work, node, "seed", 42)
    _trackers(work, node)
    _plugins(work)


def _section(work: Work) -> str:
    given = work.given
    if given.on("process_reward_model"):
        given.refuse(
            "process_reward_model",
            "zyc trains no rewards of single steps",
            "train one of whole answers: `reward_model: true`",
            whole=True,
        )
    if given.on("reward_model") or given.on("rl"):
        return "alignments"
    texts = given.items("pretraining_dataset") or "pretraining_dataset" in given
    return "pretrains" if texts and not given.on("adapter") else "finetunes"


def _tokens(work: Work, base: Node) -> None:
    given = work.given
    added = given.words("tokens") + given.words("special_tokens.additional_special_tokens")
    if added:
        work.put(base, "add_tokens", added, "tokens", "special_tokens.additional_special_tokens")


def _template(work: Work, base: Node) -> None:
    """The template of the model, or another that the file names."""
    given = work.given
    word = given.text("chat_template")
    file = given.text("chat_template_jinja")
    ends = (*given.words("eot_tokens"), *given.words("special_tokens.eos_token"))
    if file and work.asked.beside(file) is not None and ends:
        work.put(base, "chat_template", work.asked.placed(file), "chat_template_jinja", "chat_template")
        work.put(base, "end_of_turn", ends[0], "eot_tokens" if "eot_tokens" in given else "special_tokens.eos_token")
    elif file:
        why = "a template of your own is a file of the project, and says what ends a turn"
        given.refuse("chat_template_jinja", why, "put it into a file, and write `eot_tokens: [TOKEN]`")
    elif word in _TEMPLATES and not work.asked.template:
        work.put(base, "chat_template", _TEMPLATES[word], "chat_template")
    else:
        given.drop("chat_template", "the model's own template is used")
    for key in given.under("special_tokens"):
        if key not in given.rows:
            pad = key.endswith("pad_token")
            given.drop(
                key, "padding is masked" if pad else "the tokenizer's own tokens stay; `add_tokens` of a model adds others"
            )


# --- what is trained, and how fast it learns ---


def _method(work: Work, node: Node) -> None:
    given = work.given
    word = given.text("adapter").lower() if given.on("adapter") else ""
    four = given.on("load_in_4bit")
    if word not in ("", "lora", "qlora"):
        given.refuse("adapter", f"zyc trains no `{word}`", "choose `lora` or `qlora`, or none to train all weights")
        return
    if node.section == "pretrains":
        return
    ours = "full" if not word else "qlora" if word == "qlora" or four else "dora" if given.on("peft_use_dora") else "lora"
    if ours == "qlora" and given.on("peft_use_dora"):
        given.refuse("peft_use_dora", "a method is `qlora` or `dora`, not both", "choose one")
    training.method(work, node, ours, "adapter", "load_in_4bit", "peft_use_dora")
    if "adapter" not in given:
        given.drop("adapter", "empty: all weights are trained")
    if not word and four:
        given.refuse(
            "load_in_4bit", "without an adapter all weights are trained, and those cannot be rounded", "write `adapter: qlora`"
        )
    if given.on("load_in_8bit"):
        given.drop(
            "load_in_8bit", "the base stays in bf16: no rounding, and twice the memory for it; `method: qlora` takes a quarter"
        )
    if word:
        _lora(work, node)


def _lora(work: Work, node: Node) -> None:
    given = work.given
    told: tuple[tuple[str, str, Callable[[Value], object]], ...] = (
        ("lora_r", "lora.rank", values.integer),
        ("lora_alpha", "lora.alpha", values.number),
        ("lora_dropout", "lora.dropout", values.number),
        ("lora_modules_to_save", "lora.modules_to_save", values.words),
        ("peft_use_rslora", "lora.rslora", values.flag),
        ("peft_init_lora_weights", "lora.init", values.choice(**_INITS)),
    )
    for key, field, how in told:
        work.move(node, field, key, how)
    if given.flag("lora_target_linear"):
        work.put(node, "lora.targets", "all-linear", "lora_target_linear")
        given.drop("lora_target_modules", "`lora_target_linear` takes all of them")
        return
    given.drop("lora_target_linear", "`lora_target_modules` names them")
    names = [_LAYER.sub("", each) for each in given.words("lora_target_modules")]
    if any(re.search(r"[\[\]()|*+?^$\\]", each) for each in names):
        given.refuse(
            "lora_target_modules",
            "a pattern for the names of layers",
            "list the names: `[q_proj, v_proj]`, or `lora_target_linear: true`",
        )
    elif names:
        training.targets(work, node, names, "lora_target_modules")
    else:
        given.refuse("adapter", "it names no layer that the adapter changes", "write `lora_target_linear: true`")


def _pace(work: Work, node: Node) -> None:
    given = work.given
    training.optimizer(work, node, "optimizer", "adamw_torch_fused")
    training.decay(work, node, "weight_decay", "0.0")
    training.betas(work, node, "adam_beta1", "adam_beta2")
    if given.on("tf32") and given.text("tf32") != "auto" and node.section != "pretrains":
        work.put(node, "engine.tf32", ON, "tf32")
    work.move(node, "engine.optim_args", "optim_args", _as_arguments)
    work.move(node, "engine.optim_target_modules", "optim_target_modules")
    training.schedule(work, node, "lr_scheduler", "cosine")
    if given.amount("cosine_min_lr_ratio", 0.0) > 0:
        given.refuse("cosine_min_lr_ratio", "a cosine ends at zero here", "remove it, or choose `linear` or `constant`")
    work.move(node, "engine.lr_scheduler_kwargs", "lr_scheduler_kwargs")
    flat = given.text("lr_scheduler") == "constant"
    training.warmup(
        work,
        node,
        "warmup_ratio",
        "warmup_steps",
        default=0.03,
        total=work.asked.steps or max(0, given.integer("max_steps", 0)),
        flat=flat,
    )
    _precision(work, node)
    _tests(work, node)
    if given.on("early_stopping_patience"):
        work.move(node, work.fitting(node, "train.early_stop.patience"), "early_stopping_patience", values.integer)


def _tests(work: Work, node: Node) -> None:
    """How often the held-out rows are measured: so many times an epoch, or every so many steps."""
    given = work.given
    steps = work.asked.steps or max(0, given.integer("max_steps", 0))
    every = given.amount("eval_steps", 0.0)
    if given.amount("val_set_size", 0.0) <= 0:
        return
    if given.amount("evals_per_epoch", 0.0) > 0 and "max_steps" not in given:
        training.tests(work, node, given.amount("evals_per_epoch", 1.0) * given.amount("num_epochs", 1.0), "evals_per_epoch")
    elif 0 < every < 1:
        training.tests(work, node, 1 / every, "eval_steps")
    elif every >= 1 and steps:
        training.tests(work, node, steps / every, "eval_steps")


def _as_arguments(value: Value) -> str:
    found = values.plainly(value)
    if isinstance(found, dict):
        return ",".join(f"{key}={each}" for key, each in found.items())
    return str(found)


def _precision(work: Work, node: Node) -> None:
    given = work.given
    brain = given.text("bf16", "auto").lower()
    keys = ("bf16", "fp16", "bfloat16", "float16", "torch_dtype")
    if given.on("bf16") or given.on("bfloat16"):
        ours, by = "bf16", "bf16" if given.on("bf16") else "bfloat16"
    elif given.on("fp16") or given.on("float16"):
        ours, by = "fp16", "fp16" if given.on("fp16") else "float16"
    elif "bf16" in given:
        ours, by = "fp32", "bf16"
    else:
        ours, by = "bf16", "bf16"
    why = "`auto`: bf16 where it is written down; a device that lacks it is named by `zyc plan`" if brain == "auto" else ""
    work.put(node, work.fitting(node, "train.precision"), ours, by, why=why)
    for key in (*keys, "float32"):
        if key in given.leaves and key not in given.rows:
            given.drop(key, f"`{by}` decides")


def _packing(work: Work, node: Node) -> None:
    given = work.given
    if node.section in ("finetunes", "pretrains"):
        work.put(node, "packing", given.flag("sample_packing"), "sample_packing")
    for key, strategy in (("group_by_length", "group_by_length"), ("curriculum_sampling", "sequential")):
        if given.on(key):
            work.put(node, "engine.train_sampling_strategy", strategy, key)
    work.move(node, "engine.dataloader_drop_last", "dataloader_drop_last", values.flag)
    if "excess_length_strategy" in given and given.text("excess_length_strategy") != "drop":
        given.drop(
            "excess_length_strategy", "rows that are too long are cut; those that are masked whole are dropped, counted and told"
        )


# --- where it runs ---


def _placement(work: Work, node: Node) -> None:
    given = work.given
    shards = given.integer("dp_shard_size", 0)
    copies = given.integer("dp_replicate_size", 1)
    counted = shards * copies if shards > 1 or copies > 1 else given.integer("ray_num_workers", 0) if given.on("use_ray") else 0
    ours, by = _sharding(work)
    if ours == "none" and shards > 1:
        ours, by = "fsdp2", "dp_shard_size"
    training.gpus(work, node, ours, by, counted=counted, keys=("dp_shard_size", "dp_replicate_size", "ray_num_workers"))
    for key in ("fsdp_config", "fsdp_version", "use_ray", "ddp"):
        if key in given.leaves and key not in given.rows and by and key != by:
            given.drop(key, f"`{by}` says how it shards")
    _recomputing(work, node)
    name = next((key for key in _ATTENTIONS if given.on(key)), "")
    if "attn_implementation" in given:
        training.attention(work, node, "attn_implementation")
    elif name:
        work.put(node, "placement.attention", _ATTENTIONS[name], name) if _ATTENTIONS[name] else given.drop(
            name, "how fast, not what: the default attention of the model"
        )
    if given.on("torch_compile"):
        work.put(node, "placement.compile", ON, "torch_compile")
    if "save_steps" in given:
        training.steps_per_checkpoint(work, node, "save_steps")


_ATTENTIONS = {
    "flash_attention": "flash_attention_2",
    "sdp_attention": "sdpa",
    "eager_attention": "eager",
    "flex_attention": "flex_attention",
    "xformers_attention": "",
    "sage_attention": "",
    "s2_attention": "",
}


def _sharding(work: Work) -> tuple[str, str]:
    """How it shards, and by which key."""
    given = work.given
    if given.on("deepspeed"):
        return training.stage_of(work, "deepspeed") or "none", "deepspeed"
    if given.on("fsdp") or given.on("fsdp_config") or any(given.on(key) for key in given.under("fsdp_config")):
        by = "fsdp" if given.on("fsdp") else "fsdp_version" if given.on("fsdp_version") else ""
        return "fsdp2", by or next(iter(given.under("fsdp_config")), "fsdp_config")
    return ("ddp", "ddp") if given.on("ddp") else ("none", "")


def _recomputing(work: Work, node: Node) -> None:
    given = work.given
    by = next((key for key in ("gradient_checkpointing", "fsdp_config.activation_checkpointing") if given.on(key)), "")
    work.put(node, "placement.activation_checkpointing", bool(by), by or "gradient_checkpointing")
    given.drop("gradient_checkpointing_kwargs", "the form without reentry is what the libraries recommend")
    for key in given.under("gradient_checkpointing_kwargs"):
        given.drop(key, "the form without reentry is what the libraries recommend")


def _trackers(work: Work, node: Node) -> None:
    given = work.given
    if ("wandb_project" in given and "use_wandb" not in given) or given.on("use_wandb"):
        work.put(node, "placement.trackers.wandb", given.text("wandb_project") or "zyc", "wandb_project", "use_wandb")
    if given.on("use_mlflow") or "mlflow_experiment_name" in given:
        work.put(
            node,
            "placement.trackers.mlflow",
            given.text("mlflow_experiment_name") or "zyc",
            "mlflow_experiment_name",
            "use_mlflow",
        )
    if given.on("use_trackio") or "trackio_project_name" in given:
        work.put(
            node, "placement.trackers.trackio", given.text("trackio_project_name") or "zyc", "trackio_project_name", "use_trackio"
        )
    if given.on("use_tensorboard"):
        work.put(node, "placement.trackers.tensorboard", ON, "use_tensorboard")


def _plugins(work: Work) -> None:
    given = work.given
    unknown = [each for each in given.words("plugins") if not any(f".{known}." in each for known in _PLUGINS)]
    if unknown:
        given.refuse("plugins", f"zyc knows nothing of `{unknown[0]}`", "remove it, or write what it does as a step")
