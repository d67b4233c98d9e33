"""The kind `eval`: a report on a model, made of one node a task, so that only what changed is asked again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator

from zyc import fields
from zyc.craft import evaluating, personas
from zyc.craft.evaluating import GROUPED, MEASURES, NUMBER, chance
from zyc.errors import guess, nearest
from zyc.gates import CHANCE, Gate, Interval
from zyc.kind import Case, Estimate, Fields, Kind, Measure, Objection, Placement, Recipe, Spec
from zyc.types import Artifact, Dataset, Report

Match = Literal["exact", "contains", "regex", "choice", "call", "function"]
Score = Literal["bleu", "chrf", "rouge"]
# what each kind of task may say, the field that it is known by first
TASKS: Mapping[str, tuple[str, ...]] = {
    "exam": ("exam", "match", "by"),
    "perplexity": ("perplexity", "window", "stride"),
    "text": ("text", "scores"),
    "harness": ("harness", "folder", "limit"),
    "compare": ("compare", "judge"),
    "speed": ("questions", "prompt_tokens", "new_tokens", "clients", "runs", "context"),
}
PROMPTED = ("exam", "text", "compare", "speed")
ASKED = ("questions", "messages", "prompt-completion")
FEW = 100  # questions below which a share is known to ten points either way, at worst
RESERVED = ("against", "delta", "untrained")
SHARES = ("accuracy", "bleu", "chrf", "rouge", "win_rate", "exact_match")


def read_match(value: object) -> object:
    """One of the ways, or the nearest."""
    return _one_of(value, get_args(Match), "a way to match")


def read_score(value: object) -> object:
    """One of the scores, or the nearest."""
    return _one_of(value, get_args(Score), "a score of texts")


def _one_of(value: object, known: tuple[str, ...], what: str) -> object:
    text = fields.read_text(value)
    if text not in known:
        close = nearest(text, known)
        every = ", ".join(f"`{each}`" for each in known)
        fields.wrong(what, value, f"did you mean `{close}`?" if close else f"there are {every}")
    return text


def read_task(value: object) -> object:
    """`speed: {prompt_tokens: 40, new_tokens: 60}`, or the same below a key `speed`."""
    if isinstance(value, dict) and isinstance(value.get("speed"), dict):
        return {**{name: each for name, each in value.items() if name != "speed"}, **value["speed"]}
    return value


class TaskFields(Fields):
    """One thing to find out."""

    exam: fields.Ref[Dataset] | None = None
    """An exam: questions with known answers. Rows that are held out are asked, or all where none are."""
    match: Annotated[Match, BeforeValidator(read_match)] = "exact"
    """What counts as right: `exact`, `contains`, `regex`, `choice` (the likeliest option), `call`, `function` (code)."""
    by: Annotated[fields.Texts, BeforeValidator(fields.read_list)] = ()
    """Columns of the exam whose values make groups: `kant.accuracy`; with several columns `philosopher.kant.accuracy`."""
    perplexity: fields.Ref[Dataset] | None = None
    """How well a text is foretold: `perplexity`, and `bits_per_byte`, which is comparable across tokenizers."""
    window: fields.Integer = Field(512, ge=8)
    """Tokens that are read together."""
    stride: fields.Integer | None = Field(None, ge=1)
    """Tokens between the beginnings of two windows, which overlap; when not given they do not, and half of each counts."""
    questions: fields.Ref[Dataset] | None = None
    """Speed: questions of people with all that stands before them, in place of one of `prompt_tokens`."""
    prompt_tokens: fields.Integer | None = Field(None, ge=1)
    """Speed: tokens of a question."""
    new_tokens: fields.Integer | None = Field(None, ge=1)
    """Speed: tokens of an answer."""
    clients: fields.Integer = Field(1, ge=1, le=64)
    """Speed: people who ask at once; more than one are answered by llama-server."""
    runs: fields.Integer = Field(5, ge=1, le=1000)
    """Speed: questions of each client."""
    context: fields.Integer = Field(1024, ge=16)
    """Speed: tokens that the engine holds memory for."""
    text: fields.Ref[Dataset] | None = None
    """How near answers are to reference texts."""
    scores: Annotated[tuple[Annotated[Score, BeforeValidator(read_score)], ...], BeforeValidator(fields.read_list)] = (
        "bleu",
        "chrf",
        "rouge",
    )
    """Text: which of `bleu`, `chrf` and `rouge`."""
    harness: Annotated[fields.Texts, BeforeValidator(fields.read_list)] = ()
    """Tasks of lm-evaluation-harness by name."""
    folder: fields.FilePath | None = None
    """Harness: a folder of the project's own task files."""
    limit: fields.Integer | None = Field(None, ge=1)
    """Harness: so many questions of each task."""
    compare: fields.Ref[Dataset] | None = None
    """Questions that the model and the first of `against` answer; a judge says whose answer is better."""
    judge: fields.Ref[Artifact] | None = None
    """Compare: a model, or a scorer."""

    @property
    def kind(self) -> str:
        """The kind of its node, by what is written; empty when nothing is."""
        told = (name for name, own in TASKS.items() if name != "speed" and getattr(self, own[0]))
        return next(told, "speed" if self.prompt_tokens or self.new_tokens or self.questions else "")


