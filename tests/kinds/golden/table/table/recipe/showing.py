"""What a person looks at: the table in Markdown, one chart, and one page with the verdict that needs nothing else."""

import base64
import html
import io
import json
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from beside import columns_of
from looks import INK, LIGHT, OTHERS, OURS, STYLE, shown
from matplotlib import pyplot as plt

SURE = 0.05  # a smaller chance counts as a difference
MORE = """
body { max-width: 72rem }
.verdict { border-left: 6px solid var(--line); padding: .2rem 1rem; margin: 1.4rem 0 }
.verdict.yes { border-color: var(--good) } .verdict.no { border-color: var(--bad) }
.verdict strong { font-size: 1.35rem } .verdict ul { list-style: none; padding: 0; margin: .4rem 0 }
.wide { overflow-x: auto }
"""


def interval(measures, name):
    """`95.0 % (91.2 to 97.3)` where its ends are known."""
    value = shown(name, measures[name])
    low, high = measures.get(f"{name}.low"), measures.get(f"{name}.high")
    if low is None or high is None:
        return value
    ends = [f"{100 * each:.0f}" if value.endswith("%") else shown(name, each) for each in (low, high)]
    return f"{value} ({' to '.join(ends)})"


def cell(each, name):
    """One number of one report; a dash where it has none."""
    return interval(each["measures"], name) if name in each["measures"] else "-"


WORDS = {True: "Yes", False: "No", None: "No answer"}
MARKS = {True: "✓", False: "✗", None: "?"}
COLOURS = {True: "right", False: "wrong", None: "open"}


def answer(told):
    """The verdict as a sentence."""
    verdict = told["verdict"]
    return f"{verdict['question']} {WORDS[verdict['yes']]}, by the numbers of {verdict['of']}"


