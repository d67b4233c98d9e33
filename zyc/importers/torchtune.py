"""Torchtune's YAML: components by their Python names, put together into one training."""

from __future__ import annotations

import re

from zyc.importers import training, values
from zyc.importers.draft import Node, as_name
from zyc.importers.torchtune_keys import KEYS
from zyc.importers.values import ON, Plain
from zyc.importers.work import Work

TABLE = KEYS
MARKS = ("checkpointer", "tokenizer", "metric_logger", "log_every_n_steps", "max_steps_per_epoch", "loss", "profiler", "dtype")
_ORGANISATIONS = (
    (re.compile(r"(meta-)?(code)?llama", re.IGNORECASE), "meta-llama"),
    (re.compile(r"qwen", re.IGNORECASE), "Qwen"),
    (re.compile(r"gemma", re.IGNORECASE), "google"),
    (re.compile(r"mistral", re.IGNORECASE), "mistralai"),
    (re.compile(r"phi", re.IGNORECASE), "microsoft"),
)
# component -> (source, form, whether prompts are trained on when nothing is said)
_DATASETS = {
    "alpaca_dataset": ("tatsu-lab/alpaca", "alpaca", True),
    "alpaca_cleaned_dataset": ("yahma/alpaca-cleaned", "alpaca", True),
    "grammar_dataset": ("liweili/c4_200m", "prompt-completion", False),
    "samsum_dataset": ("Samsung/samsum", "prompt-completion", False),
    "slimorca_dataset": ("Open-Orca/SlimOrca-Dedup", "sharegpt", False),
    "instruct_dataset": ("", "prompt-completion", False),
    "chat_dataset": ("", "messages", False),
    "preference_dataset": ("", "preference", False),
    "stack_exchange_paired_dataset": ("lvwerra/stack-exchange-paired", "preference", False),
    "hh_rlhf_helpful_dataset": ("RLHFlow/HH-RLHF-Helpful-standard", "preference", False),
    "text_completion_dataset": ("", "text", True),
    "wikitext_dataset": ("EleutherAI/wikitext_document_level", "text", True),
    "cnn_dailymail_articles_dataset": ("ccdv/cnn_dailymail", "text", True),
}
_COLUMNS = {
    "grammar_dataset": {"prompt": "input", "completion": "output"},
    "samsum_dataset": {"prompt": "dialogue", "completion": "summary"},
    "instruct_dataset": {"prompt": "input", "completion": "output"},
    "stack_exchange_paired_dataset": {"prompt": "question", "chosen": "response_j", "rejected": "response_k"},
    "wikitext_dataset": {"text": "page"},
    "cnn_dailymail_articles_dataset": {"text": "article"},
}
_NAMES = {"input": "prompt", "output": "completion"}
_OPTIMIZERS = {
    "AdamW": "adamw",
    "AdamW8bit": "adamw_8bit",
    "PagedAdamW": "paged_adamw",
    "PagedAdamW8bit": "paged_adamw_8bit",
    "SGD": "sgd",
}
_LAYERS = {"q_proj": "q_proj", "k_proj": "k_proj", "v_proj": "v_proj", "output_proj": "o_proj"}
# what a model has as one layer where it was published
_JOINED = {
    "q_proj": "qkv_proj",
    "k_proj": "qkv_proj",
    "v_proj": "qkv_proj",
    "gate_proj": "gate_up_proj",
    "up_proj": "gate_up_proj",
}


def convert(work: Work) -> None:
    """The file becomes a model, its dataset, and a finetune or an alignment."""
    given = work.given
    component = given.text("model._component_")
    loss = given.text("loss._component_").rpartition(".")[2]
    if not component or "optimizer._component_" not in given:
        given.lacks(
            "optimizer", "it is of a recipe that trains nothing", "write what it does as a node: `evals`, `quants`, `prompts`"
        )
        return
    aligned = loss in ("DPOLoss", "RSOLoss", "SimPOLoss")
    node = work.start("alignments" if aligned else "finetunes")
    if "kd_loss._component_" in given or "teacher_model._component_" in given:
        given.refuse(
            "kd_loss._component_",
            "it is a distillation",
            "declare one: `{student: BASE, teachers: {TEACHER: 100%}, mode: logits}`",
            whole=True,
        )
    base = _model(work)
    work.put(node, "base", Plain(base.name), "checkpointer.checkpoint_dir")
    _method(work, node, component.rpartition(".")[2])
    _loss(work, node, loss)
    _data(work, node)
    training.speaking(work, base, "checkpointer.checkpoint_dir")
    _placement(work, node)
    training.batch(work, node, "batch_size", "gradient_accumulation_steps", context="tokenizer.max_seq_len")
    _length(work, node)
    _pace(work, node)
    _tracker(work, node)


