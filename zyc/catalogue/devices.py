"""Classes of machines: what they reach, hold and cost, by name; data in `devices.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from zyc.catalogue import row, table

SHOWN = ("t4", "a100-40")  # the columns of a plan, unless the site says otherwise
_EVERYWHERE = {"most": 1.0, "spread": 1.0, "wheels": ""}


@dataclass(frozen=True, slots=True)
class Device:
    """One class of machines."""

    name: str
    says: str  # in a table: `A100 40`
    accelerator: bool
    peak: Mapping[str, float] = field(default_factory=dict)  # FLOP/s by precision; one that is missing it cannot do
    bandwidth: float = 0.0  # bytes/s of its memory
    memory: int | None = None  # bytes that it holds
    price: float = 0.0  # an hour
    most: float = 1.0  # the largest share of its peak that training reaches
    spread: float = 1.0  # how much faster a good one is than a poor one
    wheels: str = ""  # what has to be known of the libraries that run on it
    capability: float = 0.0  # of an accelerator of NVIDIA's: which kernels there are for it

    def precision(self, wanted: str) -> str:
        """The precision that stands in for the wanted one where it has none."""
        return next((each for each in (wanted, "fp16", "fp32") if each in self.peak), wanted)


def names() -> tuple[str, ...]:
    """The classes that are listed."""
    return tuple(table("devices")["devices"])


def known(name: str) -> str | None:
    """The listed name of a class, by that or another one of its names."""
    told = table("devices")
    name = told["renamed"].get(name, name)
    return name if name in told["devices"] else None


@cache
def device(name: str) -> Device:
    """One class by its listed name."""
    facts = {**_EVERYWHERE, **row(table("devices"), "devices", name)}
    facts["capability"] = table("devices")["capabilities"].get(name, 0.0)
    return Device(name, **{**facts, "memory": int(facts["memory"])})


def of_model(model: str) -> str:
    """The class of an accelerator by what its driver calls it, `NVIDIA A100-SXM4-40GB`; empty when it is not listed."""
    patterns: Mapping[str, str] = table("devices")["models"]
    return next((name for name, pattern in patterns.items() if re.search(pattern, model)), "")


def processor(cores: int, memory: int | None, price: float = 0.0) -> Device:
    """A machine without accelerators, of so many cores; what these reach is a start, which runs correct."""
    core = table("devices")["core"]
    peak = {name: cores * core[name] for name in ("bf16", "fp32")}
    return Device("cpu", "here", accelerator=False, peak=peak, bandwidth=cores * core["bandwidth"], memory=memory, price=price)


def article(word: str) -> str:
    """`an A100`, `a T4`."""
    return "an" if word[:1] in "AEFHILMNORSX" and (len(word) < 2 or not word[1].islower()) else "a"
