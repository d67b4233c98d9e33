"""The kind `exam`: one task of an evaluation: questions with known answers, and how many a model gets right."""

from __future__ import annotations

from zyc import fields
from zyc.craft import evaluating, personas
from zyc.kind import Case, Estimate, Kind, Measure, Placement, Recipe, Spec
from zyc.types import Artifact, Dataset, Prompt, Report

CONTEXT = 4096  # tokens of a question and its answer, at most
QUESTION, ANSWER = 120, 60  # tokens of what is asked and said, for an estimate


class ExamSpec(Spec):
    """The fields of an exam."""

    model: fields.Ref[Artifact]
    """Who is asked."""
    exam: fields.Ref[Dataset]
    """The questions."""
    prompts: personas.Personas = ()
    """What stands before each question."""
    match: fields.Text = "exact"
    """What counts as right."""
    by: fields.Texts = ()
    """Columns whose values make groups."""
    placement: Placement = Placement()
    """Where it runs."""


class Exam(Kind[ExamSpec]):
    """Asks every question, keeps each answer, and counts: the share that is right, with its interval, and in each group."""

    name = "exam"
    Spec = ExamSpec
    gives = Report
    measures = {
        "accuracy": Measure("the share of answers that are right", "share"),
        "accuracy.low": Measure("the lower end of its interval", "share"),
        "accuracy.high": Measure("the upper end of its interval", "share"),
        "questions": Measure("how many were asked", "count"),
        "cut": Measure("the share of answers that did not end by themselves", "share"),
        "*.accuracy": Measure("the share in one group", "share"),
        "*.accuracy.low": Measure("the lower end of a group's interval", "share"),
        "*.accuracy.high": Measure("the upper end of a group's interval", "share"),
        "*.*.accuracy": Measure("the share in one group of one of several columns", "share"),
    }
    harness = ("llama_home.py", "telling.py")
    shares = (
        "answering.py",
        "asked.py",
        "chats.py",
        "asking.py",
        "calling.py",
        "divergence.py",
        "intervals.py",
        "sampler.py",
        "tasks.py",
        "onnx_session.py",
        "embedding.py",
        "retrieving.py",
    )

    def facts(self, case: Case[ExamSpec]) -> Report:
        """One task."""
        return Report(("exam",))

    def estimate(self, case: Case[ExamSpec]) -> Estimate:
        """Every question is read, every answer written."""
        data, model = case.inputs["exam"], case.inputs["model"]
        rows = data.rows if isinstance(data, Dataset) else None
        asked = max((each.tokens or 0 for _, each in case.every("prompts") if isinstance(each, Prompt)), default=0)
        held = evaluating.memory(model, 1024)
        return Estimate(
            memory=round(held.high) if held is not None else None,
            disk=(rows or 1000) * 2_000,
            result=f"{rows:,} questions" if rows is not None else "",
            work=evaluating.work(model, rows, asked + QUESTION, ANSWER),
        )

    def recipe(self, case: Case[ExamSpec]) -> Recipe:
        """Which engine answers, under which prompts, and what is right."""
        spec = case.spec
        finds = personas.looks_up(case.every("prompts"))
        return Recipe(
            {
                "finds": finds,
                "engine": evaluating.engine(case.inputs["model"]),
                "llama_cpp": case.pins.get("package:llama-cpp-python"),
                "labels": [each.label for each in spec.prompts],
                "match": spec.match,
                "by": list(spec.by),
                "context": CONTEXT,
            },
            without=evaluating.unused(case.inputs["model"]) | personas.unread(finds),
        )

    def place(self, path: str) -> str:
        """`prompts.0.node` stands at `in/prompts/0`."""
        return path.removesuffix(".node").replace(".", "/")

    def resumes(self, spec: ExamSpec) -> bool:
        """Answers that were given stay."""
        return True
