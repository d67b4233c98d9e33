"""LLaMA-Factory's YAML, both of its forms: one training each, with its model and the datasets of its dataset_info.json."""

from __future__ import annotations

from zyc.importers import training, values
from zyc.importers.draft import Node
from zyc.importers.llamafactory_data import datasets
from zyc.importers.llamafactory_keys import KEYS
from zyc.importers.values import ON, Plain
from zyc.importers.work import Work

TABLE = KEYS
MARKS = (
    "model_name_or_path",
    "stage",
    "finetuning_type",
    "template",
    "cutoff_len",
    "per_device_train_batch_size",
    "model_class",
    "train_dataset",
)
_STAGES = {"pt": "pretrains", "sft": "finetunes", "dpo": "alignments", "kto": "alignments", "rm": "alignments"}
_LOSSES = {"sigmoid": "sigmoid", "hinge": "hinge", "ipo": "ipo"}
# of each method, the keys that are settings of the engine under another name
ENGINE = {
    "dpo": {"dpo_label_smoothing": "label_smoothing", "ld_alpha": "ld_alpha"},
    "kto": {"kto_chosen_weight": "desirable_weight", "kto_rejected_weight": "undesirable_weight"},
}


def convert(work: Work) -> None:
    """The file becomes a model, its datasets, and a finetune, a pretrain or an alignment."""
    given = work.given
    new = "model" in given
    stage = given.text("stage", "sft")
    if stage not in _STAGES:
        given.refuse(
            "stage",
            f"zyc has no `{stage}`",
            "choose `pt`, `sft`, `rm`, `dpo` or `kto`; `grpo` and `rloo` are methods of `alignments`",
            whole=True,
        )
    node = work.start(_STAGES.get(stage, "finetunes"))
    base = training.model(
        work, "model" if new else "model_name_or_path", revision="" if new else "model_revision", trust="trust_remote_code"
    )
    if base is None:
        work.draft.main = None
        return
    if given.text("model_revision") == "main":
        base.fields.pop("revision", None)
        given.drop("model_revision", "the newest; `zyc.lock` pins it")
    added = given.comma_words("add_tokens") + given.comma_words("add_special_tokens")
    if added:
        work.put(base, "add_tokens", added, "add_tokens", "add_special_tokens")
    work.put(node, "model" if node.section == "pretrains" else "base", Plain(base.name), "model" if new else "model_name_or_path")
    given.drop("template", "the model's own template is used")
    _stage(work, node, stage)
    _method(work, node)
    datasets(work, node)
    training.speaking(work, base, "model" if new else "model_name_or_path")
    work.put(node, "context", given.integer("cutoff_len", 2048), "cutoff_len")
    _placement(work, node)
    _batch(work, node, new=new)
    training.length(work, node, "num_train_epochs", "max_steps", default="3")
    _pace(work, node)
    _packing(work, node)
    training.seed(work, node, "seed", 42)
    if "data_seed" in given:
        given.drop("data_seed", "one seed decides the order, too")
    _trackers(work, node)


def _stage(work: Work, node: Node, stage: str) -> None:
    given = work.given
    if node.section != "alignments":
        given.becomes("stage", node.section)
        if given.on("use_dft_loss"):
            work.put(node, "engine.loss_type", "dft", "use_dft_loss")
        return
    loss = given.text("pref_loss", "sigmoid")
    if stage == "dpo" and loss not in (*_LOSSES, "orpo"):
        given.refuse("pref_loss", f"zyc has no `{loss}`", "choose `sigmoid`, `hinge`, `ipo` or `orpo`", whole=True)
    method = "reward" if stage == "rm" else "orpo" if stage == "dpo" and loss == "orpo" else stage
    work.put(node, "method", method, "stage", *(("pref_loss",) if method == "orpo" else ()))
    if method != "reward":
        work.put(node, "beta", given.read("pref_beta", values.number, Plain("0.1")), "pref_beta")
    _preference(work, node, loss if method == "dpo" else "")
    for key, name in ENGINE.get(method, {}).items():
        work.move(node, f"engine.{name}", key, values.number)


def _preference(work: Work, node: Node, loss: str) -> None:
    """The loss of DPO, with a part of the plain one where the file has it."""
    given = work.given
    share = given.read("pref_ftx", values.number, Plain("0"))
    if float(share) > 0 and loss:
        work.put(node, "loss", {loss: 1, "sft": share}, "pref_loss", "pref_ftx")
    elif loss:
        work.put(node, "loss", loss, "pref_loss")


