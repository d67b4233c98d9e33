"""Numbers as SVG: the graph from left to right, and lines over steps; plain text that stands in a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDE, HIGH, GAP, ROOM, LANE = 184, 80, 62, 24, 26  # of a card; between columns and rows; of an edge that passes
THIN, THICK = 1.5, 14.0
_LEAST = 0.6  # of its size, where a page is narrower: letters of eight pixels


@dataclass(frozen=True, slots=True)
class Card:
    """One node of the picture."""

    name: str
    kind: str
    state: str  # keep, run, maybe, resume, blocked
    lines: tuple[str, ...] = ()  # what is most worth knowing of it
    proof: str = ""  # holds, fails, open, or nothing
    inputs: tuple[str, ...] = ()


def columns(cards: Mapping[str, Card]) -> list[list[str]]:
    """The cards by how many stand before them, column by column."""
    depth: dict[str, int] = {}
    for name, card in cards.items():  # inputs first
        depth[name] = 1 + max((depth[each] for each in card.inputs), default=-1)
    # what only one reads stands beside its reader, not far at the left
    for name in reversed(list(cards)):
        readers = [depth[each.name] for each in cards.values() if name in each.inputs]
        if readers and not cards[name].inputs:
            depth[name] = min(readers) - 1
    told: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for name in cards:
        told[depth[name]].append(name)
    return [each for each in told if each]


def _middle(places: Sequence[int]) -> float:
    return sum(places) / len(places) if places else math.inf


def graph(cards: Mapping[str, Card], lost: Mapping[tuple[str, str], float]) -> str:
    """The picture: each edge as thick as the divergence that was measured on it, thin where none was."""
    told, routes = routed(cards)
    heights = [sum(HIGH + ROOM if each in cards else LANE for each in names) for names in told]
    height = max(heights, default=0)
    width = max(0, len(told) * (WIDE + GAP) - GAP)
    places: dict[str, tuple[float, float]] = {}  # the left middle of each
    for column, names in enumerate(told):
        at = (height - heights[column]) / 2
        for name in names:
            tall = HIGH + ROOM if name in cards else LANE
            places[name] = (column * (WIDE + GAP), at + tall / 2)
            at += tall
    least = round(_LEAST * width)  # below that nobody reads it: it is scrolled, and the page says so
    parts = [
        f"<style>@container drawing (width < {least}px) {{ .wider {{ display: block }} }}</style>",
        '<p class="note wider">It is wider than this window: scroll it sideways →</p><div class="scroll">',
        f'<svg class="graph" viewBox="-4 0 {width + 8} {height:.0f}" style="max-width:{width + 8}px;min-width:{least}px" ',
        'role="img" aria-label="the graph, inputs at the left">',
    ]
    for name, card in cards.items():
        parts += [_edge([places[each] for each in routes[source, name]], lost.get((source, name)), f"{source} → {name}")
                  for source in card.inputs]  # fmt: skip
    parts += [_card(card, places[name][0], places[name][1] - HIGH / 2) for name, card in cards.items()]
    return "".join((*parts, "</svg></div>"))


def routed(cards: Mapping[str, Card]) -> tuple[list[list[str]], dict[tuple[str, str], list[str]]]:
    """The columns with a lane of its own for each edge that passes one, and the way of each edge."""
    told = [list(each) for each in columns(cards)]
    column = {name: at for at, names in enumerate(told) for name in names}
    routes: dict[tuple[str, str], list[str]] = {}
    before: dict[str, list[str]] = {name: [] for name in cards}
    for name, card in cards.items():
        for source in card.inputs:
            way = [source, *(f"{source}\0{name}\0{at}" for at in range(column[source] + 1, column[name])), name]
            for at, lane in enumerate(way[1:-1], column[source] + 1):
                told[at].append(lane)
            for one, two in pairwise(way):
                before.setdefault(two, []).append(one)
            routes[source, name] = way
    for at in range(1, len(told)):
        places = {name: place for place, name in enumerate(told[at - 1])}
        told[at].sort(key=lambda name: _middle([places[each] for each in before[name] if each in places]))
    return told, routes


def _edge(way: Sequence[tuple[float, float]], kl: float | None, what: str) -> str:
    path = f"M{way[0][0] + WIDE:.1f},{way[0][1]:.1f}"
    for (left, high), (right, low) in pairwise(way):
        start, bend = left + WIDE, GAP / 2
        path += f" C{start + bend:.1f},{high:.1f} {right - bend:.1f},{low:.1f} {right:.1f},{low:.1f}"
        path += f" H{right + WIDE:.1f}" if (right, low) != way[-1] else ""
    title = escape(what + (f": KL {kl:.3g}" if kl is not None else ""))
    label = ""
    if kl is not None:
        x, y = way[-1][0] - GAP / 2, (way[-2][1] + way[-1][1]) / 2 - thickness(kl) / 2 - 5
        label = f'<text class="lost" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">KL {kl:.1g}</text>'
    named = "measured" if kl is not None else "plain"
    return f'<g class="edge {named}"><title>{title}</title><path d="{path}" stroke-width="{thickness(kl):.1f}"/>{label}</g>'


def thickness(kl: float | None) -> float:
    """A millionth of a nat is a hair, a tenth is a beam: each ten times as much is a step thicker."""
    if kl is None:
        return THIN
    if not math.isfinite(kl):
        return THICK
    return min(THICK, max(2.0, 2.0 + 2.2 * (math.log10(max(kl, 1e-9)) + 6)))


def _card(card: Card, x: float, y: float) -> str:
    state = escape(card.state)
    lines = [
        f'<text class="name" x="{x + 14:.0f}" y="{y + 25:.0f}">{escape(_short(card.name, 23))}</text>',
        f'<text class="kind" x="{x + 14:.0f}" y="{y + 43:.0f}">{escape(_short(card.kind, 30))}</text>',
    ]
    if card.lines:
        lines.append(f'<text class="figure" x="{x + 14:.0f}" y="{y + 66:.0f}">{escape(_fitting(card.lines, 27))}</text>')
    mark = {"holds": "✓", "fails": "✗", "open": "?"}.get(card.proof, "")
    if mark:
        lines.append(f'<text class="proof {card.proof}" x="{x + WIDE - 24:.0f}" y="{y + 46:.0f}">{mark}</text>')
    title = escape("\n".join([card.name, card.kind, card.state, *card.lines]))
    box = f'<rect x="{x:.0f}" y="{y:.0f}" width="{WIDE}" height="{HIGH}" rx="10"/>'
    return f'<g class="card {state}"><title>{title}</title>{box}{"".join(lines)}</g>'


def _fitting(lines: Sequence[str], most: int) -> str:
    """As many of them as there is room for."""
    told = " · ".join(lines)
    return told if len(told) <= most else _short(lines[0], most)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


# --- lines over steps ---

_LEFT, _TOP, _BOTTOM, _RIGHT = 52, 14, 26, 12
_MOST = 400  # points of a line: a screen shows no more

Points = Sequence[tuple[float, float]]


def chart(lines: Mapping[str, Points], *, width: int = 560, height: int = 220, zero: bool = False) -> str:
    """Lines with their names over the same steps; dots where there are few."""
    lines = {name: fewer(points) for name, points in lines.items() if points}
    everything = [point for points in lines.values() for point in points]
    if not everything:
        return ""
    low, high = min(value for _, value in everything), max(value for _, value in everything)
    low, high = (min(0.0, low) if zero else low), high if high > low else low + 1
    last = max(step for step, _ in everything)
    first = min(step for step, _ in everything)
    inner, tall = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM

    def place(step: float, value: float) -> str:
        along = (step - first) / (last - first) if last > first else 0.5
        return f"{_LEFT + along * inner:.1f},{_TOP + (1 - (value - low) / (high - low)) * tall:.1f}"

    label = escape(f"{', '.join(lines)} over steps")
    parts = [f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">']
    for at in range(4):
        value = low + (high - low) * at / 3
        y = _TOP + (1 - at / 3) * tall
        parts.append(f'<path class="rule" d="M{_LEFT},{y:.1f}H{width - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_tick(value)}</text>')
    parts.append(f'<text x="{_LEFT}" y="{height - 6}">{first:g}</text>')
    parts.append(f'<text x="{width - _RIGHT}" y="{height - 6}" text-anchor="end">step {last:g}</text>')
    for at, (name, points) in enumerate(lines.items()):
        path, dotted = " ".join(place(*point) for point in points), len(points) < 20
        dots = "".join('<circle cx="{}" cy="{}" r="4"/>'.format(*place(*point).split(",")) for point in points)
        line = f'<title>{escape(name)}</title><polyline points="{path}"/>{dots if dotted else ""}'
        parts.append(f'<g class="line l{at}">{line}</g>')
    return "".join((*parts, "</svg>"))


def _tick(value: float) -> str:
    """A number of seven letters at most: there is no room for more beside an axis."""
    if value and (abs(value) < 0.01 or abs(value) >= 1_000_000):
        mantissa, _, power = f"{value:.1e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(power)}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def fewer(points: Points) -> Points:
    """At most so many points: each the mean of those that it stands for."""
    size = -(-len(points) // _MOST) if points else 1
    if size == 1:
        return points
    parts = (points[at : at + size] for at in range(0, len(points), size))
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]