Task = Annotated[TaskFields, BeforeValidator(read_task)]


class EvalSpec(Spec):
    """The fields of an evaluation."""

    model: fields.Ref[Artifact]
    """Who is evaluated: a GGUF in llama.cpp, a model in transformers, an ONNX model in onnxruntime."""
    prompts: personas.Personas = ()
    """What stands before each question: a prompt, several, or `{label: prompt}`. With several, a column of the exam whose
    values are their labels says which is used for which row; without such a column every prompt meets every question."""
    on: fields.Device | None = None
    """The class of machine that times and memory are about: `hf-cpu-basic`."""
    against: Annotated[tuple[fields.Ref[Artifact], ...], BeforeValidator(fields.read_list)] = ()
    """Other models that get the same tasks, a family for all of its members: `against.best.TASK.MEASURE`, and
    `delta.TASK.MEASURE` to the best of them."""
    tasks: dict[fields.Name, Task]
    """What is to be found out, by name."""
    requires: fields.Requires[Artifact] = ()  # type: ignore[assignment]  # a tuple once it is read
    """Nodes whose gates must hold first."""
    placement: Placement = Placement()
    """Where it runs."""

    @field_validator("gates", "twin", mode="after")
    @classmethod
    def best(cls, value: tuple[Gate, ...]) -> tuple[Gate, ...]:
        """`tongues.accuracy >= against.best - 2%` means the best of the others in the same measure."""
        return tuple(_against(each) for each in value)


def _against(gate: Gate) -> Gate:
    if not re.fullmatch(r"against\.(best|\d+)", gate.against):
        return gate
    return Gate(gate.measure, gate.sign, gate.bound, f"{gate.against}.{gate.measure}", gate.dimension, gate.line)


