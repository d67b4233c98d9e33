"""What kinds that train adapters share: their fields, the facts that come of them, what is checked of both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from zyc import fields
from zyc.craft import arch
from zyc.errors import nearest
from zyc.kind import Fields, Objection
from zyc.types import Adapter, Model, values_of

WORDS = ("all-linear", "attention", "mlp")  # that stand for several layers


class Lora(Fields):
    """The adapter: two thin matrices beside each layer that it changes."""

    rank: fields.Integer = Field(16, ge=1, le=4096)
    """How wide it is."""
    alpha: fields.Number | None = Field(None, gt=0)
    """How much it counts: it is scaled by alpha / rank; twice the rank when not given."""
    dropout: fields.Share = Field(0.0, ge=0, lt=1)
    """The share of its inputs that is left out at random."""
    targets: Annotated[tuple[fields.Text, ...], BeforeValidator(fields.read_list)] = ("all-linear",)
    """The layers that it changes: `all-linear`, `attention`, `mlp`, or their names."""
    rslora: fields.Flag = False
    """Scale by alpha / sqrt(rank), which keeps large ranks stable."""
    init: Literal["default", "gaussian", "orthogonal", "pissa", "olora"] = "default"
    """How it starts: without effect, or (`pissa`, `olora`) as the largest part of the layer itself."""
    modules_to_save: Annotated[tuple[fields.Text, ...], BeforeValidator(fields.read_list)] = ()
    """Layers that are trained whole and kept with it, such as `embed_tokens` and `lm_head`."""


def _meant(targets: tuple[str, ...]) -> str | tuple[str, ...]:
    """A word for several layers, or their names."""
    return targets[0] if len(targets) == 1 and targets[0] in WORDS else targets


def targets_of(base: Model, targets: tuple[str, ...]) -> str | list[str]:
    """The layers as peft takes them."""
    if targets == ("all-linear",) or targets[0] not in WORDS:
        return targets[0] if targets == ("all-linear",) else sorted(targets)
    split = [name for name in arch.SPLIT if (name in arch.ATTENTION) == (targets[0] == "attention")]
    return sorted(each.name for each in arch.targeted(base, targets[0])) or sorted(split)


def parameters_of(base: Model, lora: Lora, method: str, rank: int) -> int | None:
    """Those of the adapter, and of the layers that it keeps whole."""
    count = arch.adapter_parameters(base, rank, _meant(lora.targets), dora=method == "dora")
    if count is None or base.width is None:
        return None
    whole = {"embed_tokens", "lm_head"} & {*lora.modules_to_save}
    return count + (min(len(whole), 1) if base.tied else len(whole)) * base.width * (base.vocabulary or 0)


def adapter_of(base: Model, lora: Lora, method: str) -> Adapter:
    """What is known of an adapter before it is trained."""
    rank = 2 * lora.rank if lora.init in ("pissa", "olora") else lora.rank  # kept as what it adds to the base as it was
    return Adapter(
        base=values_of(base),
        method=method,
        rank=rank,
        parameters=parameters_of(base, lora, method, rank),
        dtype="bf16" if method == "qlora" else "fp32",
        licence=base.licence,
    )


def values_for(base: Model, lora: Lora) -> dict[str, object]:
    """What of an adapter a template asks for by these names, as peft takes it."""
    return {
        "converted": lora.init in ("pissa", "olora"),
        "alpha": lora.alpha if lora.alpha is not None else 2 * lora.rank,
        "targets": targets_of(base, lora.targets),
        "init": True if lora.init == "default" else lora.init,
    }


def adapter_objections(base: Model, lora: Lora, method: str, field: str = "method") -> Iterator[Objection]:
    """Layers that are there, a rank that they have room for, a start that can be; `field` is where the method stands."""
    known = {each.name: each for each in arch.linears(base)}
    for at, target in enumerate(lora.targets):
        if target == "lm_head":
            yield Objection(
                f"lora.targets.{at}", "trl trains no adapter on `lm_head`", "`modules_to_save: lm_head` trains it whole"
            )
        elif target == "embed_tokens" and base.tied:
            says = "the embedding is the output of this base too, and an adapter would change one of the two"
            yield Objection(f"lora.targets.{at}", says, "`modules_to_save: embed_tokens` trains both as one")
        elif target in WORDS:
            if len(lora.targets) > 1:
                yield Objection(f"lora.targets.{at}", f"`{target}` stands for several layers by itself", "write it alone")
        elif known and target not in (*known, "embed_tokens"):
            says = f"a {base.family} has no layer `{target}` that an adapter could change"
            close = nearest(target, known)
            it_has = f"it has {', '.join(sorted(known))}"
            yield Objection(f"lora.targets.{at}", says, f"did you mean `{close}`? {it_has}" if close else it_has)
    least = min((min(each.into, each.out) for each in arch.targeted(base, _meant(lora.targets))), default=lora.rank)
    if lora.rank > least:
        says = f"a rank of {lora.rank} is more than the smallest layer has ({least})"
        yield Objection("lora.rank", says, f"`rank: {least}` is the most; `{max(1, least // 4)}` is plenty")
    if method == "qlora" and lora.init in ("pissa", "olora"):
        says = f"`{lora.init}` takes a part of each layer away, which four bits cannot give"
        yield Objection("lora.init", says, f"leave `init` out, or use `{field}: lora`")
