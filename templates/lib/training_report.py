"""The report of a run: one page that needs nothing else, and one picture, from what the run noted of itself."""

import html
import json
import math
import re
import sys
from pathlib import Path

HOME = Path("report")
WIDTH, NARROW, LEFT, BOTTOM, TOP, RIGHT = 860, 420, 56, 30, 12, 18
MOST = 400  # points of a line: a screen shows no more
FIGURES = (  # of measures.json: name, words, how it is said
    ("train.loss", "train loss", "number"),
    ("test.loss", "test loss", "number"),
    ("test.bits_per_byte", "bits a byte", "number"),
    ("reward.accuracy", "reward accuracy", "share"),
    ("tokens_per_second", "tokens/s", "count"),
    ("mfu", "of peak", "share"),
    ("memory_peak", "memory", "bytes"),
    ("trained_share", "of tokens learned", "share"),
)


# --- what the run noted ---


def rows_of(path):
    """Every whole line of the history."""
    told = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            told.append(json.loads(line))
        except ValueError:
            break
    return told


def read(path, otherwise):
    """What a file of JSON says."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return otherwise


def line_of(rows, name):
    """The points of one number: step and value; what is no number is left out."""
    found = ((row["step"], row.get(name)) for row in rows if isinstance(row.get("step"), int))
    return [(step, value) for step, value in found if isinstance(value, int | float) and math.isfinite(value)]


def fewer(points, most=MOST):
    """The same line with at most so many points: each the mean of those that it stands for."""
    size = -(-len(points) // most) if points else 1
    parts = (points[at : at + size] for at in range(0, len(points), size))
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts] if size > 1 else points


def calm(points):
    """A line through the middle of a restless one: the mean of the points around each; nothing of a short one."""
    if len(points) < 40:
        return []
    half, told = len(points) // 40, []
    for at, (step, _) in enumerate(points):
        near = min(half, at, len(points) - 1 - at)  # as many before as behind it
        around = points[at - near : at + near + 1]
        told.append((step, sum(value for _, value in around) / len(around)))
    return told


# --- one chart, as SVG ---


def ticks(low, high, count=4):
    """Round numbers from low to high."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= rough * 0.75)
    first = math.ceil(low / step - 1e-9)
    return [(first + at) * step for at in range(int((high - first * step) / step + 1e-9) + 1)]


def said(value, kind="number"):
    """A number for people."""
    if kind == "share":
        return f"{100 * value:.3g} %"
    if kind == "bytes":
        return f"{value / 1e9:.2f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"
    if kind == "count":
        return f"{value:,.0f}"
    if value and (abs(value) < 1e-3 or abs(value) >= 1e5):
        mantissa, _, power = f"{value:.2e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(power)}"
    return f"{value:.4g}"