class Eval(Kind[EvalSpec]):
    """Joins what its tasks found into one report: numbers with their intervals, the rows behind them, a page to look at."""

    name = "eval"
    section = "evals"
    Spec = EvalSpec
    gives = Report
    measures = {
        **{f"*.{name}": each for told in MEASURES.values() for name, each in told.items()},
        **{f"*.*.{name}": MEASURES["exam"][name] for name in GROUPED},
        "*.*": NUMBER,
        "*.*.*": NUMBER,
        "*.*.*.*": NUMBER,
        "against.*": Measure("a measure of another model, or of the best of them"),
        "untrained.*": Measure("in a twin: the same before it learned anything, and `p`, the chance of the difference"),
        "delta.*": Measure("by how much the model is better than the best of the others, and `p`, the chance of that"),
    }
    harness = ("telling.py",)
    shares = ("intervals.py", "looks.py", "signed_ranks.py")
    spreads = ("against",)

    def measured(self, spec: EvalSpec) -> Mapping[str, Measure]:
        """What its own tasks measure."""
        told: dict[str, Measure] = {}
        for name, task in spec.tasks.items():
            for measure, about in _of_task(task, several=len(spec.prompts) > 1).items():
                told[f"{name}.{measure}"] = about
                if spec.against:
                    # how many a family has is known later: `check` looks at the numbers
                    told |= {f"against.{place}.{name}.{measure}": about for place in ("best", "1", "*")}
                    told[f"delta.{name}.{measure}"] = about
            if spec.against and task.kind == "exam":
                told[f"delta.{name}.p"] = Measure("how likely such a difference is by chance: McNemar's test")
        return told

    def parts(self, spec: EvalSpec) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """A node for each task, and one for each task of each other model."""
        told: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for name, task in spec.tasks.items():
            if not task.kind:
                continue
            told[name] = (task.kind, _part(spec, task, spec.model))
            for at, rival in enumerate(spec.against if task.kind != "compare" else (), 1):
                told[f"against-{at}-{name}"] = (task.kind, _part(spec, task, rival))
        return told

    def rehearsed(self, spec: EvalSpec) -> tuple[Gate, ...]:
        """Speed and memory as they are written; of quality, that the twin be better than before it learned anything."""
        told: dict[str, Gate] = {}
        for gate in spec.gates:
            name, _, measure = gate.measure.partition(".")
            task = spec.tasks.get(name)
            if task is not None and task.kind == "speed" and not gate.against:
                told[str(gate)] = gate
            elif task is not None and (of := chance(task.kind, measure, gate.sign)):
                better = Gate(f"untrained.{name}.{of}", "<", CHANCE, line=gate.line)
                told[str(better)] = better
        return tuple(told.values())

    def facts(self, case: Case[EvalSpec]) -> Report:
        """Its tasks."""
        tasks = tuple(case.spec.tasks)
        return Report(tasks, tuple(each for each in self.measured(case.spec) if each.partition(".")[0] in tasks))

    def check(self, case: Case[EvalSpec]) -> Iterable[Objection]:
        """Models that do not answer, tasks that say too little or too much, exams that are none."""
        spec = case.spec
        yield from evaluating.unanswering("model", case.inputs["model"])
        for at in range(len(spec.against)):
            yield from evaluating.unanswering(f"against.{at}", case.inputs[f"against.{at}"])
        if not spec.tasks:
            yield Objection("tasks", "there is nothing to find out", "write `tasks: {questions: {exam: DATASET}}`")
        labels = [each.label for each in spec.prompts]
        if len(set(labels)) < len(labels):
            yield Objection("prompts", "two prompts have one label", "give each its own: `{label: prompt}`")
        for name, task in spec.tasks.items():
            yield from _about_task(case, name, task)
        yield from _about_others(spec)

    def notes(self, case: Case[EvalSpec]) -> Iterable[Objection]:
        """Exams too small to tell much, and perplexities that cannot be compared."""
        ours = evaluating.shape_of(case.inputs["model"])
        for name, task in case.spec.tasks.items():
            rows = _rows_of(case, name)
            if rows is not None and rows < FEW:
                half = 98 / rows**0.5
                says = f"{rows:,} questions tell a share to {half:.0f} points either way at worst"
                yield Objection(f"tasks.{name}.exam", says, f"{FEW} questions tell it to ten, 400 to five")
            others = [evaluating.shape_of(case.inputs[f"against.{at}"]) for at in range(len(case.spec.against))]
            apart = [each for each in others if None not in (each.tokenizer, ours.tokenizer) and each.tokenizer != ours.tokenizer]
            if task.kind == "perplexity" and apart:
                says = (
                    "perplexities of models with different tokenizers cannot be compared: a token is not the same amount of text"
                )
                yield Objection(f"tasks.{name}.perplexity", says, f"`{name}.bits_per_byte` can")

    def estimate(self, case: Case[EvalSpec]) -> Estimate:
        """Joining is quick; what arithmetic knows of speed and memory is for the gates."""
        told: list[tuple[str, Interval]] = []
        for name, task in case.spec.tasks.items():
            if task.kind == "speed":
                told += [(f"{name}.{measure}", each) for measure, each in _foretold(case, task)]
            rows = _rows_of(case, name)
            if rows is not None:
                # one is right in all of them and the other in none
                luck = Interval(
                    min(1.0, 2 * 0.5**rows), 1.0, f"what {rows:,} questions can tell at best; more, or a `twin:` list"
                )
                told += [(f"{who}.{name}.p", luck) for who in ("delta", "untrained")]
        return Estimate(Interval(1, 6, "joining"), memory=300_000_000, disk=2_000_000, measures=tuple(told))

    def recipe(self, case: Case[EvalSpec]) -> Recipe:
        """What its tasks are, and what stands on the report's face."""
        spec = case.spec
        return Recipe(
            {
                "tasks": {name: task.kind for name, task in spec.tasks.items()},
                "rivals": len(spec.against),
                "on": spec.on,
                "rehearsal": case.twin,
                "model": evaluating.shape_of(case.inputs["model"]).name or "",
                "format": evaluating.engine(case.inputs["model"]),
            }
        )

    def place(self, path: str) -> str:
        """`prompts.0.node` stands at `in/prompts/0`."""
        return path.removesuffix(".node").replace(".", "/")


