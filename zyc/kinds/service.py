"""The kind `service`: the proof that a bundle is whole, and that what it serves is what the model says directly."""

from __future__ import annotations

from collections.abc import Mapping

from zyc.craft import deploying, evaluating, personas
from zyc.craft.deploying.spec import ServiceSpec
from zyc.gates import Gate, Interval, parse
from zyc.kind import Case, Estimate, Kind, Measure, Recipe
from zyc.types import Artifact, Dataset, Numbers

WHOLE = ("intact = 100%", "missing = 0")
SAME = "same_answers = 100%"
MEMORY = 700_000_000  # of the two engines' libraries
ASKING = frozenset({"answering.py", "asked.py", "asking.py", "chats.py", "sampler.py", "sayings.py", "onnx_session.py"})
STARTING = frozenset({"serving_it.py", "starting.py", "asking_it.py"})
LOOKING = frozenset({"embedding.py", "retrieving.py"})


class Service(Kind[ServiceSpec]):
    """Starts a bundle as a person would, and asks it what the model is asked directly: the answers are the same, token for token.

    Every file of the model is read again and held against the digest that the bundle names. A target that nothing here can
    start, because it is somebody else's machine or engine, is looked through only.
    """

    name = "service"
    Spec = ServiceSpec
    gives = Numbers
    measures = {
        "intact": Measure("the share of the model's files that are what the bundle says", "share"),
        "missing": Measure("what belongs to the bundle and is not there", "count"),
        "same_answers": Measure("the share of answers that are the direct ones, token for token, or differ in a tie", "share"),
        "ties": Measure("answers that part at two tokens that rounding alone puts in order", "count"),
        "asked": Measure("how many questions were asked", "count"),
        "first_token": Measure("until an answer begins, of the bundle as it was started here", "time"),
    }
    harness = ("llama_home.py", "telling.py")
    shares = (
        "answering.py", "asked.py", "asking.py", "chats.py", "sampler.py", "sayings.py", "onnx_session.py", "embedding.py",
        "retrieving.py",
    )  # fmt: skip
    seeks = {"questions": ("model", Dataset)}

    def accepts(self, spec: ServiceSpec) -> Mapping[str, type[Artifact]]:
        """What the target serves."""
        return {"model": deploying.of(spec.target).wants}

    def measured(self, spec: ServiceSpec) -> Mapping[str, Measure]:
        """Answers only where something is started."""
        starts = deploying.of(spec.target).starts
        told = ("intact", "missing", *(("same_answers", "ties", "asked") if starts else ()))
        told += ("first_token",) if starts == "gateway" else ()
        return {name: self.measures[name] for name in told}

    def bounds(self, spec: ServiceSpec, *, twin: bool = False) -> tuple[Gate, ...]:
        """Whole, and the same."""
        starts = deploying.of(spec.target).starts
        told = map(parse, (*WHOLE, *((SAME,) if starts else ())))
        return tuple(each for each in told if each is not None)

    def estimate(self, case: Case[ServiceSpec]) -> Estimate:
        """The model is read for its digest; where it is started, twice more: by the bundle, and here."""
        size, starts = evaluating.weights(case.inputs["model"]), deploying.of(case.spec.target).starts
        held = evaluating.memory(case.inputs["model"], case.spec.context) if starts else None
        if size is None:
            return Estimate(disk=100_000)
        seconds = Interval(1 + size / 2e9, 30 + size / 1e8, "started, asked, and asked directly" if starts else "read once")
        return Estimate(seconds, memory=MEMORY + (2 * round(held.high) if held is not None else 0), disk=100_000)

    def recipe(self, case: Case[ServiceSpec]) -> Recipe:
        """How it is started, and what is asked."""
        starts, questions = deploying.of(case.spec.target).starts, case.inputs.get("questions")
        finds = personas.looks_up(case.every("prompts")) if starts else ""
        without = frozenset() if starts else ASKING | STARTING
        without |= frozenset() if finds else LOOKING
        without |= frozenset({"asking_it.py"}) if starts != "assistant" else frozenset()
        values = {
            "starts": starts,
            "finds": finds,
            "context": case.spec.context,
            "llama_cpp": case.pins.get("package:llama-cpp-python"),
            "chats": isinstance(questions, Dataset) and questions.format in ("messages", "questions", "prompt-completion"),
        }
        return Recipe(values, without=without)

    def place(self, path: str) -> str:
        """`prompts.0.node` stands at `in/prompts/0`."""
        return path.removesuffix(".node").replace(".", "/")
