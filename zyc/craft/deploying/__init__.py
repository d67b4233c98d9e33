"""The targets that models are deployed to, by name."""

from __future__ import annotations

from zyc.craft.deploying.assistant import Assistant
from zyc.craft.deploying.hf_space import HfSpace
from zyc.craft.deploying.hub import Hub
from zyc.craft.deploying.modal import ModalTarget
from zyc.craft.deploying.ollama import Ollama
from zyc.craft.deploying.server import Server
from zyc.craft.deploying.target import Target
from zyc.craft.deploying.vllm import Vllm
from zyc.types import Artifact, Gguf, HfQuant, Model

TARGETS: dict[str, Target] = {
    each.name: each for each in (Server(), HfSpace(), ModalTarget(), Ollama(), Vllm(), Hub(), Assistant())
}


def of(name: str) -> Target:
    """The target of that name."""
    return TARGETS[name]


def others(name: str) -> frozenset[str]:
    """Modules of the packing that only other targets use."""
    return frozenset().union(*(each.scripts for each in TARGETS.values())) - TARGETS[name].scripts


def engine(model: Artifact | None) -> str:
    """What serves this type of model."""
    return "llama.cpp" if isinstance(model, Gguf) else "vllm" if isinstance(model, Model | HfQuant) else ""
