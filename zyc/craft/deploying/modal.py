"""The target `modal`: a GPU function of Modal's that scales to zero, with the gateway or vLLM in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from zyc import fields
from zyc.craft.deploying.gateway import GatewayTarget, searching
from zyc.craft.deploying.target import Carried, Target
from zyc.craft.deploying.vllm import VERSION, arguments
from zyc.kind import Case, Fields, Objection
from zyc.types import Artifact, Gguf, HfQuant, Model

if TYPE_CHECKING:
    from zyc.craft.deploying.spec import DeploymentSpec

# what Modal has, and for which of NVIDIA's architectures llama.cpp is built there
GPUS = {"T4": 75, "L4": 89, "A10G": 86, "A100-40GB": 80, "A100-80GB": 80, "L40S": 89, "H100": 90, "H200": 90, "B200": 100}


class ModalFields(Fields):
    """How the function runs."""

    app: fields.Text = ""
    """What Modal calls it; the name of the model when not given."""
    gpu: fields.Text = "L4"
    """The accelerator, as Modal calls it: `T4`, `L4`, `A10G`, `A100-80GB`, `H100`."""
    clients: fields.Integer = Field(32, ge=1, le=1000)
    """Requests that one container takes at once."""
    most: fields.Integer = Field(1, ge=1, le=100)
    """Containers at the same time, which is what it may cost."""
    idle: fields.Seconds = Field(300.0, ge=2, le=1200)
    """How long a container waits for the next request before it ends."""
    timeout: fields.Seconds = Field(600.0, ge=1)
    """The longest that one request may take."""
    starting: fields.Seconds = Field(600.0, ge=1)
    """How long the model may take to load."""
    secret: fields.Text = ""
    """A secret of Modal's, by its name, whose variables the function gets. vLLM needs one with `VLLM_API_KEY`."""


class ModalTarget(Target):
    """The bundle in an image, and one function over it: nothing runs, and nothing is paid, while nobody asks."""

    name = "modal"
    says = "Modal"
    wants = Artifact
    takes = (Gguf, HfQuant, Model)
    parts = {"modal": "", "gateway": "gateway"}
    modules = GatewayTarget.modules
    packages = GatewayTarget.packages

    def check(self, case: Case[DeploymentSpec]) -> Iterable[Objection]:
        """An accelerator that Modal has; personas where the gateway serves them."""
        spec = case.spec
        if _accelerator(case) not in GPUS:
            yield Objection(
                "modal.gpu", f"Modal has no `{spec.modal.gpu}`", "there are " + ", ".join(f"`{each}`" for each in GPUS)
            )
        if spec.prompts and not isinstance(case.inputs["model"], Gguf):
            yield Objection("prompts", "vLLM knows no personas", "leave them out, or deploy a GGUF: the gateway has them")
        if not spec.modal.secret and not isinstance(case.inputs["model"], Gguf):
            says = "anybody could ask this function, and you would pay: vLLM knows its one key from a secret of Modal's"
            yield Objection("modal.secret", says, "`modal secret create NAME VLLM_API_KEY=...`, and `modal: {secret: NAME}`")

    def settings(self, case: Case[DeploymentSpec]) -> Mapping[str, object]:
        """Those of the gateway are its own defaults."""
        return {}

    def more(self, case: Case[DeploymentSpec]) -> Mapping[str, object]:
        """How the function runs, in whole seconds as Modal takes them."""
        told = {**case.spec.modal.model_dump(mode="json"), "architecture": GPUS[_accelerator(case)]}
        return {"modal": {name: round(value) if isinstance(value, float) else value for name, value in told.items()}}

    def carries(self, case: Case[DeploymentSpec]) -> Carried:
        """Nothing of the gateway where vLLM serves."""
        if not isinstance(case.inputs["model"], Gguf):
            return Carried({"modal": ""}, (), ())
        return searching(super().carries(case), case)

    def runs(self, case: Case[DeploymentSpec]) -> Mapping[str, str] | None:
        """What llama.cpp does not open runs by vLLM."""
        return None if isinstance(case.inputs["model"], Gguf) else {"vllm": VERSION}

    def files(self, case: Case[DeploymentSpec]) -> Mapping[str, str]:
        """The arguments of vLLM, where it serves."""
        return {} if isinstance(case.inputs["model"], Gguf) else {"vllm.yml": arguments(case, port=False)}


def _accelerator(case: Case[DeploymentSpec]) -> str:
    """`H100` of `H100:2`."""
    return case.spec.modal.gpu.partition(":")[0]
