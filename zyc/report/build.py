"""A build as it happens: a line a node for people, in place on a terminal; a stream of events for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from zyc.gates import Verdict
from zyc.graph import Graph
from zyc.quantity import in_bytes, in_time
from zyc.report.console import Console, clipped, data, safe
from zyc.runner import Ending, Fate

COLOURS = {
    Fate.KEPT: "dim",
    Fate.RAN: "green",
    Fate.RESUMED: "cyan",
    Fate.FAILED: "red",
    Fate.BLOCKED: "red",
    Fate.INTERRUPTED: "yellow",
}
_TAIL = 12

Log = Callable[[str], str]


class Lines:
    """Tells each node's fate when it is known; on a terminal also what is running now."""

    def __init__(self, console: Console, graph: Graph, log: Log, *, as_json: bool, every: bool) -> None:
        self.console = console
        self._log = log
        self._json = as_json
        self._every = every
        self._width = min(40, max(16, console.width - 34), max((len(node.name) for node in graph.nodes()), default=0))
        self._told = 0
        self._all = sum(1 for _ in graph.nodes())

    def __call__(self, what: str, about: Ending | str) -> None:
        """One event."""
        if self._json:
            told = _data(about) if isinstance(about, Ending) else {"node": about} if what == "start" else {"text": about}
            self.console.print(data({"event": what, **told}))
        elif isinstance(about, Ending):
            self._told += 1
            if about.fate is not Fate.KEPT or self._every:
                self._over()
                self._ended(about)
        elif what == "wait":
            self._over()
            self.console.print(f"  {safe(about)}")
        elif self.console.moves:
            line = f"  {about}  {self.console.paint('running', 'cyan')}  {self._told} of {self._all}"
            self.console.out.write(f"\r\x1b[K{clipped(line, self.console.width)}")
            self.console.out.flush()

    def _over(self) -> None:
        if self.console.moves and not self._json:
            self.console.out.write("\r\x1b[K")

    def _ended(self, ending: Ending) -> None:
        ran = ending.fate in (Fate.RAN, Fate.RESUMED)
        took = in_time(ending.seconds) if ran or ending.seconds else ""
        told = [f"{' '.join(name.split())} {value:.4g}" for name, value in sorted(ending.measures.items())[:3]]
        told += [self.console.paint(each.text, "red") for each in ending.gates if each.verdict is Verdict.FAILS]
        if ending.reason:
            told.append(safe(ending.reason))
        fate = self.console.paint(ending.fate.value.ljust(11), COLOURS[ending.fate])
        size = in_bytes(ending.bytes) if ran else ""
        node = clipped(ending.node, self._width).ljust(self._width)
        self.console.say(f"{node}  {fate}  {took.rjust(6)}  {size.rjust(7)}  {' · '.join(told)}", indent=2)
        if ending.fate is Fate.FAILED and ending.log:
            lines = [safe(line) for line in self._log(ending.log).splitlines()[-_TAIL:]]
            for line in lines:
                self.console.print(f"    {self.console.paint('|', 'red')} {clipped(line, self.console.width - 6)}")
            self.console.print(f"    {self.console.paint('log', 'dim')} {ending.log}")


def summary(console: Console, endings: Mapping[str, Ending], *, again: str) -> None:
    """What came of it, what was saved, and the next command."""
    counts = {fate: [each for each in endings.values() if each.fate is fate] for fate in Fate}
    words = [console.paint(f"{len(them):,} {fate.value}", COLOURS[fate]) for fate, them in counts.items() if them]
    saved = sum(each.saved for each in counts[Fate.KEPT])
    took = sum(each.seconds for each in endings.values())
    console.say(
        " · ".join(words or ["nothing to do"])
        + (f" · took {in_time(took)}" if took else "")
        + (f" · {in_time(saved)} saved" if saved >= 1 else "")
    )
    failed = [each for each in endings.values() if each.fate is Fate.FAILED]
    gates = [each for each in endings.values() if any(gate.verdict is Verdict.FAILS for gate in each.gates)]
    if failed:
        done = "   what is done is kept" if counts[Fate.RAN] or counts[Fate.KEPT] else ""
        console.say(f"next   mend `{failed[0].node}`, then {again}{done}")
    elif gates:
        console.say(f"next   zyc show {gates[0].node}   its gates and measures; a moved bound reruns nothing")
    elif counts[Fate.INTERRUPTED]:
        console.say(f"next   {again}   goes on where it stopped")


def _data(ending: Ending) -> dict[str, object]:
    return {
        "node": ending.node,
        "fate": ending.fate.value,
        "key": ending.key,
        "tree": ending.tree,
        "seconds": round(ending.seconds, 6),
        "bytes": ending.bytes,
        "measures": dict(ending.measures),
        "reason": ending.reason,
        "log": ending.log,
        "gates": [{"gate": str(each.gate), "verdict": each.verdict.value, "text": each.text} for each in ending.gates],
    }
