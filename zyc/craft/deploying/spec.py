"""The fields of a deployment and of its proof: what every target has, and one group a target."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from zyc import fields
from zyc.craft import personas
from zyc.craft.deploying.assistant import AssistantFields
from zyc.craft.deploying.hf_space import HfSpaceFields
from zyc.craft.deploying.hub import HubFields
from zyc.craft.deploying.modal import ModalFields
from zyc.craft.deploying.server import ServerFields
from zyc.craft.deploying.vllm import VllmFields
from zyc.errors import nearest
from zyc.kind import Fields, Placement, Spec
from zyc.types import Artifact, Dataset, Index, Report

NAMES = ("server", "hf-space", "modal", "ollama", "vllm", "hub", "assistant")  # of the targets; a test holds them


def read_target(value: object) -> object:
    """One of the targets, or the nearest."""
    text = fields.read_text(value)
    if text not in NAMES:
        close = nearest(text, NAMES)
        every = ", ".join(f"`{each}`" for each in NAMES)
        fields.wrong("a target", value, f"did you mean `{close}`?" if close else f"there are {every}")
    return text


TargetName = Annotated[str, BeforeValidator(read_target), Field(json_schema_extra={"enum": list(NAMES)})]


class Registry(Fields):
    """How the model stands in a list of models, `models.json`."""

    id: fields.Text = ""
    """What programs call it, `philo`; also the one model that is served where there are no prompts."""
    name: fields.Text = ""
    """What people call it."""
    capabilities: fields.Texts = ("chat",)
    """What it can do: `chat`, `code`, `tools`."""
    groups: fields.Texts = ()
    """Where it belongs among others."""


class DeploymentSpec(Spec):
    """The fields of a deployment."""

    model: fields.Ref[Artifact]
    """What is served: a GGUF for llama.cpp, a model or a quantized one where accelerators serve it."""
    prompts: personas.Personas = ()
    """Personas, as in evals: each is a model of its own for whoever asks, under its label."""
    target: TargetName
    """Where it goes: `server`, `hf-space`, `modal`, `ollama`, `vllm`, `hub`, `assistant`."""
    on: fields.Device | None = None
    """The class of machine that it is for: `hf-cpu-basic`."""
    requires: fields.Requires[Artifact] = ()  # type: ignore[assignment]  # a tuple once it is read
    """Nodes whose gates must hold first."""
    results: fields.Refs[Report] = ()  # type: ignore[assignment]  # a tuple once it is read
    """Evaluations whose numbers stand on the model card."""
    index: fields.Ref[Index] | None = None
    """Passages that an assistant looks up; what a prompt looks up travels with the prompt."""
    context: fields.Integer = Field(4096, ge=16)
    """Tokens of a chat that the engine holds memory for."""
    registry: Registry = Registry()
    """How it stands in a list of models."""
    files: dict[fields.Text, fields.FilePath] = Field(default_factory=dict)
    """Files of your own, filled from the facts of the node: `agent.md: specs/data/agent.md.j2`."""
    server: ServerFields = ServerFields()
    """Settings of the target `server`."""
    hf_space: HfSpaceFields = HfSpaceFields()
    """Settings of the target `hf-space`."""
    modal: ModalFields = ModalFields()
    """Settings of the target `modal`."""
    vllm: VllmFields = VllmFields()
    """Settings of the target `vllm`."""
    hub: HubFields = HubFields()
    """Settings of the target `hub`."""
    assistant: AssistantFields = AssistantFields()
    """Settings of the target `assistant`."""
    placement: Placement = Placement()
    """Where it is packed: never part of the key."""


class ServiceSpec(Spec):
    """The fields of a service."""

    subject: fields.Ref[Artifact]
    """The bundle."""
    model: fields.Ref[Artifact]
    """What answers directly."""
    target: TargetName = "server"
    """Where it goes."""
    context: fields.Integer = Field(4096, ge=16)
    """Tokens that the engines hold memory for."""
    prompts: personas.Personas = ()
    """The personas of the bundle: what they look up is looked up directly, too."""
    questions: fields.Ref[Dataset] | None = None
    """Chats of the nearest dataset that the model stands on: their questions are asked."""
