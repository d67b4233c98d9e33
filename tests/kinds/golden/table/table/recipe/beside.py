"""Reports of evaluations -> what they measured by label, whether two differ by more than chance, whether bounds hold."""

import json
import math
import operator
from pathlib import Path

from intervals import mcnemar

SIGNS = {"<=": operator.le, ">=": operator.ge, "!=": operator.ne, "=": operator.eq, "<": operator.lt, ">": operator.gt}


def read(path, home="in/reports"):
    """One report: what was evaluated, every measure by its task, and the answers of its exams."""
    folder = Path(home, path)
    told = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    measures = {f"{name}.{what}": value for name, task in told["tasks"].items() for what, value in task["measures"].items()}
    rows = {}
    for name in told["tasks"]:
        file = folder / "tasks" / name / "rows.jsonl"
        lines = file.read_text(encoding="utf-8").split("\n") if file.exists() else []  # an answer may hold other line ends
        found = [json.loads(each) for each in lines if each]
        # a question by its place and by what it asks: two exams of one length are not the same questions
        graded = [each for each in found if each.get("right") is not None]
        rows[name] = {f"{each['id']} {each.get('question', '')}": bool(each["right"]) for each in graded}
    return {"model": told["model"], "format": told["format"], "on": told["on"], "measures": measures, "rights": rows}


def ordered(reports, exam):
    """The best one last; those that did not sit the exam first."""
    return dict(sorted(reports.items(), key=lambda each: (each[1]["measures"].get(f"{exam}.accuracy", -1.0), each[0])))


def paired(reports, exam, better, than):
    """How much larger the share is, on the same questions, and how likely that is by chance."""
    ours, theirs = (reports[label]["rights"].get(exam, {}) for label in (better, than))
    if not ours or ours.keys() != theirs.keys():
        only = len(ours.keys() ^ theirs.keys())
        says = f"`{better}` and `{than}` were not asked the same questions of `{exam}`: {only:,} have only one of them"
        raise SystemExit(f"error: {says}. Give both the same exam, and the same kind of prompts")
    a, b = [ours[each] for each in ours], [theirs[each] for each in ours]
    only = [sum(x and not y for x, y in zip(a, b, strict=True)), sum(y and not x for x, y in zip(a, b, strict=True))]
    return {
        "better": better,
        "than": than,
        "delta": (sum(a) - sum(b)) / len(a),
        "p": mcnemar(a, b),
        "only": only,
        "questions": len(a),
    }


def answered(question, label, bounds, reports):
    """Each bound with its number; yes when all of them hold, no when one does not, and else no answer: one was not measured."""
    measures = reports[label]["measures"]
    told = []
    for each in bounds:
        value, bound = measures.get(each["measure"]), each["bound"] + measures.get(each.get("against"), 0.0)
        missing = value is None or (each.get("against") and each["against"] not in measures)
        holds = None if missing else not math.isnan(value) and bool(SIGNS[each["sign"]](value, bound))
        told.append({"says": each["says"], "measure": each["measure"], "value": value, "holds": holds})
    seen = [each["holds"] for each in told]
    yes = False if False in seen else None if None in seen else True
    return {"question": question, "of": label, "yes": yes, "bounds": told}


def measures_of(told):
    """All of it, by name."""
    found = {f"{label}.{what}": value for label, each in told["reports"].items() for what, value in each["measures"].items()}
    for name, each in told["pairs"].items():
        found |= {f"pair.{name}.delta": each["delta"], f"pair.{name}.p": each["p"]}
    yes = told["verdict"]["yes"] if told["verdict"] else None
    return found if yes is None else {**found, "verdict": float(yes)}


def columns_of(told):
    """The measures that are shown: those that were asked for, or all but the ends of intervals."""
    if told["columns"]:
        return told["columns"]
    every = dict.fromkeys(what for each in told["reports"].values() for what in each["measures"])
    return [what for what in every if not what.endswith((".low", ".high"))]