def markdown(told):
    """Verdict, table, tests."""
    names = columns_of(told)
    lines = ["**rehearsal**: scores of twins, made to show that all of it runs.", ""] if told["rehearsal"] else []
    if told["verdict"]:
        lines += [f"**{answer(told)}.**", ""]
        lines += [f"- {MARKS[each['holds']]} {each['says']}: {_value(each)}" for each in told["verdict"]["bounds"]] + [""]
    lines += [f"| | model | {' | '.join(names)} |", f"|{'---|' * (len(names) + 2)}"]
    for label, each in told["reports"].items():
        lines.append(f"| {label} | {_model(each)} | {' | '.join(cell(each, name) for name in names)} |")
    if told["pairs"]:
        lines += ["", "| test | difference | p | |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in tests(told)]
    return "\n".join(lines) + "\n"


def _value(each):
    return "not measured" if each["value"] is None else shown(each["measure"], each["value"])


def _model(each):
    return " · ".join(part for part in (each["model"], each["format"]) if part)


def tests(told):
    """One row a pair: what is compared, the difference in points, its chance, and that in words."""
    for name, each in told["pairs"].items():
        only = f"{each['only'][0]} that only {each['better']} got right, {each['only'][1]} that only {each['than']} did"
        says = "no difference that is more than chance" if each["p"] >= SURE else "better" if each["delta"] > 0 else "worse"
        chance = "< 0.0001" if each["p"] < 1e-4 else f"{each['p']:.4f}"
        yield f"{name}: {each['better']} against {each['than']}", f"{100 * each['delta']:+.1f} points", chance, f"{says}: {only}"


def picture(told):
    """Beside each other: the share of right answers with its interval, then what each costs: prompt tokens, first token."""
    costs = [("prompt_tokens", "tokens of a prompt"), ("first_token", "first token, ms")]
    panels = [(f"{told['exam']}.accuracy", "right answers"), *costs]
    drawn = [(title, values) for name, title in panels if any((values := _column(told, name)).values())]
    labels = list(told["reports"])
    if not drawn:
        return None
    sizes = {"figsize": (10, 1.4 + 0.42 * len(labels)), "width_ratios": [2, 1, 1][: len(drawn)]}
    figure, axes = plt.subplots(1, len(drawn), dpi=120, sharey=True, squeeze=False, **sizes)
    places = range(len(labels))[::-1]
    best = told["verdict"]["of"] if told["verdict"] else ""
    colours = [OURS if each == best else OTHERS for each in labels]
    for axis, (title, values) in zip(axes[0], drawn, strict=True):
        _panel(axis, title, [values.get(label) for label in labels], places, colours)
    axes[0][0].set_yticks(places, labels)
    figure.tight_layout()
    kept = io.BytesIO()
    figure.savefig(kept, metadata={"Software": None})
    plt.close(figure)
    return kept.getvalue()


def _column(told, name):
    """By label: value, low, high; a task whose name is not known is found by its measure."""
    found = {}
    for label, each in told["reports"].items():
        whole = next((what for what in each["measures"] if what == name or what.endswith(f".{name}")), None)
        if whole is None:
            continue
        scale = 100 if name.endswith("accuracy") else 1000 if name == "first_token" else 1
        value = scale * each["measures"][whole]
        found[label] = (value, *(scale * each["measures"].get(f"{whole}.{end}", value / scale) for end in ("low", "high")))
    return found


def _panel(axis, title, bars, places, colours):
    shares = title == "right answers"
    for place, bar, colour in zip(places, bars, colours, strict=True):
        if bar is None:
            continue
        value, low, high = bar
        axis.barh(place, value, color=colour, height=0.62)
        if shares:
            reach = [[max(0, value - low)], [max(0, high - value)]]
            axis.errorbar(value, place, xerr=reach, fmt="none", ecolor=INK, elinewidth=1.2, capsize=3)
        text = f" {value:.1f} %" if shares else f" {value:,.1f}" if value < 10 else f" {value:,.0f}"
        axis.text(high + 1 if shares else value, place, text, va="center", fontsize=9, color=INK)
    most = max(bar[2] for bar in bars if bar is not None)
    axis.set_xlim(0, 118 if shares else most * 1.35 or 1)
    if shares:
        axis.set_xticks(range(0, 101, 25), [f"{each} %" for each in range(0, 101, 25)])
    axis.set_title(title, fontsize=10, loc="left", color=INK)
    axis.grid(axis="x", color=LIGHT)
    axis.set_axisbelow(True)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(length=0, colors=INK, labelsize=9)


def page(told, chart):
    """Verdict, chart, table, tests."""
    escape = html.escape
    title = told["verdict"]["question"] if told["verdict"] else "Evaluations, side by side"
    mark = ' <span class="rehearsal">rehearsal</span>' if told["rehearsal"] else ""
    parts = [f"<h1>{escape(title)}{mark}</h1>"]
    if told["rehearsal"]:
        says = "Scores of twins: small models made to show that all of it runs. They say nothing of the real ones."
        parts.append(f"<p class=soft>{says}</p>")
    if told["verdict"]:
        parts.append(_verdict(told["verdict"]))
    if chart is not None:
        data = base64.b64encode(chart).decode()
        parts.append(f'<img alt="right answers, prompt tokens and first token of each" src="data:image/png;base64,{data}">')
    parts += ["<h2>All of them</h2>", _table(told)]
    if told["pairs"]:
        rows = "".join(f"<tr>{''.join(f'<td>{escape(each)}</td>' for each in row)}</tr>" for row in tests(told))
        about = "The same questions to both: McNemar's exact test. p is how likely so uneven a split is by chance."
        heads = "<tr><th>test</th><th>difference</th><th>p</th><th></th></tr>"
        parts.append(f"<h2>Is it more than chance?</h2><p class=soft>{about}</p><table>{heads}{rows}</table>")
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}{MORE}</style></head><body>\n{body}\n</body></html>\n'


def _verdict(verdict):
    word = WORDS[verdict["yes"]]
    items = []
    for each in verdict["bounds"]:
        mark = f'<span class="{COLOURS[each["holds"]]}">{MARKS[each["holds"]]}</span>'
        items.append(f"<li>{mark} {html.escape(each['says'])}: {html.escape(_value(each))}</li>")
    by = f" by the numbers of {html.escape(verdict['of'])}"
    return f'<div class="verdict {word.lower()}"><strong>{word}</strong>{by}<ul>{"".join(items)}</ul></div>'


def _table(told):
    names = columns_of(told)
    heads = "".join(f"<th class=n>{html.escape(name).replace('.', '.<wbr>')}</th>" for name in names)
    lines = [f"<div class=wide><table><tr><th></th><th>model</th>{heads}</tr>"]
    for label, each in told["reports"].items():
        cells = "".join(f"<td class=n>{html.escape(cell(each, name))}</td>" for name in names)
        lines.append(f"<tr><td>{html.escape(label)}</td><td>{html.escape(_model(each))}</td>{cells}</tr>")
    return "\n".join(lines) + "</table></div>"


def write(told, home="out"):
    """Table, chart, page, and all of it as data."""
    chart = picture(told)
    if chart is not None:
        Path(home, "chart.png").write_bytes(chart)
    Path(home, "table.md").write_text(markdown(told), encoding="utf-8")
    Path(home, "index.html").write_text(page(told, chart), encoding="utf-8")
    kept = {**told, "reports": {label: {**each, "rights": None} for label, each in told["reports"].items()}}
    text = json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False)
    Path(home, "report.json").write_text(text + "\n", encoding="utf-8")