def _of_task(task: TaskFields, *, several: bool) -> Mapping[str, Measure]:
    """What a task measures: patterns where its rows decide the names."""
    told = dict(MEASURES.get(task.kind, {}))
    if task.kind == "exam":
        columns = len(task.by)
        paths = {"*"} if columns + several == 1 or (several and columns == 1) else set()
        paths |= {"*.*"} if columns + several > 1 else set()
        told |= {f"{path}.{name}": MEASURES["exam"][name] for path in sorted(paths) for name in GROUPED}
    if task.kind == "text":
        told = {name: each for name, each in told.items() if name in task.scores}
    if task.kind == "speed" and task.questions is None:
        told.pop("prompt_tokens", None)
    if task.kind == "harness":
        told |= {"*": NUMBER, "*.*": NUMBER}
    return told


def _part(spec: EvalSpec, task: TaskFields, model: fields.Ref[Artifact]) -> dict[str, Any]:
    """The fields of a task's node: those that were written."""
    told: dict[str, Any] = {name: getattr(task, name) for name in TASKS[task.kind] if name in task.model_fields_set}
    told["model"] = model
    if spec.prompts and task.kind in PROMPTED:
        told["prompts"] = spec.prompts
    if task.kind == "speed" and spec.on:
        told["on"] = spec.on
    if task.kind == "compare" and spec.against:
        told["rival"] = spec.against[0]
    if spec.placement.model_fields_set:
        told["placement"] = spec.placement
    return told


def _about_others(spec: EvalSpec) -> Iterable[Objection]:
    """Gates on the third of two others."""
    for field in ("gates", "twin"):
        for at, gate in enumerate(getattr(spec, field)):
            for measure in (gate.measure, gate.against):
                begin, _, rest = measure.partition(".")
                place = rest.partition(".")[0]
                if begin != "against" or place == "best" or (place.isdigit() and 1 <= int(place) <= len(spec.against)):
                    continue
                says = f"there is no `against.{place}`: the others are `1` to `{len(spec.against)}`, and `best`"
                yield Objection(f"{field}.{at}", says, "a family stands for its members, in their order")


