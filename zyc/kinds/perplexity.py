"""The kind `perplexity`: one task of an evaluation: how well a model foretells a text, in tokens and in bytes."""

from __future__ import annotations

from pydantic import Field

from zyc import fields
from zyc.craft import evaluating
from zyc.kind import Case, Estimate, Kind, Measure, Placement, Recipe, Spec
from zyc.types import Artifact, Dataset, Report

TWIN_WINDOW = 128  # tokens


class PerplexitySpec(Spec):
    """The fields of a perplexity."""

    model: fields.Ref[Artifact]
    """Who reads."""
    perplexity: fields.Ref[Dataset]
    """The text: its rows one after the other; of other rows than text, what they say."""
    window: fields.Integer = Field(512, ge=8)
    """Tokens that are read together."""
    stride: fields.Integer | None = Field(None, ge=1)
    """Tokens between the beginnings of two windows, which overlap; when not given they do not, and half of each counts."""
    placement: Placement = Placement()
    """Where it runs."""


class Perplexity(Kind[PerplexitySpec]):
    """Reads a text in windows and sums up how unlikely each token was: the number that llama-perplexity prints.

    Windows stand side by side, each begins with the BOS of the model in place of its first token, and the second half of each
    counts. With a `stride` it is the number of the guide of transformers: windows overlap, every token counts once.
    """

    name = "perplexity"
    Spec = PerplexitySpec
    gives = Report
    measures = {
        "perplexity": Measure("how many tokens seem equally likely, on average"),
        "bits_per_byte": Measure("bits that a byte of the text takes: comparable across tokenizers"),
        "tokens": Measure("tokens that were foretold", "count"),
    }
    harness = ("llama_home.py", "telling.py")
    shares = ("answering.py", "divergence.py", "tasks.py", "onnx_session.py")

    def twin(self, spec: PerplexitySpec) -> PerplexitySpec:
        """Windows as long as the rows that a tiny model reads, so that there are enough of them to tell it from another."""
        window = min(spec.window, TWIN_WINDOW)
        return spec.model_copy(update={"window": window, "stride": spec.stride and min(spec.stride, window)})

    def facts(self, case: Case[PerplexitySpec]) -> Report:
        """One task."""
        return Report(("perplexity",))

    def estimate(self, case: Case[PerplexitySpec]) -> Estimate:
        """Every token is read as often as windows overlap."""
        data, model, spec = case.inputs["perplexity"], case.inputs["model"], case.spec
        tokens = data.tokens if isinstance(data, Dataset) else None
        held, vocabulary = evaluating.memory(model, spec.window), evaluating.shape_of(model).vocabulary or 32_000
        again = spec.window / (spec.stride or spec.window)
        windows = round(tokens * again / spec.window) if tokens is not None else None
        return Estimate(
            memory=round(held.high) + 20 * spec.window * vocabulary if held is not None else None,
            disk=100_000,
            work=evaluating.work(model, windows, spec.window, 1),
        )

    def recipe(self, case: Case[PerplexitySpec]) -> Recipe:
        """Which engine reads, and in which windows."""
        spec = case.spec
        return Recipe(
            {
                "engine": evaluating.engine(case.inputs["model"]),
                "llama_cpp": case.pins.get("package:llama-cpp-python"),
                "window": spec.window,
                "stride": spec.stride,
            },
            without=evaluating.unused(case.inputs["model"]),
        )

    def resumes(self, spec: PerplexitySpec) -> bool:
        """Windows that were read stay read."""
        return True
