"""The target `vllm`: a model on accelerators, by the arguments of vLLM, in a container."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from zyc import fields
from zyc.craft import evaluating
from zyc.craft.deploying.target import Target
from zyc.craft.deploying.vllm_options import OPTIONS
from zyc.errors import nearest
from zyc.kind import Case, Fields, Objection
from zyc.types import Artifact, HfQuant, Model

if TYPE_CHECKING:
    from zyc.craft.deploying.spec import DeploymentSpec

VERSION = "0.33.0"  # of vLLM: that of the image and of the package


class VllmFields(Fields):
    """What vLLM is told."""

    gpus: fields.Integer = Field(1, ge=1, le=64)
    """Accelerators that share the model: `tensor-parallel-size`."""
    memory: fields.Share = Field(0.9, gt=0, le=1)
    """The share of each one's memory that it takes: `gpu-memory-utilization`."""
    sequences: fields.Integer = Field(64, ge=1, le=4096)
    """Answers that are written at the same time: `max-num-seqs`."""
    port: fields.Integer = Field(8000, ge=1, le=65_535)
    """Where it listens."""
    arguments: dict[fields.Text, fields.Text] = Field(default_factory=dict)
    """Further arguments of `vllm serve` by name, without dashes in front: `{seed: 1}`; `true` or `false` for switches."""


class Vllm(Target):
    """The weights, what `vllm serve` is told of them, and a compose file that starts it."""

    name = "vllm"
    says = "vLLM"
    wants = Artifact
    takes = (HfQuant, Model)
    prompted = False

    def check(self, case: Case[DeploymentSpec]) -> Iterable[Objection]:
        """Heads that the accelerators can share, a context that the model has, arguments that are said once."""
        spec, shape = case.spec, evaluating.shape_of(case.inputs["model"])
        if shape.heads is not None and shape.heads % spec.vllm.gpus:
            says = f"{shape.heads} heads cannot be shared by {spec.vllm.gpus} accelerators"
            yield Objection("vllm.gpus", says, "a number that divides the heads")
        if shape.context is not None and spec.context > shape.context and not case.twin:
            yield Objection("context", f"the model has {shape.context:,} tokens of context", f"`context: {shape.context}`")
        for name in sorted(spec.vllm.arguments.keys() & _arguments(case, port=True).keys()):
            yield Objection(f"vllm.arguments.{name}", f"`{name}` is said already", "by a field of this node")
        for name, value in spec.vllm.arguments.items():
            yield from _doubts(name, value)

    def runs(self, case: Case[DeploymentSpec]) -> Mapping[str, str] | None:
        """The server itself."""
        return {"vllm": VERSION}

    def files(self, case: Case[DeploymentSpec]) -> Mapping[str, str]:
        """The arguments, and a compose file around them."""
        return {"vllm.yml": arguments(case, port=True), "compose.yaml": _compose(case)}


def _arguments(case: Case[DeploymentSpec], *, port: bool) -> dict[str, object]:
    """What `vllm serve` is told, by the names of its options."""
    told: dict[str, object] = {
        "model": "model",
        "served-model-name": _name(case),
        "max-model-len": case.spec.context,
        "tensor-parallel-size": case.spec.vllm.gpus,
        "gpu-memory-utilization": case.spec.vllm.memory,
        "max-num-seqs": case.spec.vllm.sequences,
        "generation-config": "vllm",
    }
    return {**told, "port": case.spec.vllm.port} if port else told


def _doubts(name: str, value: str) -> Iterable[Objection]:
    """An argument that vLLM has not, or has for something else."""
    field, kind = f"vllm.arguments.{name}", OPTIONS.get(name)
    if kind is None:
        close = nearest(name, OPTIONS)
        help_ = f"did you mean `{close}`?" if close else "`vllm serve --help` has them all"
        yield Objection(field, f"vLLM {VERSION} has no `{name}`", help_)
    elif kind in _READ and not _READ[kind](value):
        yield Objection(field, f"`{name}` takes {_SAYS[kind]}, and this is `{value}`", _SAYS[kind])
    elif "|" in kind and value not in kind.split("|"):
        yield Objection(field, f"`{name}` takes no `{value}`", "one of " + ", ".join(f"`{each}`" for each in kind.split("|")))


def _is(read: Callable[[str], object]) -> Callable[[str], bool]:
    def reads(text: str) -> bool:
        try:
            read(text)
        except (ValueError, RecursionError):
            return False
        return True

    return reads


_ONE_OF_TWO = ("true", "false").__contains__
_READ = {"switch": _ONE_OF_TWO, "flag": _ONE_OF_TWO, "int": _is(int), "float": _is(float), "json": _is(json.loads)}
_SAYS = {"switch": "`true` or `false`", "flag": "`true` or `false`", "int": "a whole number", "float": "a number", "json": "JSON"}


def _further(given: Mapping[str, str]) -> dict[str, object]:
    """Switches as vLLM takes them from a file: as text, `true` would be taken for the model, and `false` is read as nothing."""
    told: dict[str, object] = {}
    for name, value in given.items():
        if OPTIONS[name] not in ("switch", "flag"):
            told[name] = value
        elif value == "true":
            told[name] = True
        elif (off := _off(name)) is not None:
            told[off] = True
    return told


def _off(name: str) -> str | None:
    """What turns a switch off: `no-x`, `disable-x` for `enable-x` and the other way round; a flag is off where it is left out."""
    if OPTIONS[name] == "switch":
        return f"no-{name}"
    first, _, rest = name.partition("-")
    off = {"enable": f"disable-{rest}", "disable": f"enable-{rest}"}.get(first, "")
    return off if off in OPTIONS else None


def arguments(case: Case[DeploymentSpec], *, port: bool) -> str:
    """The same as a file for `--config`."""
    told = {**_arguments(case, port=port), **_further(case.spec.vllm.arguments)}
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in told.items()]
    return "# vllm serve --config vllm.yml, in this folder\n" + "".join(lines)


def _name(case: Case[DeploymentSpec]) -> str:
    return case.spec.registry.id or (evaluating.shape_of(case.inputs["model"]).name or "model").rpartition("/")[2].lower()


def _compose(case: Case[DeploymentSpec]) -> str:
    """A service with the accelerators that it needs; nothing of the machine's but the bundle is seen, and that read-only."""
    port = case.spec.vllm.port
    return f"""# docker compose up, in this folder
services:
  vllm:
    image: vllm/vllm-openai:v{VERSION}
    command: ["--config", "vllm.yml"]
    working_dir: /bundle
    volumes:
      - .:/bundle:ro
    ports:
      - "127.0.0.1:{port}:{port}"
    environment:
      HF_HUB_OFFLINE: "1"
      VLLM_API_KEY: ${{VLLM_API_KEY:?a key for whoever asks}}
    shm_size: 8gb
    restart: unless-stopped
    deploy:
      resources:
        reservations:
          devices:
            - driver: nvidia
              count: {case.spec.vllm.gpus}
              capabilities: [gpu]
    healthcheck:
      test: ["CMD", "python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}/health')"]
      interval: 30s
      timeout: 5s
      start_period: 600s
"""