def _method(work: Work, node: Node) -> None:
    given = work.given
    by = "peft_config.name" if "peft_config.name" in given else "finetuning_type"
    new = "model" in given
    word = given.text(by, "full" if new else "lora")
    if word not in ("lora", "full"):
        given.refuse(by, f"zyc has no `{word}`", "choose `lora` or `full`")
        return
    bits = next((key for key in ("quantization_bit", "quant_config.quantization_bit") if key in given), "")
    four = bool(bits) and given.integer(bits, 4) == 4
    if bits and not four:
        given.drop(bits, "the base stays in bf16: no rounding, and more memory for it; `method: qlora` takes a quarter")
    elif bits and word == "full":
        given.refuse(bits, "all weights are trained, and those cannot be rounded", "write `finetuning_type: lora`")
    ours = "full" if word == "full" else "qlora" if four else "dora" if given.on("use_dora") else "lora"
    if node.section == "pretrains":
        if ours != "full":
            given.refuse(
                by,
                "a pretraining changes all weights",
                "write `finetuning_type: full`; or `stage: sft` on texts, with an adapter",
            )
        else:
            given.becomes(by, "pretrains", "all weights")
        return
    training.method(work, node, ours, by, bits, "use_dora")
    for key in ("quant_config.name", "quantization_method"):
        given.drop(key, "zyc quantizes by bitsandbytes")
    if ours != "full":
        _lora(work, node)


def _lora(work: Work, node: Node) -> None:
    given = work.given
    rank = "peft_config.r" if "peft_config.r" in given else "lora_rank"
    alpha = "peft_config.lora_alpha" if "peft_config.lora_alpha" in given else "lora_alpha"
    drop = "peft_config.lora_dropout" if "peft_config.lora_dropout" in given else "lora_dropout"
    target = "peft_config.target_modules" if "peft_config.target_modules" in given else "lora_target"
    width = given.integer(rank, 8)
    work.put(node, "lora.rank", width, rank)
    work.put(node, "lora.alpha", given.read(alpha, values.number, Plain(str(2 * width))), alpha, why="twice the rank")
    work.move(node, "lora.dropout", drop, values.number)
    names = given.comma_words(target) or ["all"]
    training.targets(work, node, ["all-linear"] if names == ["all"] else names, target)
    if given.on("use_rslora"):
        work.put(node, "lora.rslora", ON, "use_rslora")
    if given.on("pissa_init"):
        work.put(node, "lora.init", "pissa", "pissa_init")
    work.move(node, "lora.modules_to_save", "additional_target", values.comma_words)


# --- how it learns, and where ---


def _batch(work: Work, node: Node, *, new: bool) -> None:
    given = work.given
    if not new:
        training.batch(work, node, "per_device_train_batch_size", "gradient_accumulation_steps", context="cutoff_len", default=8)
        return
    one = given.integer("micro_batch_size", 1)
    total = given.integer("global_batch_size", one * training.processes(work))
    work.put(node, "train.batch", total, "global_batch_size" if "global_batch_size" in given else "micro_batch_size")
    work.put(node, "placement.micro_batch", one, "micro_batch_size")


def _pace(work: Work, node: Node) -> None:
    given = work.given
    if "optim_config.name" in given:
        training.optimizer(work, node, "optim_config.name", "adamw_torch")
    else:
        training.optimizer(work, node, "optim", "adamw_torch")
    rate = given.read("learning_rate", values.number, Plain("5e-5"))
    work.put(node, work.fitting(node, "train.learning_rate"), rate, "learning_rate")
    training.decay(work, node, "weight_decay", "0.0")
    training.betas(work, node, "adam_beta1", "adam_beta2")
    work.move(node, "engine.optim_args", "optim_args", values.text)
    work.move(node, "engine.optim_target_modules", "optim_target_modules")
    training.schedule(work, node, "lr_scheduler_type", "linear")
    training.warmup(
        work,
        node,
        "warmup_ratio",
        "warmup_steps",
        total=work.asked.steps or max(0, given.integer("max_steps", 0)),
        flat=given.text("lr_scheduler_type") == "constant",
    )
    if given.on("pure_bf16") or given.on("bf16"):
        by = "pure_bf16" if given.on("pure_bf16") else "bf16"
        why = "the weights of an adapter stay in fp32" if by == "pure_bf16" else ""
        work.put(node, work.fitting(node, "train.precision"), "bf16", by, why=why)
    elif given.on("fp16"):
        work.put(node, work.fitting(node, "train.precision"), "fp16", "fp16")
    else:
        work.put(node, work.fitting(node, "train.precision"), "bf16" if "model" in given else "fp32", "bf16")
    if given.on("early_stopping_steps"):
        work.move(node, work.fitting(node, "train.early_stop.patience"), "early_stopping_steps", values.integer)
    if "eval_steps" in given and given.amount("eval_steps", 0) >= 1 and given.integer("max_steps", -1) > 0:
        training.tests(work, node, given.integer("max_steps", 1) / given.amount("eval_steps", 1), "eval_steps")


