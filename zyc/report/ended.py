"""What came of a build: the counts, what was saved, the estimate that was furthest off, the next command."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from zyc.again import line
from zyc.front import Call
from zyc.gates import Verdict
from zyc.planning.plan import Decision
from zyc.quantity import in_bytes, in_time
from zyc.report.console import Console, cells
from zyc.report.events import COLOURS, NOT_STARTED
from zyc.runner import Ending, Fate, seconds_of

_OFF = 2.0  # an estimate is told of when it was off by more than this factor,
_LEAST_SECONDS, _LEAST_BYTES = 5.0, 500e6  # and by so much
_LONGEST = 48  # letters of a command that is worth typing again


class Next(NamedTuple):
    """How one goes on: what was called, the same as it is typed, and the nodes that keep no state when they are cut short."""

    call: Call
    words: str
    afresh: Collection[str] = ()


def summary(
    console: Console,
    endings: Mapping[str, Ending],
    decisions: Mapping[str, Decision],
    after: Next,
    *,
    left: int,
    took: float,
) -> None:
    """What came of it, what was saved, and the next command."""
    counts = {fate: [each for each in endings.values() if each.fate is fate] for fate in Fate}
    stopped = counts[Fate.INTERRUPTED]
    counts[Fate.INTERRUPTED] = [each for each in stopped if each.reason != NOT_STARTED]
    waiting = left + len(stopped) - len(counts[Fate.INTERRUPTED])
    words = [console.paint(f"{len(them):,} {fate.value}", COLOURS[fate]) for fate, them in counts.items() if them]
    words += [f"{waiting:,} not started"] if waiting else []
    worked = sum(each.seconds for each in endings.values())
    acted = any(each.seconds or each.fetched for each in endings.values())
    saved = saved_seconds(endings)
    console.say(
        " · ".join(words or ["nothing to do"])
        + (f" · {in_time(worked)} of work" if worked else "")
        + (f" in {in_time(took)}" if acted and took else "")
        + (f" · {in_time(saved)} saved" if saved >= 1 else "")
    )
    off = furthest_off(endings, decisions)
    if off:
        console.say(console.paint(off, "dim"))
    again = after.words if len(after.words) <= _LONGEST else "zyc retry"
    over = [each.node for each in counts[Fate.INTERRUPTED] if each.node in after.afresh]
    _next(console, _steps(endings, after.call, left=left, again=again, stopped=_goes_on(over) if stopped else ""))


def saved_seconds(endings: Mapping[str, Ending]) -> float:
    """What the kept nodes took when they were built."""
    return sum(each.saved for each in endings.values() if each.fate is Fate.KEPT)


def furthest_off(endings: Mapping[str, Ending], decisions: Mapping[str, Decision]) -> str:
    """The estimate that was furthest from what was measured, if one was far off."""
    worst, told = 0.0, ""
    for name, ending in endings.items():
        decision = decisions.get(name)
        if ending.fate is not Fate.RAN or decision is None:
            continue
        if decision.estimate.seconds is not None:
            expected, factor = seconds_of(decision), _factor(ending.seconds, seconds_of(decision))
            if factor > max(_OFF, worst) and abs(ending.seconds - expected) >= _LEAST_SECONDS:
                worst, told = factor, f"`{name}` took {in_time(ending.seconds)}, expected were {in_time(expected)}"
        expected, factor = decision.estimate.memory or 0, _factor(ending.peak_memory, decision.estimate.memory or 0)
        if factor > max(_OFF, worst) and abs(ending.peak_memory - expected) >= _LEAST_BYTES:
            worst, told = factor, f"`{name}` held {in_bytes(ending.peak_memory)}, expected were {in_bytes(expected)}"
    return f"{told}; the next plan counts on what was measured" if told else ""


def _factor(measured: float, expected: float) -> float:
    return max(measured / expected, expected / measured) if measured > 0 and expected > 0 else 0.0


def _goes_on(over: list[str]) -> str:
    """What the next call does with what was cut short."""
    if not over:
        return "goes on where it stopped"
    return f"what is done is kept; {f'`{over[0]}` starts' if len(over) == 1 else f'{len(over):,} start'} over"


def _steps(endings: Mapping[str, Ending], call: Call, *, left: int, again: str, stopped: str) -> list[tuple[str, str]]:
    """What to type next, and what for."""
    failed = [each for each in endings.values() if each.fate is Fate.FAILED]
    gates = [each for each in endings.values() if any(gate.verdict is Verdict.FAILS for gate in each.gates)]
    if failed:
        done = any(each.fate in (Fate.KEPT, Fate.RAN, Fate.RESUMED) for each in endings.values())
        steps = [(line(call, "logs", failed[0].node), "its whole log")] if failed[0].log else []
        whom = f"`{failed[0].node}` is" if len(failed) == 1 else f"the {len(failed):,} are"
        steps.append((again, f"once {whom} mended" + ("; what is done is kept" if done else "")))
        return [*steps, (f"{again} --keep-going", "builds first what does not stand on it")] if left else steps
    if gates:
        moved = "a bound that is moved in its `twin:` list" if call.twin else "a moved bound"
        steps = [(line(call, "show", gates[0].node), f"its gates and measures; {moved} reruns nothing")]
        return [(again, stopped), *steps] if stopped else steps
    return [(again, stopped)] if stopped else []


def _next(console: Console, steps: list[tuple[str, str]]) -> None:
    room = [console.width - 10 - cells(what) for _, what in steps]
    wide = max((cells(command) for command, _ in steps), default=0)
    wide = wide if all(wide <= most for most in room) else 0  # in columns, or each for itself
    for at, ((command, what), most) in enumerate(zip(steps, room, strict=True)):
        start = f"{'       ' if at else 'next   '}{command}"
        if cells(command) <= most:
            console.print(f"{start}{' ' * (max(0, wide - cells(command)) + 3)}{what}")
        else:
            console.say(start, indent=7 if at else 0)
            console.say(what, indent=7)
