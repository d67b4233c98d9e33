"""The kind `compare`: one task of an evaluation: whose answers are better, by a model that judges or a scorer."""

from __future__ import annotations

from zyc import fields
from zyc.craft import evaluating, personas
from zyc.kind import Case, Estimate, Kind, Measure, Placement, Recipe, Spec
from zyc.types import Artifact, Dataset, Report, Scorer

CONTEXT = 4096  # tokens that a judge reads, at most
QUESTION, ANSWER = 120, 100  # tokens, for an estimate


class CompareSpec(Spec):
    """The fields of a comparison."""

    model: fields.Ref[Artifact]
    """Who is compared."""
    rival: fields.Ref[Artifact]
    """With whom."""
    compare: fields.Ref[Dataset]
    """The questions."""
    judge: fields.Ref[Artifact]
    """Who says which answer is better: a model, or a scorer."""
    prompts: personas.Personas = ()
    """What stands before each question."""
    placement: Placement = Placement()
    """Where it runs."""


class Compare(Kind[CompareSpec]):
    """Both answer every question; a judge reads both answers in both orders, and who is preferred in both wins.

    A judge that prefers whatever comes first gives a tie. A scorer gives each answer a number.
    """

    name = "compare"
    Spec = CompareSpec
    gives = Report
    measures = {
        "win_rate": Measure("the share of questions that the model wins, a tie for half", "share"),
        "ties": Measure("the share of ties", "share"),
        "questions": Measure("how many were compared", "count"),
    }
    harness = ("llama_home.py", "telling.py")
    shares = (
        "answering.py",
        "asked.py",
        "asking.py",
        "chats.py",
        "divergence.py",
        "sampler.py",
        "tasks.py",
        "onnx_session.py",
        "embedding.py",
        "retrieving.py",
    )

    def facts(self, case: Case[CompareSpec]) -> Report:
        """One task."""
        return Report(("compare",))

    def estimate(self, case: Case[CompareSpec]) -> Estimate:
        """Two answers and two verdicts a question; one model is open at a time."""
        data = case.inputs["compare"]
        rows = data.rows if isinstance(data, Dataset) else None
        held = [evaluating.memory(case.inputs[name], 1024) for name in ("model", "rival", "judge")]
        told = [each.high for each in held if each is not None]
        work = evaluating.work(case.inputs["model"], None if rows is None else 4 * rows, QUESTION, ANSWER)
        return Estimate(memory=round(max(told)) if told else None, disk=(rows or 1000) * 3_000, work=work)

    def recipe(self, case: Case[CompareSpec]) -> Recipe:
        """Which engines answer and judge, under which prompts."""
        judge = case.inputs["judge"]
        finds = personas.looks_up(case.every("prompts"))
        return Recipe(
            {
                "finds": finds,
                "engines": {name: evaluating.engine(case.inputs[name]) for name in ("model", "rival")},
                "judge": "scorer" if isinstance(judge, Scorer) else evaluating.engine(judge),
                "llama_cpp": case.pins.get("package:llama-cpp-python"),
                "labels": [each.label for each in case.spec.prompts],
                "context": CONTEXT,
                "onnx": not evaluating.unused(case.inputs["model"], case.inputs["rival"], judge),
            },
            without=evaluating.unused(case.inputs["model"], case.inputs["rival"], case.inputs["judge"]) | personas.unread(finds),
        )

    def place(self, path: str) -> str:
        """`prompts.0.node` stands at `in/prompts/0`."""
        return path.removesuffix(".node").replace(".", "/")

    def resumes(self, spec: CompareSpec) -> bool:
        """Answers that were given stay."""
        return True
