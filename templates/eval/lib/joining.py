"""The reports of tasks -> one report: their measures under the task's name, and how the model stands against others."""

import json
import shutil
from pathlib import Path

from intervals import mcnemar
from signed_ranks import less

PARTS = Path("in/parts")
LESS_IS_BETTER = (
    "perplexity",
    "bits_per_byte",
    "first_token",
    "answer_p50",
    "answer_p95",
    "memory_peak",
    "prompt_tokens",
    "cut",
)


def joined(tasks, rivals):
    """The report, and the measures of the whole."""
    report, measures = {"tasks": {}, "against": {}}, {}
    for name, kind in tasks.items():
        told = _read(name)
        report["tasks"][name] = {**told, "kind": kind, "intervals": _intervals(told["measures"])}
        measures |= {f"{name}.{what}": value for what, value in told["measures"].items()}
    for name, kind in tasks.items():
        others = {at: _read(f"against-{at}-{name}") for at in range(1, rivals + 1) if _part(f"against-{at}-{name}").is_dir()}
        if others:
            mine = report["tasks"][name]
            more = against(name, mine["measures"], {at: each["measures"] for at, each in others.items()}, mine.get("less", ()))
            report["against"][name] = {str(at): each["measures"] for at, each in others.items()}
            if kind == "exam":
                best = _best("accuracy", {at: each["measures"] for at, each in others.items()})
                more[f"delta.{name}.p"] = mcnemar(_rights(name), _rights(f"against-{best}-{name}"))
            measures |= more
        if _part(f"untrained-{name}").is_dir():
            told = UNTRAINED[kind](name, report["tasks"][name])
            measures |= {f"untrained.{name}.{what}": value for what, value in told.items()}
    return report, measures


# --- a twin, and its model before it learned anything: what it was, and how likely it is by chance that it is better now ---


def answered(name, report):
    """Right answers, of all questions and of each group."""
    ours, theirs = _rows(name), _rows(f"untrained-{name}")
    told = {}
    for path, group in {"": None, **report["groups"]}.items():
        inside = [at for at, row in enumerate(ours) if group is None or row["groups"][group["column"]] == group["value"]]
        now, before = ([rows[at]["right"] for at in inside] for rows in (ours, theirs))
        where = f"{path}." if path else ""
        told[f"{where}accuracy"] = sum(before) / len(before)
        told[f"{where}p"] = mcnemar(now, before) if sum(now) > sum(before) else 1.0
    return told


def foretold(name, _):
    """Texts, window by window."""
    ours, theirs = _rows(name), _rows(f"untrained-{name}")
    if [row["tokens"] for row in ours] != [row["tokens"] for row in theirs]:
        raise SystemExit(
            f"error: `{name}` was read in other tokens before the model learned, and windows of other text cannot be compared: "
            "give the evaluation a `twin:` list"
        )
    before = _read(f"untrained-{name}")["measures"]
    now_and_then = ([row["nats"] for row in rows] for rows in (ours, theirs))
    return {**{what: before[what] for what in ("perplexity", "bits_per_byte") if what in before}, "p": less(*now_and_then)}


def written(name, report):
    """Answers beside their reference texts, each by its own score."""
    ours, theirs = _rows(name), _rows(f"untrained-{name}")
    before, told = _read(f"untrained-{name}")["measures"], {}
    for what, value in report["measures"].items():
        told[what] = before[what]
        then, now = ([row["scores"][what] for row in rows] for rows in (theirs, ours))
        told[f"{what}.p"] = less(then, now) if value > before[what] else 1.0
    return told


UNTRAINED = {"exam": answered, "perplexity": foretold, "text": written}


def against(name, ours, others, less=()):
    """Each measure of the others, of the best of them, and how much better the model is."""
    told = {}
    for what, value in ours.items():
        having = {at: each for at, each in others.items() if what in each}
        for at, each in having.items():
            told[f"against.{at}.{name}.{what}"] = each[what]
        if having:
            best = having[_best(what, having, less)][what]
            told[f"against.best.{name}.{what}"] = best
            told[f"delta.{name}.{what}"] = best - value if _less(what, less) else value - best
    return told


def _best(what, others, less=()):
    return (min if _less(what, less) else max)(others, key=lambda at: others[at][what])


def _less(what, less):
    """Whether less is better: of what we measure, and of what the harness says so; an end of an interval is as its middle."""
    what = what.removesuffix(".low").removesuffix(".high")
    return what in less or what.split(".")[-1] in LESS_IS_BETTER


def _part(name):
    return PARTS / name


def _read(name):
    told = json.loads((_part(name) / "report.json").read_text(encoding="utf-8"))
    timed = _part(name) / "times.json"
    return {**told, "measures": {**told["measures"], **(json.loads(timed.read_text()) if timed.exists() else {})}}


def _rows(name):
    return rows_in(_part(name) / "rows.jsonl")


def rows_in(path):
    """The rows of a file that may not be there: a line feed ends one, and no other line end that an answer may hold."""
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    return [json.loads(each) for each in lines if each]


def _rights(name):
    return [row["right"] for row in _rows(name)]


def _intervals(measures):
    """The ends that some measures have, by the measure."""
    return {
        name.removesuffix(".low"): [value, measures[f"{name.removesuffix('.low')}.high"]]
        for name, value in measures.items()
        if name.endswith(".low")
    }


def write(report, tasks):
    """The report and every row."""
    for name in tasks:
        home = Path("out/tasks", name)
        home.mkdir(parents=True)
        rows = _part(name) / "rows.jsonl"
        if rows.exists():
            shutil.copyfile(rows, home / "rows.jsonl")
    text = json.dumps(report, indent=1, sort_keys=True, ensure_ascii=False)
    Path("out/report.json").write_text(text + "\n", encoding="utf-8")