def _model(work: Work) -> Node:
    given = work.given
    key = "checkpointer.checkpoint_dir"
    folder = given.text(key).rstrip("/").removesuffix("/original")
    name = folder.rpartition("/")[2] or "model"
    node = work.draft.node("models", as_name(name))
    given.becomes("model._component_", work.named(node, "hub"), "the model's config.json says its shape")
    given.becomes("checkpointer._component_", work.named(node, "hub"), "safetensors of the same weights")
    organisation = next((word for pattern, word in _ORGANISATIONS if pattern.match(name)), "")
    if work.asked.beside(f"{folder}/config.json") is not None and not folder.startswith("/"):
        work.put(node, "path", work.asked.placed(folder.removeprefix("./")), key)
    elif organisation:
        work.put(
            node, "hub", f"{organisation}/{name}", key, why=f"`{folder}` is what was fetched from there: look whether it is so"
        )
    else:
        given.refuse(
            key,
            "a folder of this machine, and its name tells no model of the hub",
            "put it below the project's root and write that path",
        )
    for each in ("checkpointer.adapter_checkpoint", "checkpointer.recipe_checkpoint"):
        if given.on(each):
            given.refuse(
                each, "training goes on from another run's checkpoint", "let zyc train it: it resumes what it began itself"
            )
    return node


def _method(work: Work, node: Node, builder: str) -> None:
    given = work.given
    adapter = "lora_" in builder or builder.startswith(("lora", "qlora", "dora"))
    four = builder.startswith("qlora") or given.on("model.quantize_base")
    dora = builder.startswith("dora") or given.on("model.use_dora")
    ours = "full" if not adapter else "qlora" if four else "dora" if dora else "lora"
    training.method(work, node, ours, "model._component_", "model.quantize_base", "model.use_dora", why=f"`{builder}`")
    if not adapter:
        return
    work.put(node, "lora.rank", given.integer("model.lora_rank", 8), "model.lora_rank")
    work.put(node, "lora.alpha", given.read("model.lora_alpha", values.number, Plain("16")), "model.lora_alpha")
    names = [_LAYERS.get(each, each) for each in given.words("model.lora_attn_modules")]
    if given.on("model.apply_lora_to_mlp"):
        names += ["gate_proj", "up_proj", "down_proj"]
    if given.on("model.apply_lora_to_output"):
        training.targets(work, node, ["lm_head"], "model.apply_lora_to_output")
    if "phi3" in builder or "phi4" in builder:
        names = list(dict.fromkeys(_JOINED.get(each, each) for each in names))
    training.targets(work, node, names, "model.lora_attn_modules", "model.apply_lora_to_mlp")
    for key in ("model.apply_lora_to_mlp", "model.apply_lora_to_output", "model.use_dora", "model.quantize_base"):
        if key in given and not given.on(key):
            given.drop(key, "off, as it is here unless a spec says so")


def _loss(work: Work, node: Node, loss: str) -> None:
    given = work.given
    key = "loss._component_"
    if loss in ("CEWithChunkedOutputLoss", "LinearCrossEntropyLoss", "CrossEntropyLoss"):
        given.becomes(key, "finetunes", "cross entropy")
    elif loss == "DPOLoss":
        work.put(node, "method", "dpo", key)
        work.put(node, "beta", given.read("loss.beta", values.number, Plain("0.1")), "loss.beta")
        if given.amount("loss.label_smoothing", 0.0) > 0:
            work.move(node, "engine.label_smoothing", "loss.label_smoothing", values.number)
        else:
            given.drop("loss.label_smoothing", "off, as it is unless the engine is told")
    else:
        given.refuse(key, f"zyc has no `{loss}`", "choose cross entropy or `DPOLoss`", whole=True)


