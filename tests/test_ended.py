"""What is said once a build is over: counts, what was saved, the estimate that was furthest off, the next command."""

import pytest
from screen import Terminal

from zyc.front import Call
from zyc.gates import Interval, Verdict, parse
from zyc.kind import Estimate
from zyc.planning.plan import Cause, Decision, GateOutlook, State, Why
from zyc.report.console import Console
from zyc.report.ended import Next, furthest_off, summary
from zyc.runner import Ending, Fate


def decision(name, seconds=None, memory=None):
    """A node that was to run, with what it was thought to take."""
    estimate = Estimate(Interval(seconds, seconds) if seconds is not None else None, memory)
    return Decision(name, State.RUN, Cause(Why.NEW), estimate=estimate)


def said(*endings, left=0, again="zyc build", took=0.0, columns=100, decisions=(), call=Call(), afresh=()):  # noqa: B008
    """The lines of a summary."""
    out = Terminal(columns, 50)
    by_name = {each.node: each for each in endings}
    thought = {each.name: each for each in decisions}
    summary(Console(out, out, columns), by_name, thought, Next(call, again, afresh), left=left, took=took)
    return out.lines


def failed(name="flour", **told):
    """A step that failed."""
    return Ending(name, Fate.FAILED, seconds=2.0, reason="it ended with exit code 3", log="artifacts/steps/1/log.txt", **told)


def test_everything_is_counted_once():
    """Each fate by its word, what was never started apart from what was interrupted, work beside time, what was saved."""
    endings = [
        Ending("a", Fate.KEPT, saved=90.0),
        Ending("b", Fate.RAN, seconds=10.0),
        Ending("c", Fate.RESUMED, seconds=5.0),
        Ending("d", Fate.INTERRUPTED, seconds=1.0),
        Ending("e", Fate.INTERRUPTED, reason="not started"),
        Ending("f", Fate.INTERRUPTED, reason="not started"),
    ]
    assert said(*endings, took=9.0, columns=120) == [
        "1 kept · 1 ran · 1 resumed · 1 interrupted · 2 not started · 16 s of work in 9.0 s · 1 min 30 s saved",
        "next   zyc build   goes on where it stopped",
    ]
    assert said() == ["nothing to do"]
    assert said(*endings, columns=120, afresh={"d", "e"})[-1] == "next   zyc build   what is done is kept; `d` starts over"


def test_after_a_failure_it_is_said_what_to_type():
    """The log, the command that goes on, and the one that goes on without it where there is something to go on with."""
    assert said(failed(), Ending("water", Fate.RAN, seconds=1.0), left=3, again="zyc build specs/")[1:] == [
        "next   zyc logs flour                  its whole log",
        "       zyc build specs/                once `flour` is mended; what is done is kept",
        "       zyc build specs/ --keep-going   builds first what does not stand on it",
    ]


def test_several_failures_are_mended_together():
    """With more than one failure the first log is named, and how many there are to mend."""
    assert said(failed(), failed("salt"))[1:] == [
        "next   zyc logs flour   its whole log",
        "       zyc build        once the 2 are mended",
    ]


def test_a_long_command_is_not_told_again():
    """Where the call was longer than one likes to type, `zyc retry` goes on as well."""
    assert said(failed(), again="zyc build " + "specs/x.yml " * 9)[-1] == "       zyc retry        once `flour` is mended"


@pytest.mark.parametrize("columns", [30, 40, 60])
def test_what_comes_next_stays_within_the_columns(columns):
    """On a narrow terminal a command has its line, and what it is for the next one."""
    lines = said(failed(), Ending("water", Fate.RAN, seconds=1.0), left=3, again="zyc build specs/", columns=columns)
    assert all(len(line) <= columns for line in lines)
    assert "next   zyc logs flour" in [line[:21] for line in lines]


@pytest.mark.parametrize(
    ("took", "thought", "told"),
    [
        (700.0, 240.0, "`a` took 11 min 40 s, expected were 4 min; the next plan counts on what was measured"),
        (60.0, 240.0, "`a` took 1 min, expected were 4 min; the next plan counts on what was measured"),
        (400.0, 240.0, ""),
        (4.0, 1.0, ""),  # four times as long, and nobody cares
        (700.0, None, ""),
    ],
)
def test_an_estimate_that_was_far_off_is_told(took, thought, told):
    """More than twice or less than half, and by more than a few seconds: one line says so."""
    assert furthest_off({"a": Ending("a", Fate.RAN, seconds=took)}, {"a": decision("a", thought)}) == told


def test_only_the_worst_estimate_is_told():
    """Of several estimates that were off, memory among them, one line tells of the one that was furthest off."""
    endings = {
        "a": Ending("a", Fate.RAN, seconds=700.0),
        "b": Ending("b", Fate.RAN, seconds=10.0, peak_memory=8_800_000_000),
        "c": Ending("c", Fate.RESUMED, seconds=9_999.0),  # a part of the work only
        "d": Ending("d", Fate.KEPT, saved=9_999.0),
    }
    thought = {
        "a": decision("a", 240.0),
        "b": decision("b", 10.0, 2_000_000_000),
        "c": decision("c", 1.0),
        "d": decision("d", 1.0),
    }
    assert furthest_off(endings, thought).startswith("`b` held 8.8 GB, expected were 2 GB; ")
    assert said(*endings.values(), decisions=thought.values())[1].startswith("`b` held 8.8 GB")


def test_what_comes_next_is_about_the_graph_that_was_built():
    """The profile, the set fields and the twin of a build are in what is typed next: else it is another graph's log."""
    call = Call(profile="ci", sets=("vars.n=4",), twin=True)
    assert said(failed(), call=call)[1].startswith("next   zyc logs flour --profile ci --set vars.n=4 --twin   ")
    short = Ending("flour", Fate.RAN, gates=(GateOutlook(parse("bytes < 1 GB"), Verdict.FAILS),))
    assert said(short, call=call)[1].startswith("next   zyc show flour --profile ci --set vars.n=4 --twin")