def _about_task(case: Case[EvalSpec], name: str, task: TaskFields) -> Iterable[Objection]:
    where, kind = f"tasks.{name}", task.kind
    if name.startswith(RESERVED):
        yield Objection(where, f"`{name}` begins as the measures of other models do", "give the task another name")
    if not kind:
        every = "`exam`, `perplexity`, `text`, `harness`, `compare`, or `prompt_tokens` with `new_tokens`"
        yield Objection(where, "it does not say what to find out", f"write one of {every}")
        return
    for field in sorted(task.model_fields_set - set(TASKS[kind])):
        owner = next(each for each, own in TASKS.items() if field in own)
        yield Objection(
            f"{where}.{field}", f"`{field}` is a field of {owner}, and this task is {kind}", "make it a task of its own"
        )
    data = case.inputs.get(f"{where}.{kind}")
    if kind in ("exam", "text", "compare") and isinstance(data, Dataset) and data.format not in (None, *ASKED):
        says = f"rows of `{data.format}` have no question with its answer"
        yield Objection(f"{where}.{kind}", says, f"take one of {', '.join(ASKED)}")
    if kind == "exam" and isinstance(data, Dataset) and data.columns is not None:
        for column in (each for each in task.by if each not in data.columns):
            hint = guess(column, data.columns, listed="it has")
            yield Objection(f"{where}.by", f"the rows of the exam have no column `{column}`", hint)
    if kind == "exam" and task.match == "choice" and isinstance(data, Dataset) and data.format not in (None, "questions"):
        yield Objection(
            f"{where}.match", "only rows of `questions` have `options`", "`format: questions`, with a column `options`"
        )
    if kind in _ABOUT:
        yield from _ABOUT[kind](case, where, task)


def _about_speed(case: Case[EvalSpec], where: str, task: TaskFields) -> Iterable[Objection]:
    if not (task.prompt_tokens or task.questions) or not task.new_tokens:
        yield Objection(where, "speed needs `new_tokens`, and `prompt_tokens` or `questions`", "for example 40 and 60")
    if task.prompt_tokens and task.questions is not None:
        yield Objection(f"{where}.prompt_tokens", "`questions` have the length that they have", "keep one of the two")
    if task.questions is not None and task.clients > 1:
        yield Objection(f"{where}.clients", "questions of people are asked one after the other", "leave it out")
    data = case.inputs.get(f"{where}.questions")
    if isinstance(data, Dataset) and data.format not in (None, *ASKED):
        yield Objection(f"{where}.questions", f"rows of `{data.format}` ask nothing", f"take one of {', '.join(ASKED)}")
    if (task.prompt_tokens or 0) + (task.new_tokens or 0) > task.context:
        both = (task.prompt_tokens or 0) + (task.new_tokens or 0)
        yield Objection(
            f"{where}.context", f"question and answer are {both:,} tokens, and `context` is {task.context:,}", "raise it"
        )
    if task.clients > 1 and evaluating.engine(case.inputs["model"]) not in ("", "llama.cpp"):
        yield Objection(f"{where}.clients", "only a GGUF is served to several clients here", "name the model's `.gguf`")


def _about_compare(case: Case[EvalSpec], where: str, task: TaskFields) -> Iterable[Objection]:
    if not case.spec.against:
        yield Objection(where, "there is nobody to compare with", "write `against: [MODEL]`: its first one is")
    if task.judge is None:
        yield Objection(where, "nobody judges", "write `judge: MODEL`, or a scorer")


def _about_windows(_: Case[EvalSpec], where: str, task: TaskFields) -> Iterable[Objection]:
    if task.stride is not None and task.stride > task.window:
        says = f"windows of {task.window:,} tokens that begin {task.stride:,} apart leave tokens between them unread"
        yield Objection(f"{where}.stride", says, f"`stride: {task.window // 2}`, or none")


_ABOUT = {"speed": _about_speed, "compare": _about_compare, "perplexity": _about_windows}


def _rows_of(case: Case[EvalSpec], name: str) -> int | None:
    data = case.inputs.get(f"tasks.{name}.exam")
    return data.rows if isinstance(data, Dataset) else None


def _foretold(case: Case[EvalSpec], task: TaskFields) -> list[tuple[str, Interval]]:
    told: list[tuple[str, Interval]] = []
    model, prompt, new = case.inputs["model"], task.prompt_tokens or _of_people(case), task.new_tokens or 1
    held = evaluating.memory(model, task.context)
    if held is not None:
        told.append(("memory_peak", held))
    if case.spec.on is not None and task.clients == 1:
        told += evaluating.speeds(model, case.spec.on, prompt, new)
    return told


def _of_people(case: Case[EvalSpec]) -> int:
    return evaluating.asked(case.inputs.values())
