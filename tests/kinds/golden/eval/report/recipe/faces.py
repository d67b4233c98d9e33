"""What a person looks at: a table in Markdown, a picture a task, and one page that holds all of it and needs nothing else."""

import base64
import html
import io
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from joining import rows_in
from looks import INK, LIGHT, OTHERS, OURS, STYLE, shown
from matplotlib import pyplot as plt

SHOWN = 200  # rows of a task on the page


def lines_of(report):
    """task, measure, value, its interval, the best of the others."""
    for name, task in report["tasks"].items():
        others = report["against"].get(name, {})
        for what, value in task["measures"].items():
            if what.endswith((".low", ".high")):
                continue
            span = task["intervals"].get(what)
            between = f"{shown(what, span[0])} to {shown(what, span[1])}" if span else ""
            beside = [shown(what, each[what]) if what in each else "" for each in others.values()]
            yield name, what, shown(what, value), between, beside


def table(report):
    """The numbers in Markdown."""
    rivals = max((len(each) for each in report["against"].values()), default=0)
    heads = ["task", "measure", "value", "interval", *(f"against {at}" for at in range(1, rivals + 1))]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for name, what, value, between, others in lines_of(report):
        cells = [name, what, value, between, *others, *[""] * (rivals - len(others))]
        lines.append(f"| {' | '.join(cells)} |")
    head = [f"**rehearsal**: scores of a twin, made to show that all of it runs.{chr(10)}"] if report["rehearsal"] else []
    return "\n".join([*head, *lines]) + "\n"


def picture(name, task, others):
    """Bars with their intervals: all, each group, and the other models; nothing where there is nothing to compare."""
    bars = [(what.removesuffix(".accuracy"), value) for what, value in task["measures"].items() if what.endswith("accuracy")]
    if not bars:
        return None
    bars = [("all" if label == "accuracy" else label, value) for label, value in bars]
    spans = [
        task["intervals"].get("accuracy" if label == "all" else f"{label}.accuracy", (value, value)) for label, value in bars
    ]
    figure, axes = plt.subplots(figsize=(8, 1.1 + 0.45 * (len(bars) + len(others))), dpi=120)
    labels = [*(label for label, _ in bars), *(f"against {at}" for at in others)]
    values = [100 * value for _, value in bars] + [100 * each["accuracy"] for each in others.values()]
    ends = [*spans, *((each["accuracy.low"], each["accuracy.high"]) for each in others.values())]
    reach = [
        [max(0, value - 100 * low) for value, (low, _) in zip(values, ends, strict=True)],
        [max(0, 100 * high - value) for value, (_, high) in zip(values, ends, strict=True)],
    ]
    places = range(len(labels))[::-1]
    axes.barh(places, values, color=[OURS] * len(bars) + [OTHERS] * len(others), height=0.62)
    axes.errorbar(values, places, xerr=reach, fmt="none", ecolor=INK, elinewidth=1.2, capsize=3)
    for at, value, high in zip(places, values, reach[1], strict=True):
        axes.text(min(value + high + 1.5, 103), at, f"{value:.1f} %", va="center", fontsize=9, color=INK)
    axes.set_yticks(places, labels)
    axes.set_xlim(0, 112)
    axes.set_xticks(range(0, 101, 25), [f"{each} %" for each in range(0, 101, 25)])
    axes.set_title(f"{name}: right answers, with the interval of nineteen times in twenty", fontsize=10, loc="left", color=INK)
    axes.grid(axis="x", color=LIGHT)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, colors=INK, labelsize=9)
    figure.tight_layout()
    kept = io.BytesIO()
    figure.savefig(kept, metadata={"Software": None})
    plt.close(figure)
    return kept.getvalue()


def page(report, pictures):
    """All of it as one file."""
    escape = html.escape
    title = report["model"] or "A model"
    about = " · ".join(each for each in (report["format"], f"on {report['on']}" if report["on"] else "") if each)
    marks = ' <span class="rehearsal">rehearsal</span>' if report["rehearsal"] else ""
    parts = [f"<h1>{escape(title)}, evaluated{marks}</h1><p class=soft>{escape(about)}</p>"]
    for name, task in report["tasks"].items():
        parts.append(f"<h2>{escape(name)}</h2><p class=soft>{escape(task['kind'])}{_facts(task)}</p>")
        if name in pictures:
            data = base64.b64encode(pictures[name]).decode()
            parts.append(f'<img alt="{escape(name)}: shares and intervals" src="data:image/png;base64,{data}">')
        parts.append(_numbers(report, name))
        parts.append(_rows(name))
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body>\n{body}\n</body></html>\n'


def _facts(task):
    told = [
        f"{name} {task[name]}"
        for name in ("match", "window", "stride", "begins", "engine", "isolation", "judge")
        if task.get(name)
    ]
    return html.escape("".join(f" · {each}" for each in told))


def _numbers(report, name):
    rivals = report["against"].get(name, {})
    heads = "".join(f"<th class=n>against {at}</th>" for at in rivals)
    lines = [f"<table><tr><th>measure</th><th class=n>value</th><th>interval</th>{heads}</tr>"]
    for task, what, value, between, others in lines_of(report):
        if task == name:
            cells = "".join(f"<td class=n>{each}</td>" for each in others)
            lines.append(f"<tr><td>{html.escape(what)}</td><td class=n>{value}</td><td>{between}</td>{cells}</tr>")
    return "\n".join(lines) + "</table>"


def _rows(name):
    rows = rows_in(Path("out/tasks", name, "rows.jsonl"))
    if not rows or "answer" not in rows[0]:
        return ""
    rows.sort(key=lambda row: bool(row.get("right", True)))  # what went wrong is looked at first
    order = ", wrong ones first" if "right" in rows[0] else ""
    lines = [f"<details><summary>{min(len(rows), SHOWN):,} of {len(rows):,} answers{order}</summary><table>"]
    lines.append("<tr><th></th><th>question</th><th>expected</th><th>answer</th></tr>")
    for row in rows[:SHOWN]:
        mark = (
            "" if row.get("right") is None else '<span class="right">✓</span>' if row["right"] else '<span class="wrong">✗</span>'
        )
        cells = "".join(
            f"<td class=said>{html.escape(str(row.get(each, '')))}</td>" for each in ("question", "expected", "answer")
        )
        lines.append(f"<tr><td>{mark}</td>{cells}</tr>")
    return "\n".join(lines) + "</table></details>"


def write(report, home="out"):
    """Table, pictures, page."""
    pictures = {}
    for name, task in report["tasks"].items():
        others = {at: each for at, each in report["against"].get(name, {}).items() if "accuracy" in each}
        made = picture(name, task, others)
        if made is not None:
            pictures[name] = made
            Path(home, f"{name}.png").write_bytes(made)
    Path(home, "table.md").write_text(table(report), encoding="utf-8")
    Path(home, "index.html").write_text(page(report, pictures), encoding="utf-8")
