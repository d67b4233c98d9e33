"""The kind `text`: one task of an evaluation: how near answers are to reference texts, by the usual scores."""

from __future__ import annotations

from zyc import fields
from zyc.craft import evaluating, personas
from zyc.kind import Case, Estimate, Kind, Measure, Placement, Recipe, Spec
from zyc.types import Artifact, Dataset, Report

CONTEXT = 4096  # tokens of a question and its answer, at most
QUESTION, ANSWER = 120, 100  # tokens, for an estimate


class TextSpec(Spec):
    """The fields of a comparison with reference texts."""

    model: fields.Ref[Artifact]
    """Who is asked."""
    text: fields.Ref[Dataset]
    """Questions with the texts that answers are held against."""
    prompts: personas.Personas = ()
    """What stands before each question."""
    scores: fields.Texts = ("bleu", "chrf", "rouge")
    """Which scores."""
    placement: Placement = Placement()
    """Where it runs."""


class Text(Kind[TextSpec]):
    """Asks every question and holds all answers against their reference texts, with sacrebleu and rouge-score."""

    name = "text"
    Spec = TextSpec
    gives = Report
    measures = {
        "bleu": Measure("BLEU of all answers together", "share"),
        "chrf": Measure("chrF of all answers together", "share"),
        "rouge": Measure("ROUGE-L, the mean of all answers", "share"),
    }
    harness = ("llama_home.py", "telling.py")
    shares = (
        "answering.py",
        "asked.py",
        "asking.py",
        "chats.py",
        "sampler.py",
        "tasks.py",
        "onnx_session.py",
        "embedding.py",
        "retrieving.py",
    )

    def facts(self, case: Case[TextSpec]) -> Report:
        """One task."""
        return Report(("text",))

    def estimate(self, case: Case[TextSpec]) -> Estimate:
        """Every question is read, every answer written."""
        data, model = case.inputs["text"], case.inputs["model"]
        rows = data.rows if isinstance(data, Dataset) else None
        held = evaluating.memory(model, 1024)
        work = evaluating.work(model, rows, QUESTION, ANSWER)
        return Estimate(memory=round(held.high) if held is not None else None, disk=(rows or 1000) * 2_000, work=work)

    def recipe(self, case: Case[TextSpec]) -> Recipe:
        """Which engine answers, under which prompts, and what is scored."""
        spec = case.spec
        finds = personas.looks_up(case.every("prompts"))
        return Recipe(
            {
                "finds": finds,
                "engine": evaluating.engine(case.inputs["model"]),
                "llama_cpp": case.pins.get("package:llama-cpp-python"),
                "labels": [each.label for each in spec.prompts],
                "scores": list(spec.scores),
                "context": CONTEXT,
            },
            without=evaluating.unused(case.inputs["model"]) | personas.unread(finds),
        )

    def place(self, path: str) -> str:
        """`prompts.0.node` stands at `in/prompts/0`."""
        return path.removesuffix(".node").replace(".", "/")

    def resumes(self, spec: TextSpec) -> bool:
        """Answers that were given stay."""
        return True