def chart(title, lines, *, kind="number", zero=False, width=WIDTH):
    """Lines over steps: (name, class, points, whether each point is marked); nothing without points."""
    lines = [each for each in lines if each[2]]
    values = [value for _, _, points, _ in lines for _, value in points]
    steps = [step for _, _, points, _ in lines for step, _ in points]
    if not values:
        return ""
    low, high = min(values), max(values)
    low = 0.0 if zero else low
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    low, high = low if zero else low - room, high + room
    first, last = min(steps), max(*steps, min(steps) + 1)

    height = 240 if width == WIDTH else 180

    def across(step):
        return LEFT + (step - first) / (last - first) * (width - LEFT - RIGHT)

    def up(value):
        return height - BOTTOM - (value - low) / (high - low) * (height - BOTTOM - TOP)

    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(title)} over steps">']
    for value in ticks(low, high):
        at = f"{up(value):.1f}"
        parts += [
            f'<line class="grid" x1="{LEFT}" x2="{width - RIGHT}" y1="{at}" y2="{at}"/>',
            f'<text class="tick" x="{LEFT - 8}" y="{at}" dy="4" text-anchor="end">{said(value, kind)}</text>',
        ]
    parts += [
        f'<text class="tick" x="{across(step):.1f}" y="{height - 10}" text-anchor="middle">{step:,.0f}</text>'
        for step in ticks(first, last, width // 110)
        if step == int(step)
    ]
    for name, style, points, marked in lines:
        shown = fewer(points)
        path = " ".join(f"{across(step):.1f},{up(value):.1f}" for step, value in shown)
        parts.append(f'<polyline class="{style}" points="{path}"/>' if len(shown) > 1 else "")
        parts += [
            f'<circle class="{style}" cx="{across(step):.1f}" cy="{up(value):.1f}" r="3">'
            f"<title>{name} {said(value, kind)} at step {step:,}</title></circle>"
            for step, value in (shown if marked or len(shown) == 1 else ())
        ]
    names = [f'<span class="{style}">{html.escape(name)}</span>' for name, style, _, _ in lines if name]
    key = f'<span class="key">{"".join(names)}</span>' if len(names) > 1 else ""
    return f"<figure><figcaption>{html.escape(title)}{key}</figcaption>{''.join(parts)}</svg></figure>"


# --- the page ---

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fff; --soft: #667; --line: #e3e5ea; --card: #f6f7f9;
  --one: #2f6fde; --two: #d9480f; --bad: #b42318; --good: #18794e }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --paper: #15171a; --soft: #9aa3af; --line: #2c3036; --card: #1d2024;
  --one: #7aa8ff; --two: #ff9a5c; --bad: #ff8a80; --good: #6fd3a0 } }
@media print { :root { --ink: #000; --paper: #fff; --soft: #444; --line: #ccc; --card: #fff; --one: #1f4fbf; --two: #b93c0a }
  figure, tr, .figures div { break-inside: avoid } body { padding: 0 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.5rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2.5rem 0 .75rem }
p.what { color: var(--soft); margin: .25rem 0 1.5rem }
body > figure { margin-top: 2rem }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem }
.figures div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem }
.figures b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums }
.figures span { color: var(--soft); font-size: .85rem }
figure { margin: 0 0 1.5rem }
figcaption { font-weight: 600; display: flex; justify-content: space-between; gap: 1rem; flex-wrap: wrap }
svg { width: 100%; height: auto; display: block } .grid { stroke: var(--line) } .tick { fill: var(--soft); font-size: 12px }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round } polyline.one, circle.one { stroke: var(--one) }
polyline.two, circle.two { stroke: var(--two) } circle.two { fill: var(--paper); stroke-width: 2 } circle.one { fill: var(--one) }
polyline.faint { stroke: var(--one); stroke-width: 1; opacity: .35 }
.key { font-weight: 400; color: var(--soft); font-size: .85rem } .key span { margin-left: 1rem }
.key span::before { content: ""; display: inline-block; width: 1.1rem; border-top: 3px solid; vertical-align: middle;
  margin-right: .35rem }
