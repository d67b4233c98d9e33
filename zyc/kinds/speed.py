"""The kind `speed`: one task of an evaluation: how long answers take and how much memory, on the machine that it runs on."""

from __future__ import annotations

from pydantic import Field

from zyc import fields
from zyc.craft import evaluating, personas
from zyc.kind import Case, Estimate, Kind, Measure, Placement, Recipe, Spec
from zyc.types import Artifact, Dataset, Report


class SpeedSpec(Spec):
    """The fields of a measurement of speed."""

    model: fields.Ref[Artifact]
    """Who answers."""
    prompts: personas.Personas = ()
    """What stands before the question: the first of them, or where `questions` are asked the one that each row names."""
    questions: fields.Ref[Dataset] | None = None
    """Questions of people: so many of them as there are runs, evenly taken, each with all that stands before it."""
    prompt_tokens: fields.Integer = Field(128, ge=1)
    """Tokens of a question, with all that stands before it; of `questions` they are counted."""
    new_tokens: fields.Integer = Field(64, ge=1)
    """Tokens of an answer."""
    clients: fields.Integer = Field(1, ge=1, le=64)
    """People who ask at once."""
    runs: fields.Integer = Field(5, ge=1, le=1000)
    """Questions of each."""
    context: fields.Integer = Field(1024, ge=16)
    """Tokens that the engine holds memory for, for each client."""
    on: fields.Device | None = None
    """The class of machine that the numbers are about."""
    placement: Placement = Placement()
    """Where it runs."""


class Speed(Kind[SpeedSpec]):
    """Asks questions of a given length for answers of a given length and takes the time, after a first one to warm up.

    One client is answered in this process, by the engine that will serve; several by llama-server, each in a slot of its own.
    """

    name = "speed"
    Spec = SpeedSpec
    gives = Report
    measures = {
        "first_token": Measure("until an answer begins, half of the time", "time"),
        "answer_p50": Measure("until half of the answers are there", "time"),
        "answer_p95": Measure("until nineteen of twenty are", "time"),
        "tokens_per_second": Measure("tokens of answers a second, of all clients"),
        "prompt_per_second": Measure("tokens of questions a second"),
        "prompt_tokens": Measure("tokens of a question with all that stands before it, on average, where people's are asked"),
        "memory_peak": Measure("memory of the engine while it answers", "bytes"),
    }
    harness = ("llama_home.py", "telling.py")
    shares = (
        "answering.py",
        "asked.py",
        "asking.py",
        "chats.py",
        "llama_server.py",
        "sampler.py",
        "tasks.py",
        "onnx_session.py",
        "embedding.py",
        "retrieving.py",
    )

    def facts(self, case: Case[SpeedSpec]) -> Report:
        """One task."""
        return Report(("speed",))

    def estimate(self, case: Case[SpeedSpec]) -> Estimate:
        """All answers, one after the other; the class of machine says what they may take."""
        spec, model = case.spec, case.inputs["model"]
        held = evaluating.memory(model, spec.context * spec.clients)
        prompt = evaluating.asked(case.inputs.values()) if spec.questions is not None else spec.prompt_tokens
        told = evaluating.speeds(model, spec.on, prompt, spec.new_tokens) if spec.on and spec.clients == 1 else ()
        return Estimate(
            memory=round(held.high) if held is not None else None,
            disk=10_000,
            measures=(*told, *((("memory_peak", held),) if held is not None else ())),
            work=evaluating.work(model, (spec.runs + 1) * spec.clients, prompt, spec.new_tokens),
        )

    def recipe(self, case: Case[SpeedSpec]) -> Recipe:
        """Which engine, and how much is asked of it."""
        spec = case.spec
        server, real = spec.clients > 1, spec.questions is not None
        finds = personas.looks_up(case.every("prompts")) if real else ""
        values = {
            "spec": spec,
            "engine": evaluating.engine(case.inputs["model"]),
            "llama_cpp": case.pins.get("package:llama-cpp-python"),
            "prompted": [each.label for each in (spec.prompts if real else spec.prompts[:1])],
            "server": server,
            "real": real,
            "finds": finds,
        }
        spare = evaluating.unused(case.inputs["model"]) | personas.unread(finds)
        spare |= {name for name, used in (("llama_server.py", server), ("wondering.py", real)) if not used}
        return Recipe(values, without=frozenset(spare))

    def place(self, path: str) -> str:
        """`prompts.0.node` stands at `in/prompts/0`."""
        return path.removesuffix(".node").replace(".", "/")
