"""The kind `harness`: one task of an evaluation: tasks of lm-evaluation-harness, of its own or of the project's."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from zyc import fields
from zyc.craft import evaluating
from zyc.kind import Case, Estimate, Kind, Measure, Objection, Placement, Recipe, Spec
from zyc.types import Artifact, Report


class HarnessSpec(Spec):
    """The fields of a run of the harness."""

    model: fields.Ref[Artifact]
    """Who is asked: by the harness, with its own prompts."""
    harness: fields.Texts
    """Tasks by name."""
    folder: fields.FilePath | None = None
    """The project's own task files, and the data that they name."""
    limit: fields.Integer | None = Field(None, ge=1)
    """So many questions of each task."""
    placement: Placement = Placement()
    """Where it runs."""


class Harness(Kind[HarnessSpec]):
    """Hands a model to lm-evaluation-harness in the engine that will serve it: likelihoods and greedy answers are its own."""

    name = "harness"
    Spec = HarnessSpec
    gives = Report
    measures = {
        "*.*": Measure("what a task of the harness measures: `arc_easy.acc`"),
        "*.*.low": Measure("the lower end of its interval"),
        "*.*.high": Measure("the upper end of its interval"),
    }
    harness = ("llama_home.py", "telling.py")
    shares = ("answering.py", "divergence.py", "sampler.py", "tasks.py", "onnx_session.py")

    def facts(self, case: Case[HarnessSpec]) -> Report:
        """One task."""
        return Report(("harness",))

    def estimate(self, case: Case[HarnessSpec]) -> Estimate:
        """What the harness asks is its own to know."""
        held = evaluating.memory(case.inputs["model"], 2048)
        return Estimate(memory=round(held.high) if held is not None else None, disk=1_000_000)

    def notes(self, case: Case[HarnessSpec]) -> Iterable[Objection]:
        """Tasks of the harness fetch their data."""
        if case.spec.folder is None:
            yield Objection(
                "model", "the harness fetches the data of its tasks from a hub when it runs", "a `folder` holds one's own"
            )

    def recipe(self, case: Case[HarnessSpec]) -> Recipe:
        """Which engine answers, and which tasks."""
        spec = case.spec
        return Recipe(
            {
                "engine": evaluating.engine(case.inputs["model"]),
                "llama_cpp": case.pins.get("package:llama-cpp-python"),
                "names": list(spec.harness),
                "folder": "in/folder" if spec.folder else None,
                "limit": spec.limit,
            },
            without=evaluating.unused(case.inputs["model"]),
        )