def _data(work: Work, node: Node) -> None:
    given = work.given
    name = given.text("dataset._component_").rpartition(".")[2]
    source, form, prompts = _DATASETS.get(name, ("", "", False))
    if not form:
        if given.items("datasets"):
            return  # refused by the table, each key of it
        key = "dataset._component_"
        if key in given:
            given.refuse(
                key,
                f"zyc does not know the rows of `{name}`",
                "use `instruct_dataset` or `chat_dataset` with a `source`",
                whole=True,
            )
        else:
            given.lacks("dataset", "it names no data to train on", "write `dataset:` with a `_component_`")
        return
    where = given.text("dataset.source", source)
    made = work.draft.node("datasets", as_name(where if where not in ("json", "csv", "parquet", "text") else f"{node.name}-data"))
    _source(work, made, where)
    style = given.text("dataset.conversation_style")
    ours = "sharegpt" if style == "sharegpt" else form
    work.put(made, "format", ours, "dataset._component_", "dataset.conversation_style")
    _map(work, made, name, ours)
    work.put(node, "data", Plain(made.name), "dataset._component_")
    if node.section == "finetunes":
        everything = given.flag("dataset.train_on_input", default=prompts)
        work.put(node, "loss_on", "all" if everything else "assistant", "dataset.train_on_input")
        work.put(node, "packing", given.flag("dataset.packed"), "dataset.packed")
    else:
        given.drop("dataset.train_on_input", "an alignment compares whole answers")
    _length_of_rows(work, node)
    if given.on("dataset.new_system_prompt"):
        given.refuse("dataset.new_system_prompt", "a system message of its own for every example", "write it into the data")
    if "dataset.add_eos" in given and not given.flag("dataset.add_eos", default=True):
        given.refuse("dataset.add_eos", "texts would not end", "remove it: a text ends with the model's end")
    given.drop("dataset.add_eos", "a text ends with the model's end")
    given.drop("dataset.split_across_pack", "how rows are packed, not which")


def _source(work: Work, made: Node, where: str) -> None:
    given = work.given
    files = given.words("dataset.data_files")
    key = "dataset.source" if "dataset.source" in given else "dataset._component_"
    if files and where in ("json", "csv", "parquet", "text"):
        work.put_files(made, files, "dataset.data_files", key)
        given.drop("dataset.split", "a file is one split")
        return
    config = next((each for each in ("dataset.subset", "dataset.name") if each in given), "")
    work.put_hub(
        made,
        where,
        key,
        subset=given.text(config) if config else "",
        part=given.text("dataset.split"),
        keys=(config, "dataset.split"),
    )


def _map(work: Work, made: Node, name: str, form: str) -> None:
    given = work.given
    columns = dict(_COLUMNS.get(name, {}))
    told = given.value("dataset.column_map")
    if isinstance(told, dict):
        names = _NAMES if form == "prompt-completion" else {}
        columns |= {names.get(str(ours), str(ours)): str(theirs) for ours, theirs in told.items()}
    by = "dataset.column_map" if isinstance(told, dict) else "dataset._component_"
    for ours, theirs in columns.items():
        work.put_column(made, ours, theirs, by)
    if form == "text":
        work.put_column(made, "text", given.text("dataset.column", columns.get("text", "text")), "dataset.column")
    elif form in ("messages", "sharegpt"):
        ours = "messages" if form == "messages" else "conversations"
        work.put_column(made, ours, given.text("dataset.conversation_column", ours), "dataset.conversation_column")


def _length_of_rows(work: Work, node: Node) -> None:
    given = work.given
    keys = [each for each in ("tokenizer.max_seq_len", "dataset.max_seq_len") if each in given]
    why = "" if keys else "torchtune cuts nothing: longer rows are cut here, and counted"
    work.put(node, "context", given.integer(keys[0], 4096) if keys else 4096, *keys, why=why)


# --- how it learns, and where ---


def _length(work: Work, node: Node) -> None:
    given = work.given
    most, epochs = given.integer("max_steps_per_epoch", 0), given.amount("epochs", 1.0)
    if most > 0:
        work.put(
            node, "train.steps", round(most * epochs), "max_steps_per_epoch", "epochs", why=f"{most} steps x {epochs:g} epochs"
        )
    else:
        work.put(node, "train.epochs", given.read("epochs", values.number, Plain("1")), "epochs")
        given.drop("max_steps_per_epoch", "`epochs` says how long")


