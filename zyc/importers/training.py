"""What the files of all training tools have in common: a model, a batch, an optimizer, a schedule, a way to shard."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable

from zyc import catalogue
from zyc.importers import values
from zyc.importers.draft import Node, as_name
from zyc.importers.values import ON, Plain, percent
from zyc.importers.work import Work

_STAGE = re.compile(r"z(?:ero)?[-_]?([0-3])", re.IGNORECASE)
_LOCAL = re.compile(r"(\.{1,2}/|/|~)")
OPTIMIZERS = {  # theirs -> ours, and what is said of it
    "adamw": ("adamw", ""),
    "adamw_torch": ("adamw", ""),
    "adamw_torch_fused": ("adamw", ""),
    "adamw_hf": ("adamw", ""),
    "adamw_apex_fused": ("adamw", ""),
    "optimi_adamw": ("adamw", "the same steps in another kernel"),
    "flash_adamw": ("adamw", "the same steps in another kernel"),
    "adamw_bnb_8bit": ("adamw-8bit", ""),
    "adamw_8bit": ("adamw-8bit", ""),
    "adamw_torch_8bit": ("adamw-8bit", "with the 8-bit states of bitsandbytes"),
    "ao_adamw_8bit": ("adamw-8bit", "with the 8-bit states of bitsandbytes"),
    "paged_adamw_8bit": ("paged-adamw-8bit", ""),
    "paged_adamw_32bit": ("adamw", "paging only moves its states out of a full device"),
    "paged_adamw": ("adamw", "paging only moves its states out of a full device"),
    "adafactor": ("adafactor", ""),
    "sgd": ("sgd", ""),
}
SCHEDULES = {
    "cosine": "cosine",
    "linear": "linear",
    "constant": "constant",
    "constant_with_warmup": "constant",
    "warmup_stable_decay": "wsd",
}
_ATTENTION = {
    "flash_attention_2": "flash_attention_2",
    "flash_attn": "flash_attention_2",
    "fa2": "flash_attention_2",
    "flash_attention2": "flash_attention_2",
    "sdpa": "sdpa",
    "eager": "eager",
    "flex_attention": "flex_attention",
    "auto": "",
    "disabled": "eager",
}


def model(work: Work, key: str, *, revision: str = "", trust: str = "") -> Node | None:
    """The node of the model that is trained; None where the file names none."""
    name = work.given.text(key)
    if not name:
        work.given.lacks(key, "it names no model to train", f"write `{key}: ORGANISATION/MODEL`")
        return None
    node = work.draft.node("models", as_name(name))
    if is_local(work, name):
        if name.startswith(("/", "~", "../")):
            work.given.refuse(
                key, "a path must stay below the project's root", "copy or link the model there, or name it on the hub"
            )
            return node
        work.put(node, "path", work.asked.placed(name.removeprefix("./")), key)
    else:
        work.put(node, "hub", name, key)
    if revision:
        work.move(node, "revision", revision, values.text)
    if trust and work.given.flag(trust):
        work.put(node, "trust_remote_code", ON, trust)
    elif trust:
        work.given.drop(trust, "off, as it is unless a model says so")
    return node


_SUGGESTED = (  # of the models that have none of their own
    (re.compile(r"llama-?3", re.IGNORECASE), "llama3"),
    (re.compile(r"llama", re.IGNORECASE), "llama2"),
    (re.compile(r"gemma-?3", re.IGNORECASE), "gemma3"),
    (re.compile(r"gemma", re.IGNORECASE), "gemma"),
    (re.compile(r"mistral", re.IGNORECASE), "mistral"),
    (re.compile(r"qwen", re.IGNORECASE), "qwen"),
)
_CHATS = ("messages", "sharegpt", "alpaca")


def speaking(work: Work, base: Node, key: str) -> None:
    """The chat template of the call; a public model that has none cannot read chats without one."""
    if work.asked.template:
        work.put(base, "chat_template", work.asked.template, why="`--chat-template`")
        return
    name = base.fields.get("hub")
    public = catalogue.model(str(name.value)) if name is not None else None
    formats = {str(each.fields["format"].value) for each in work.draft.nodes if "format" in each.fields}
    if public is None or public.template != "" or "chat_template" in base.fields or not formats & {*_CHATS}:
        return
    short = str(name.value).rpartition("/")[2] if name is not None else ""
    ours = next((told for pattern, told in _SUGGESTED if pattern.search(short)), "chatml")
    work.given.refuse(key, "it has no chat template, and the rows are chats", f"say one: `--chat-template {ours}`")


def is_local(work: Work, name: str) -> bool:
    """Whether a model is a folder, not a name of the hub."""
    return bool(_LOCAL.match(name)) or work.asked.beside(f"{name}/config.json") is not None


def batch(work: Work, node: Node, micro: str, accumulate: str, *, context: str, whole: str = "", default: int = 1) -> None:
    """Examples a step: what one device takes at once, times the steps that are added up, times the devices."""
    given = work.given
    one, world = given.integer(micro, default), processes(work)
    steps = given.integer(accumulate, 1)
    if whole and whole in given and accumulate not in given:
        steps = max(1, given.integer(whole, one) // max(one, 1))
    elif whole and whole in given:
        given.drop(whole, f"`{accumulate}` counts more")
    total = one * steps * world
    keys = [each for each in (micro, accumulate, whole) if each]
    reckoning = f"{one} a device x {steps} accumulated x {world} device{'' if world == 1 else 's'}"
    field = "train.batch"
    if node.section == "pretrains":
        tokens = given.integer(context, 2048)
        field, total, reckoning = "batch_tokens", total * tokens, f"{reckoning} x {tokens} tokens"
    work.put(node, field, total, *keys, why=reckoning)
    told = node.fields.get("method")
    if told is not None and told.value == "kto":
        # what goes through at once is compared with each other there
        work.put(node, "group", max(2, one), micro)
    else:
        work.put(node, "placement.micro_batch", one, micro)


def processes(work: Work) -> int:
    """How many devices it was meant for: what the call or the file says, or one."""
    return work.gpus or 1


def gpus(work: Work, node: Node, sharding: str, by: str, *, counted: int = 0, keys: tuple[str, ...] = ()) -> None:
    """The devices of the node and how they share the model; a file that shards and does not say over how many cannot be read."""
    work.gpus = work.asked.gpus or (counted if counted > 1 else None)
    if sharding != "none" and work.gpus is None:
        work.given.refuse(by, "it spreads over several GPUs, and how many decides the batch", "say it: `--gpus 8`")
    if processes(work) > 1:
        work.put(node, "placement.gpus", processes(work), *(keys if not work.asked.gpus else ()), why="`--gpus`")
        sharding = "ddp" if sharding == "none" else sharding
    if sharding != "none" and processes(work) > 1:
        work.put(node, "placement.sharding", sharding, *((by,) if by else ()), why="each GPU holds all of it" if not by else "")
    elif by:
        work.given.drop(by, "one GPU needs no sharding")


def length(work: Work, node: Node, epochs: str, steps: str, *, default: str = "1") -> None:
    """How long it trains: steps count more than epochs."""
    given = work.given
    most = given.integer(steps, -1)
    if most > 0:
        work.put(node, work.fitting(node, "train.steps"), most, steps)
        given.drop(epochs, f"`{steps}` counts more")
    elif node.section == "pretrains":
        given.lacks(steps, "a pretraining has a length in steps or tokens", f"write `{steps}`")
    else:
        given.drop(steps, f"`{epochs}` says how long")
        work.put(node, "train.epochs", given.read(epochs, values.number, Plain(default)), epochs)


def optimizer(work: Work, node: Node, key: str, default: str) -> None:
    """The optimizer by its name."""
    word = work.given.text(key, default) or default
    ours, why = OPTIMIZERS.get(word.lower(), ("", ""))
    if not ours:
        known = ("adamw_torch", "adamw_8bit", "paged_adamw_8bit", "adafactor", "sgd")
        work.given.refuse(key, f"zyc has no optimizer `{word}`", f"choose {_list(known)}")
        return
    work.put(node, work.fitting(node, "train.optimizer"), ours, key, why=why)


def betas(work: Work, node: Node, first: str, second: str) -> None:
    """Both betas of Adam, if one is given; a pretraining has others than they by default."""
    if first in work.given or second in work.given or node.section == "pretrains":
        pair = [work.given.read(first, values.number, Plain("0.9")), work.given.read(second, values.number, Plain("0.999"))]
        work.put(node, work.fitting(node, "train.betas"), pair, first, second)


def schedule(work: Work, node: Node, key: str, default: str) -> None:
    """The course of the learning rate."""
    word = work.given.text(key, default) or default
    ours = SCHEDULES.get(word)
    if ours is None:
        work.given.refuse(key, f"zyc has no schedule `{word}`", f"choose {_list(SCHEDULES)}")
        return
    work.put(node, work.fitting(node, "train.schedule"), ours, key)


def warmup(work: Work, node: Node, ratio: str, steps: str, *, default: float = 0.0, total: int = 0, flat: bool = False) -> None:
    """Warming up: a share of the steps; a number of them is a share where it is known how many there are."""
    given = work.given
    field = work.fitting(node, "train.warmup")
    if flat:
        work.put(node, field, percent(0), why="`constant` has none")
        for key in (ratio, steps):
            given.drop(key, "`constant` warms nothing up")
        return
    count = given.amount(steps, 0.0)
    if steps in given and count >= 1:
        if total > 0:
            work.put(node, field, percent(min(1.0, count / total)), steps, why=f"{count:g} of {total} steps")
        else:
            instead = f", or write `{ratio}: 0.03` instead" if ratio else ""
            given.refuse(
                steps, "a share of the steps here, and how many there are depends on the rows", f"say it: `--steps 3000`{instead}"
            )
        given.drop(ratio, f"`{steps}` counts more")
    elif steps in given:
        work.put(node, field, percent(count), steps)
    elif ratio in given:
        work.move(node, field, ratio, values.share)
    else:
        work.put(node, field, percent(default))


def stage_of(work: Work, key: str) -> str | None:
    """How a DeepSpeed configuration shards: by its own text, if it is at hand, or by its name."""
    value = work.given.value(key)
    if value is None:
        return None
    if isinstance(value, dict):
        inner = value.get("zero_optimization")
        stage = str(inner.get("stage", "0")) if isinstance(inner, dict) else "0"
    else:
        text = work.asked.beside(str(value))
        stage = _stage_in(text) if text is not None else ""
        if not stage:
            match = _STAGE.search(str(value).rpartition("/")[2])
            stage = match[1] if match else ""
    if stage not in ("0", "1", "2", "3"):
        work.given.refuse(
            key, "neither the file nor its name says which stage of ZeRO it is", "put it beside, as that path names it"
        )
        return None
    return {"0": "ddp", "1": "zero2", "2": "zero2", "3": "zero3"}[stage]


def _stage_in(text: bytes) -> str:
    try:
        told = json.loads(text)
        return str(told["zero_optimization"]["stage"])
    except (ValueError, KeyError, TypeError):
        return ""


def method(work: Work, node: Node, ours: str, *keys: str, why: str = "") -> None:
    """`lora`, `qlora`, `dora` or `full`, as the kind of the node calls it."""
    if node.section == "alignments":
        work.put(node, "adapter", "none" if ours == "full" else ours, *keys, why=why)
    else:
        work.put(node, "method", ours, *keys, why=why)


def decay(work: Work, node: Node, key: str, default: str) -> None:
    """How much weights shrink by themselves."""
    work.put(node, work.fitting(node, "train.weight_decay"), work.given.read(key, values.number, Plain(default)), key)


def targets(work: Work, node: Node, names: list[str], *keys: str) -> None:
    """The layers that an adapter changes; the two ends of a model are trained whole, or not at all."""
    ends = [each for each in names if each in ("lm_head", "embed_tokens")]
    for key in keys if ends else ():
        work.given.refuse(key, f"an adapter on `{ends[0]}`", f"leave it out; `modules_to_save: [{ends[0]}]` trains it whole")
    if names and not ends:
        work.put(node, "lora.targets", "all-linear" if names == ["all-linear"] else names, *keys)


def attention(work: Work, node: Node, key: str) -> None:
    """The attention by its name."""
    word = work.given.text(key)
    ours = _ATTENTION.get(word)
    if ours:
        work.put(node, "placement.attention", ours, key)
    else:
        work.given.drop(
            key, "how fast, not what: the default attention of the model" + (f" in place of `{word}`" if word != "auto" else "")
        )


def steps_per_checkpoint(work: Work, node: Node, key: str) -> None:
    """How often a state is kept: a number of steps."""
    count = work.given.amount(key, 0)
    if count >= 1:
        work.put(node, "placement.checkpoint_every", math.ceil(count), key)
    else:
        work.given.drop(key, "how many steps that is, is not known here: a state is kept at the kind's own interval")


def _list(words: Iterable[str]) -> str:
    return ", ".join(f"`{each}`" for each in words)


def seed(work: Work, node: Node, key: str, default: int) -> None:
    """The seed, which theirs have a default for."""
    work.put(node, work.fitting(node, "train.seed"), work.given.integer(key, default), key)


def tests(work: Work, node: Node, count: float, *keys: str) -> None:
    """How often the held-out part is measured."""
    if count >= 1:
        work.put(node, work.fitting(node, "train.tests"), round(count), *keys)
