"""The kind `table`: reports of a family of evaluations side by side: one table, one chart, paired tests, one verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from zyc import fields
from zyc.errors import guess, nearest
from zyc.gates import Gate, Interval
from zyc.kind import Case, Estimate, Fields, Kind, Measure, Objection, Placement, Recipe, Spec
from zyc.measures import known
from zyc.types import Report

RESERVED = ("pair", "verdict")


class Pair(Fields):
    """Two that answered the same questions."""

    better: fields.Name
    """The label of the one that should be better."""
    than: fields.Name
    """The label of the other one."""


def read_pair(value: object) -> object:
    """`[both, neither]`, or `{better: both, than: neither}`."""
    if isinstance(value, list | tuple):
        if len(value) != 2:
            fields.wrong("two labels", value, "for example `[both, neither]`")
        return {"better": value[0], "than": value[1]}
    return value


class Judged(Fields):
    """What the page answers."""

    question: fields.Text
    """The question that stands on top of the page."""
    of: fields.Name
    """The label whose numbers answer it."""
    when: fields.Gates
    """The answer is yes when all of these hold, and no when one does not; where one was not measured, there is none."""


class TableSpec(Spec):
    """The fields of a table."""

    reports: dict[fields.Name, fields.Refs[Report]]
    """Who stands in the table, by label: evaluations. A family stands for its members, each labelled with its coordinates."""
    exam: fields.Name = "questions"
    """The task of theirs that the chart shows and whose answers are paired."""
    columns: fields.Texts = ()
    """The measures that are shown, in this order; when not given, all that some of them have."""
    pairs: dict[fields.Name, Annotated[Pair, BeforeValidator(read_pair)]] = {}
    """Paired tests on the same questions, by name: `{adapter: [both, prompts]}` asks whether `both` is better than `prompts`."""
    verdict: Judged | None = None
    """One question, answered by the numbers of one of them."""
    placement: Placement = Placement()
    """Where it is made."""


class Table(Kind[TableSpec]):
    """Puts reports side by side: what each measured, whether differences are more than chance, and what that answers."""

    name = "table"
    section = "tables"
    Spec = TableSpec
    gives = Report
    measures = {
        "verdict": Measure("1 when the question is answered with yes, 0 with no; without what it was asked of, there is none"),
        "*.*": Measure("a measure of one of the reports, below its label"),
        "*.*.*": Measure("a measure of a task of one of the reports"),
        "pair.*.delta": Measure("by how much the share of right answers is larger", "share"),
        "pair.*.p": Measure("how likely such a difference is by chance: McNemar's test"),
    }
    only_real = ("*",)
    harness = ("telling.py",)
    shares = ("intervals.py", "looks.py")

    def measured(self, spec: TableSpec) -> Mapping[str, Measure]:
        """Below the labels that were given; of a family only its rows decide how they go on."""
        told = {f"{label}*": Measure("a measure of a report") for label in spec.reports}
        for name in spec.pairs:
            told |= {f"pair.{name}.{each}": self.measures[f"pair.*.{each}"] for each in ("delta", "p")}
        return {**told, **({"verdict": self.measures["verdict"]} if spec.verdict is not None else {})}

    def facts(self, case: Case[TableSpec]) -> Report:
        """One table."""
        return Report(())

    def check(self, case: Case[TableSpec]) -> Iterable[Objection]:
        """Labels that stand in the table, an exam that all of those have whose answers are paired."""
        spec, members = case.spec, _members(case)
        if len(members) < 2:
            yield Objection("reports", "one report makes no table", "`reports: {LABEL: EVALUATION, OTHER: EVALUATION}`")
        for label in spec.reports:
            if label in RESERVED:
                yield Objection(f"reports.{label}", f"`{label}` begins measures of the table itself", "choose another label")
        for where, label in _named(spec):
            if label not in members:
                close = nearest(label, members)
                every = ", ".join(f"`{each}`" for each in members)
                yield Objection(
                    where, f"`{label}` does not stand in the table", f"did you mean `{close}`?" if close else f"there are {every}"
                )
        for label in dict.fromkeys(each for pair in spec.pairs.values() for each in (pair.better, pair.than)):
            facts = members.get(label, ("", Report()))[1]
            if facts.tasks is not None and spec.exam not in facts.tasks:
                says = f"`{label}` has no task `{spec.exam}` whose answers could be paired"
                yield Objection("exam", says, f"it has {', '.join(f'`{each}`' for each in facts.tasks) or 'none'}")
        if spec.verdict is not None and not spec.verdict.when:
            yield Objection("verdict.when", "the question is answered by nothing", "`when: [questions.accuracy >= 75%]`")
        yield from _unmeasured(spec, members)

    def estimate(self, case: Case[TableSpec]) -> Estimate:
        """Reading and drawing."""
        return Estimate(Interval(1, 6, "a table and a chart"), memory=300_000_000, disk=2_000_000)

    def recipe(self, case: Case[TableSpec]) -> Recipe:
        """Who stands in it and where their reports lie, what is compared, and what decides."""
        spec = case.spec
        return Recipe(
            {
                "about": spec.verdict.question if spec.verdict is not None else "",
                "reports": {label: path for label, (path, _) in _members(case).items()},
                "exam": spec.exam,
                "columns": list(spec.columns),
                "pairs": {name: [each.better, each.than] for name, each in spec.pairs.items()},
                "of": spec.verdict.of if spec.verdict is not None else "",
                "when": [_bound(each) for each in spec.verdict.when] if spec.verdict is not None else [],
                "rehearsal": case.twin,
            }
        )


def _members(case: Case[TableSpec]) -> dict[str, tuple[str, Report]]:
    """By label: where its report lies below `in/reports`, and its facts."""
    told: dict[str, tuple[str, Report]] = {}
    for label in case.spec.reports:
        found = case.every(f"reports.{label}")
        several = len({path.partition("/")[0] for path, _ in found if path[:1].isdigit()}) > 1
        for path, facts in found:
            parts = [part for each in path.split("/") for part in each.split(",")]
            names = [each.partition("=")[2] if "=" in each else each for each in parts if "=" in each or (several and each)]
            where = "/".join(part for part in (label, path) if part)
            told["-".join([label, *names])] = (where, facts if isinstance(facts, Report) else Report())
    return told


def _named(spec: TableSpec) -> Iterable[tuple[str, str]]:
    """Every label that is named, and where."""
    for name, pair in spec.pairs.items():
        yield f"pairs.{name}", pair.better
        yield f"pairs.{name}", pair.than
    if spec.verdict is not None:
        yield "verdict.of", spec.verdict.of


def _unmeasured(spec: TableSpec, members: Mapping[str, tuple[str, Report]]) -> Iterable[Objection]:
    """Columns that none of them has, and bounds on what the one that is asked does not measure."""
    told = {label: facts.measures for label, (_, facts) in members.items()}
    if None not in told.values():
        every = [each for measures in told.values() for each in measures or ()]
        for at, column in enumerate(spec.columns):
            if not known(column, every):
                says = f"none of the reports measures `{column}`"
                yield Objection(f"columns.{at}", says, guess(column, every, listed="they measure"))
    if spec.verdict is None:
        return
    mine = told.get(spec.verdict.of)
    for at, gate in enumerate(spec.verdict.when if mine is not None else ()):
        for measure in filter(None, (gate.measure, gate.against)):
            if not known(measure, mine or ()):
                says = f"`{spec.verdict.of}` does not measure `{measure}`"
                yield Objection(f"verdict.when.{at}", says, guess(measure, mine or (), listed="it measures"))


def _bound(gate: Gate) -> dict[str, Any]:
    """A gate without the line that it stands in: that changes nothing."""
    told = {"says": str(gate), "measure": gate.measure, "sign": gate.sign, "bound": gate.bound}
    return {**told, "against": gate.against} if gate.against else told