def _packing(work: Work, node: Node) -> None:
    given = work.given
    if node.section == "alignments":
        return
    way = given.text("batching_strategy", "normal")
    packed = given.on("packing") or given.on("neat_packing") or way == "dynamic_batching" or node.section == "pretrains"
    keys = [key for key in ("packing", "neat_packing", "batching_strategy") if given.on(key)]
    if way in ("padding_free", "dynamic_padding_free"):
        given.drop("batching_strategy", "how rows are laid beside each other, not which: zyc pads, or packs with `packing`")
    work.put(node, "packing", packed, *keys, why="each row is blind to the others" if packed else "")
    if given.on("disable_shuffling"):
        work.put(node, "engine.train_sampling_strategy", "sequential", "disable_shuffling")
    elif given.on("group_by_length"):
        work.put(node, "engine.train_sampling_strategy", "group_by_length", "group_by_length")
    elif "train_sampling_strategy" in given:
        work.move(node, "engine.train_sampling_strategy", "train_sampling_strategy", values.text)


def _placement(work: Work, node: Node) -> None:
    given = work.given
    name = given.text("dist_config.name")
    ours, by = "none", ""
    if given.on("deepspeed"):
        ours, by = training.stage_of(work, "deepspeed") or "none", "deepspeed"
    elif name == "deepspeed":
        ours, by = training.stage_of(work, "dist_config.config_file") or "none", "dist_config.name"
    elif name.startswith("fsdp") or given.on("fsdp"):
        ours, by = "fsdp2", "dist_config.name" if name else "fsdp"
    elif name:
        given.refuse("dist_config.name", f"zyc does not spread by `{name}`", "choose `fsdp2` or `deepspeed`")
    training.gpus(work, node, ours, by, counted=given.integer("ray_num_workers", 0), keys=("ray_num_workers",))
    if name and by == "dist_config.name" and name == "deepspeed":
        given.becomes("dist_config.config_file", "placement.sharding")
    off = given.on("disable_gradient_checkpointing")
    new = "model" in given
    keys = ("enable_activation_checkpointing",) if new else ("disable_gradient_checkpointing", "gradient_checkpointing")
    on = given.flag("enable_activation_checkpointing", default=True) if new else not off
    work.put(node, "placement.activation_checkpointing", on, *keys)
    if "flash_attn" in given:
        training.attention(work, node, "flash_attn")
    if given.on("torch_compile"):
        work.put(node, "placement.compile", ON, "torch_compile")
    if "save_steps" in given:
        training.steps_per_checkpoint(work, node, "save_steps")


def _trackers(work: Work, node: Node) -> None:
    given = work.given
    names = [each for each in given.words("report_to") if each not in ("none", "[]")]
    for name in names:
        if name in ("wandb", "mlflow", "trackio"):
            work.put(node, f"placement.trackers.{name}", given.text("project") or "zyc", "report_to")
        elif name == "tensorboard":
            work.put(node, "placement.trackers.tensorboard", ON, "report_to")
        else:
            given.refuse("report_to", f"zyc has no tracker `{name}`", "choose `wandb`, `mlflow`, `tensorboard` or `trackio`")
    if not names:
        given.drop("report_to", "no tracker: the numbers are in the step's own folder")
    for key in ("run_name", "project"):
        given.drop(key, "a run is named by its node")
    if given.on("use_swanlab"):
        given.refuse("use_swanlab", "zyc has no such tracker", "use W&B, MLflow, TensorBoard or trackio: `report_to`")
