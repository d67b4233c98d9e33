"""The kind `fidelity`: the proof that a quantized model still is the model that it was made of."""

from __future__ import annotations

from collections.abc import Mapping

from zyc.craft import quantizing
from zyc.craft.quantizing.format import gates
from zyc.craft.quantizing.spec import FidelitySpec
from zyc.gates import Gate, parse
from zyc.kind import Case, Estimate, Kind, Measure, Recipe
from zyc.types import Artifact, Dataset, Numbers

SAME = ("same_tokens = 100%", "same_template = 100%")


class Fidelity(Kind[FidelitySpec]):
    """Reads the same texts and chats with the model and with what became of it, in every engine that serves it.

    Token ids and rendered chats are the same or the proof fails. Chances are compared on chats that nobody trained on, where
    the model stands on a dataset: on the rows that are held out, else on others of it, which is said; without one, on chats
    of our own. They are told for all tokens, and for those that the assistant says.
    """

    name = "fidelity"
    Spec = FidelitySpec
    gives = Numbers
    measures = {
        "same_tokens": Measure("the share of texts that have the same token ids", "share"),
        "same_template": Measure("the share of chats that are rendered alike: text and ids, in each engine", "share"),
        "kl": Measure("divergence of the chances of the next token, in nats, on average"),
        "kl.assistant": Measure("the same, for what the assistant says"),
        "kl_max": Measure("divergence where it is largest"),
        "top1": Measure("the share of positions where both expect the same token", "share"),
        "top1.assistant": Measure("the same, for what the assistant says", "share"),
        "first_difference": Measure("tokens that both say alike, of an answer, on average, before the first that differs"),
    }
    harness = ("environments.py", "llama_home.py", "telling.py")
    shares = (
        "chats.py",
        "compare.py",
        "divergence.py",
        "layerwise.py",
        "llama_server.py",
        "llmcompressor.txt",
        "mlc_conversation.py",
        "mlc_weights.py",
        "onnx_session.py",
        "sayings.py",
    )
    seeks = {"chats": ("model", Dataset)}

    def accepts(self, spec: FidelitySpec) -> Mapping[str, type[Artifact]]:
        """What the format is made of."""
        return {"against": quantizing.of(spec.format).wants}

    def bounds(self, spec: FidelitySpec, *, twin: bool = False) -> tuple[Gate, ...]:
        """Tokens and chats are the same, whatever the bits."""
        return tuple(each for each in map(parse, SAME) if each is not None)

    def foreseen(self, case: Case[FidelitySpec]) -> tuple[Gate, ...]:
        """How far chances may drift, by type and by the size of the model."""
        return gates(quantizing.of(case.spec.format).bounds(case))

    def estimate(self, case: Case[FidelitySpec]) -> Estimate:
        """By the format."""
        return quantizing.of(case.spec.format).proof_estimate(case)

    def recipe(self, case: Case[FidelitySpec]) -> Recipe:
        """The values of the format, for its own scripts."""
        told = quantizing.of(case.spec.format)
        return Recipe(told.proof_values(case), without=quantizing.others(told.name, proof=True))