.key .one::before { border-color: var(--one) } .key .two::before { border-color: var(--two) }
.key .faint::before { border-color: var(--one); opacity: .35 }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1.5rem }
@media (max-width: 40rem) { .pair { grid-template-columns: 1fr } }
table { border-collapse: collapse; width: 100%; font-size: .9rem } table.answers { table-layout: fixed }
th { text-align: left; color: var(--soft); font-weight: 500 }
th, td { padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td { white-space: pre-wrap; overflow-wrap: anywhere } td.number { text-align: right; font-variant-numeric: tabular-nums }
td.prompt { color: var(--soft) } th.prompt { width: 34% }
td.same { color: var(--good) } .none { color: var(--soft); font-style: italic }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem }
"""


def page(rows, answers, measures):
    """The whole page; `<!-- zyc: ... -->` are places for what only the project knows."""
    loss, test = fewer(line_of(rows, "loss")), line_of(rows, "test_loss")
    steps = max((step for step, _ in [*loss, *test]), default=0)
    middle = calm(loss)
    lines = [("each step", "faint", loss, False), ("train", "one", middle, False)] if middle else [("train", "one", loss, False)]
    speed = measures.get("tokens_per_second")
    share = measures["mfu"] / speed if measures.get("mfu") and speed else 0.0
    rate = line_of(rows, "tokens_per_second")[1:]  # the first step warms up
    used = [(step, value * share) for step, value in rate if share]
    small = [
        chart("Learning rate", [("", "one", line_of(rows, "learning_rate"), False)], zero=True, width=NARROW),
        chart("Tokens a second", [("", "one", rate, False)], kind="count", zero=True, width=NARROW),
        chart("Share of peak", [("", "one", used, False)], kind="share", zero=True, width=NARROW),
        chart("Gradient", [("", "one", line_of(rows, "grad_norm"), False)], zero=True, width=NARROW),
        chart("Reward", [("", "one", line_of(rows, "reward"), False)], width=NARROW),
        chart("Reward margin", [("", "one", line_of(rows, "rewards/margins"), False)], width=NARROW),
        chart("Distance to the reference (KL)", [("", "one", line_of(rows, "kl"), False)], width=NARROW),
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Training</title><style>{STYLE}</style></head><body>",
            "<h1><!-- zyc: name -->Training<!-- zyc: end --></h1>",
            f'<p class="what"><!-- zyc: what -->{steps:,} steps<!-- zyc: end --></p>',
            figures(measures),
            "<!-- zyc: predicted --><!-- zyc: end -->",
            chart("Loss", [*lines, ("test", "two", test, True)]) or '<p class="none">nothing was noted</p>',
            '<div class="pair">',
            *(each for each in small if each),
            "</div>",
            table_of(answers),
            "<footer>Made by the run itself, from history.jsonl, answers.json and measures.json.",
            "<!-- zyc: foot --><!-- zyc: end --></footer>",
            "</body></html>",
            "",
        ]
    )


def figures(measures):
    """The numbers of the whole run."""
    told = [(words, said(measures[name], kind)) for name, words, kind in FIGURES if isinstance(measures.get(name), int | float)]
    return '<div class="figures">' + "".join(f"<div><b>{value}</b><span>{words}</span></div>" for words, value in told) + "</div>"


def table_of(answers):
    """What the model answered before and after."""
    rows = [each for each in answers if isinstance(each, dict) and "prompt" in each]
    if not rows:
        return ""
    head = "".join(f"<th>{name}</th>" for name in ("wanted", "before", "after"))
    head = f'<h2>Answers before and after</h2><table class="answers"><tr><th class="prompt">asked</th>{head}</tr>'
    return head + "".join(map(row_of, rows)) + "</table>"


def row_of(each):
    """One question."""
    wanted = str(each.get("wanted") or "")
    cells = [
        f'<td class="prompt">{html.escape(shortened(str(each["prompt"])))}</td>',
        f"<td>{html.escape(shortened(wanted))}</td>",
    ]
    for when in ("before", "after"):
        answer = each.get(when)
        if answer is None:
            cells.append('<td class="none">not asked</td>')
            continue
        same = ' class="same"' if str(answer).strip() == wanted.strip() != "" else ""
        cells.append(f"<td{same}>{html.escape(shortened(str(answer))) or '<span class=none>nothing</span>'}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def shortened(text, most=600):
    """A text without its middle where it is long, and without lines in which there is nothing."""
    text = re.sub(r"\s*\n\s*\n\s*", "\n\n", text.strip())
    return text if len(text) <= most else f"{text[: most // 3]} […] {text[-most // 2 :]}"


# --- the picture ---


def picture(rows, path):
    """Loss with test loss over steps; whether there is a library that draws it."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    loss, test = fewer(line_of(rows, "loss")), line_of(rows, "test_loss")
    figure = Figure(figsize=(9, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    middle = calm(loss)
    if middle:
        axes.plot(*zip(*loss, strict=True), color="#2f6fde", alpha=0.3, linewidth=0.8, label="each step")
    if middle or loss:
        axes.plot(*zip(*(middle or loss), strict=True), color="#2f6fde", linewidth=1.8, label="train")
    if test:
        axes.plot(*zip(*test, strict=True), color="#d9480f", marker="o", markerfacecolor="white", label="test")
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.grid(color="#e3e5ea")
    axes.spines[["top", "right"]].set_visible(False)
    if loss or test:
        axes.legend(frameon=False)
    figure.savefig(path)
    return True


def main(home=HOME):
    """Write both, if the run noted anything; where nothing draws, the page stands alone."""
    rows = rows_of(Path("history.jsonl"))
    if not rows:
        return
    home.mkdir(exist_ok=True)
    told = page(rows, read(Path("answers.json"), []), read(Path("measures.json"), {}))
    (home / "index.html").write_text(told, encoding="utf-8")
    if not picture(rows, home / "loss.png"):
        print("no report/loss.png: pip install matplotlib")


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # noqa: BLE001  # a report that fails is no reason to lose a run
        sys.exit(f"no report: {type(error).__name__}: {error}")