def _pace(work: Work, node: Node) -> None:
    given = work.given
    word = given.text("optimizer._component_").rpartition(".")[2]
    ours = training.OPTIMIZERS.get(_OPTIMIZERS.get(word, ""))
    if ours is None:
        given.refuse(
            "optimizer._component_",
            f"zyc has no optimizer `{word}`",
            "choose `torch.optim.AdamW` or `bitsandbytes.optim.AdamW8bit`",
        )
    else:
        work.put(node, "train.optimizer", ours[0], "optimizer._component_", why=ours[1])
    work.put(
        node, "train.weight_decay", given.read("optimizer.weight_decay", values.number, Plain("0.01")), "optimizer.weight_decay"
    )
    work.move(node, "train.betas", "optimizer.betas", lambda value: [Plain(each) for each in values.words(value)])
    given.drop("optimizer.fused", "how fast, not what")
    course = given.text("lr_scheduler._component_").rpartition(".")[2]
    if course not in ("", "get_cosine_schedule_with_warmup"):
        given.refuse(
            "lr_scheduler._component_",
            f"zyc has no schedule `{course}`",
            "choose the cosine with warmup, or none for a constant rate",
        )
    work.put(node, "train.schedule", "cosine" if course else "constant", "lr_scheduler._component_")
    steps = work.asked.steps or given.integer("max_steps_per_epoch", 0) * round(given.amount("epochs", 1.0))
    training.warmup(work, node, "", "lr_scheduler.num_warmup_steps", total=steps)
    if given.amount("lr_scheduler.num_cycles", 0.5) != 0.5:
        given.refuse("lr_scheduler.num_cycles", "a cosine falls once here", "remove it")
    given.drop("lr_scheduler.num_cycles", "a cosine falls once")
    work.put(node, "train.precision", given.read("dtype", values.choice(bf16="bf16", fp32="fp32", fp16="fp16"), "bf16"), "dtype")
    clip = given.read("clip_grad_norm", values.number, Plain("0"))
    work.put(node, "train.clip", clip, "clip_grad_norm", why="" if "clip_grad_norm" in given else "no bound")
    if "seed" in given:
        training.seed(work, node, "seed", 0)
    else:
        given.drop("seed", "a new one each time there; here one, so that a run can be repeated")
    if "shuffle" in given and not given.flag("shuffle", default=True):
        work.put(node, "engine.train_sampling_strategy", "sequential", "shuffle")
    given.drop("shuffle", "rows come in an order of the seed's")


def _placement(work: Work, node: Node) -> None:
    given = work.given
    spread = next((each for each in ("fsdp_cpu_offload", "fsdp.cpu_offload", "data_parallel_shard_dim") if each in given), "")
    counted = given.integer("data_parallel_shard_dim", 1) * given.integer("data_parallel_replicate_dim", 1)
    many = bool(spread) or (work.asked.gpus or 1) > 1
    training.gpus(work, node, "fsdp2" if many else "none", spread, counted=counted)
    if given.text("device") == "cpu":
        work.put(node, "placement.gpus", 0, "device")
    else:
        given.drop("device", "a GPU is used where there is one")
    work.put(
        node,
        "placement.activation_checkpointing",
        given.flag("enable_activation_checkpointing"),
        "enable_activation_checkpointing",
    )
    if given.on("compile"):
        work.put(node, "placement.compile", ON, "compile")


def _tracker(work: Work, node: Node) -> None:
    given = work.given
    key = "metric_logger._component_"
    word = given.text(key).rpartition(".")[2]
    if word == "WandBLogger":
        work.put(node, "placement.trackers.wandb", given.text("metric_logger.project", "torchtune"), key, "metric_logger.project")
    elif word == "TensorBoardLogger":
        work.put(node, "placement.trackers.tensorboard", ON, key)
    elif word in ("DiskLogger", "StdoutLogger", ""):
        given.drop(key, "every step is written to events.jsonl")
    else:
        given.refuse(key, f"zyc has no tracker `{word}`", "choose W&B, MLflow, TensorBoard or trackio: `placement.trackers`")
