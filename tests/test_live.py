"""What one sees while a build runs: lines in place, lines where nothing can be written over, the stream for programs."""

import json
import math
import os
import pty
import select
import signal
import subprocess
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest
from desk import Desk
from screen import Terminal

from zyc.front import Call, open_front
from zyc.gates import Interval
from zyc.kind import Estimate
from zyc.report.build import Lines
from zyc.report.console import Console
from zyc.report.events import Words, last_lines
from zyc.report.live import Live, rows_besides
from zyc.report.outlook import roughly, words_of
from zyc.report.standing import Standing
from zyc.report.stream import Stream
from zyc.runner import Ending, Fate, Options, Progress, Started, Stopping, Waiting
from zyc.world import World

PHILO = """\
steps:
  schemes: echo > out/x
  philo-lora: {inputs: {data: schemes}, run: echo > out/x}
  exam: {inputs: {data: schemes}, run: echo > out/x}
  philo-q4: {inputs: {model: philo-lora}, run: echo > out/x}
  philo-exam: {inputs: {model: philo-q4, exam: exam}, run: echo > out/x}
  philo-free: {inputs: {a: philo-exam}, run: echo > out/x}
"""
TOOK = {"schemes": 3.0, "philo-lora": 240.0, "exam": 20.0, "philo-q4": 60.0, "philo-exam": 90.0, "philo-free": 1.0}
ran = Fate.RAN


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 1000.0

    def __call__(self):
        """What it shows."""
        return self.now


def planned(root, text, took=None, memory=None):
    """A plan of a spec, with what each node is thought to take."""
    desk = Desk(root)
    desk.spec(text)
    plan = open_front(World(), Path(root), Call()).plan
    decisions = {
        name: each._replace(
            measured=name in (took or {}),
            estimate=Estimate(Interval(took[name], took[name]) if took and name in took else None, (memory or {}).get(name)),
        )
        for name, each in plan.decisions.items()
    }
    machine = replace(plan.settlement.known.machine, cpus=2, memory=16_000_000_000, gpus=0)
    settlement = replace(plan.settlement, known=replace(plan.settlement.known, machine=machine))
    return replace(plan, settlement=settlement, decisions=decisions)


class Seat:
    """A build that is told by hand, and the terminal that shows it."""

    def __init__(self, plan, columns=100, rows=30, *, options=None, log="", every=False, colour=False):
        self.clock, self.plan = Clock(), plan
        self.terminal = Terminal(columns, rows)
        self.console = Console(self.terminal, self.terminal, columns, colour=colour, live=True, moves=True, record=True)
        self.words = Words.of(self.console, plan.graph, lambda _: log)
        lines = Lines(self.words, self.clock, every, beats=False)
        self.view = Live(lines, plan, options or Options(), size=lambda: (self.terminal.columns, self.terminal.rows), seconds=1e6)
        self.view.__enter__()

    def at(self, seconds, *events):
        """Some time later this happened; what is on the screen."""
        self.clock.now += seconds
        for each in events:
            self.view(each)
        self.view.draw()
        assert not self.view._broken
        return self.terminal.lines

    def end(self):
        """What stands there when all is over."""
        self.view.__exit__(None, None, None)
        return self.terminal.lines


def facts(node, memory=0, queued="", **told):
    """Progress of a step."""
    return Progress(node, {name: float(value) for name, value in told.items()}, memory, queued)


@pytest.fixture
def philo(tmp_path):
    """A plan of six steps, all of them measured before."""
    return planned(tmp_path, PHILO, TOOK, {"philo-lora": 8_800_000_000})


def training(seat):
    """A build in the middle of it, as it is shown."""
    seat.at(0, Started("schemes"))
    seat.at(
        3, Ending("schemes", ran, seconds=3.1, bytes=4_900, measures={"rows": 1200.0}), Started("philo-lora"), Started("exam")
    )
    seat.at(1, facts("philo-lora", step=1, of=101, loss=0.9))
    return seat.at(120, facts("philo-lora", 8_600_000_000, step=61, of=101, loss=0.61, tokens_per_second=1910))


# --- in place ---


def test_what_runs_and_what_waits_stands_below_what_has_ended(philo):
    """What runs has a bar, numbers, time and memory; what is next says for whom it waits; the last line says what is left."""
    assert training(Seat(philo)) == [
        "  schemes     ran           3.1 s   4.9 kB  rows 1200",
        "  philo-lora  █████░░░  step 61/101 · loss 0.61 ↓ · 1,910 tok/s · 1 min 20 s left · 8.6 of 8.8 GB",
        "  exam        2 min 1 s · longer than last time",
        "  philo-q4    waits  for philo-lora",
        "  philo-exam  waits  for exam and 1 more",
        "  1 more waits",
        "  1 of 6 done · 2 running · at least 4 min · 1 step unknown",
    ]


def test_a_narrow_terminal_leaves_out_what_matters_least(philo, tmp_path):
    """Sixty and forty columns: numbers and the bar give way to how far it is, how long and how large."""
    assert training(Seat(philo, 60))[-6:] == [
        "  philo-lora  step 61/101 · 1 min 20 s left · 8.6 of 8.8 GB",
        "  exam        2 min 1 s · longer than last time",
        "  philo-q4    waits  for philo-lora",
        "  philo-exam  waits  for exam and 1 more",
        "  1 more waits",
        "  1 of 6 done · at least 4 min · 1 step unknown",
    ]
    assert training(Seat(philo, 40))[-6:] == [
        "  philo-lora  step 61/101",
        "  exam        2 min 1 s",
        "  philo-q4    waits  for philo-lora",
        "  philo-exam  waits  for exam and 1 mo…",
        "  1 more waits",
        "  at least 4 min · 1 step unknown",
    ]


@pytest.mark.parametrize("rows", [2, 3, 4, 6, 9])
def test_a_low_terminal_never_scrolls_by_itself(philo, rows):
    """The lines in place are fewer than the rows: what has ended is written once, however often the rest is drawn."""
    seat = Seat(philo, 60, rows)
    training(seat)
    for _ in range(20):
        seat.at(1)
    assert sum("schemes" in line for line in seat.terminal.lines) == 1
    assert len(seat.view._picture.lines) < max(rows, 2)
    assert "done" in seat.terminal.lines[-1]


def test_nothing_stays_of_the_lines_in_place(philo):
    """At the end only what has ended is left, each node once, in the order in which they ended."""
    seat = Seat(philo)
    training(seat)
    seat.at(1, Ending("exam", ran, seconds=122.0, bytes=2))
    seat.at(1, Ending("philo-lora", Fate.RESUMED, seconds=124.0, bytes=336_000_000))
    assert seat.end() == [
        "  schemes     ran           3.1 s   4.9 kB  rows 1200",
        "  exam        ran          2 min 2 s      2 B",
        "  philo-lora  resumed      2 min 4 s   336 MB",
    ]
    assert seat.terminal.raw.endswith("\n") or seat.terminal.x == 0
    assert "\x1b[?25h" in seat.terminal.raw, "the cursor is back"


def test_a_short_build_moves_no_cursor(philo):
    """What is over before the first picture is told line by line, like in a pipe."""
    seat = Seat(philo)
    seat.view(Started("schemes"))
    seat.view(Ending("schemes", ran, seconds=0.1, bytes=2))
    assert seat.end() == ["  schemes     ran           0.1 s      2 B"]
    assert "\x1b" not in seat.terminal.raw


def test_kept_nodes_fold_away(philo):
    """A kept node has a line only where it is asked for."""
    seat, loud = Seat(philo), Seat(philo, every=True)
    for each in (seat, loud):
        each.at(1, Ending("schemes", Fate.KEPT, saved=3.0), Started("exam"))
    assert "schemes" not in "\n".join(seat.end())
    assert loud.end() == ["  schemes     kept"]


def test_a_narrower_window_leaves_nothing_behind(philo):
    """When the window shrinks while a build runs, the broken rows of the last picture go with it."""
    seat = Seat(philo)
    training(seat)
    seat.terminal.narrow(70)
    shown = seat.at(1)
    assert sum("philo-q4" in line for line in shown) == 1
    assert sum("done" in line for line in shown) == 1
    assert all(len(line) <= 70 for line in shown)


def test_rows_that_break_are_counted():
    """A line that was wider than the window is now takes as many rows more as it breaks into."""
    assert rows_besides([(("a" * 100, ""),), (("b", ""),)], 40) == 2


def test_what_steps_say_cannot_move_the_cursor(philo):
    """Names of facts, words of hosts and reasons are shown as letters, and are no markup."""
    seat = Seat(philo)
    seat.at(0, Started("schemes"), Started("exam"))
    shown = seat.at(1, facts("schemes", **{"\x1b[2J[red]": 1.0}), facts("exam", queued="\x1b]0;gone\x07[bold]busy[/bold]"))
    text = "\n".join(shown)
    assert "\\x1b[2J[red] 1" in text
    assert "[bold]busy[/bold]" in text
    assert "\x1b[2J" not in seat.terminal.raw
    assert "\x1b]" not in seat.terminal.raw


def test_wide_letters_stay_within_the_columns(philo):
    """Letters of two columns are counted as two."""
    seat = Seat(philo, 40)
    seat.at(0, Started("exam"))
    shown = seat.at(1, facts("exam", queued="除夕" * 30))
    line = next(line for line in shown if "除" in line)
    assert line.endswith("…")
    assert len([line for line in shown if "除" in line]) == 1


def test_colour_is_for_those_who_want_it(philo):
    """Without colour the view moves the cursor and paints nothing."""
    plain, painted = Seat(philo), Seat(philo, colour=True)
    training(plain)
    training(painted)
    assert "\x1b[36m█" in painted.terminal.raw
    assert "\x1b[3" not in plain.terminal.raw
    assert painted.terminal.lines == plain.terminal.lines


def test_a_terminal_without_blocks_gets_a_bar_of_its_own_letters(philo, monkeypatch):
    """Where a block cannot be written a bar is made of what can."""
    monkeypatch.setattr(Terminal, "encoding", "latin-1")
    line = next(line for line in training(Seat(philo)) if "philo-lora" in line)
    assert "#####---  step 61/101 · loss 0.61 · 1,910 tok/s" in line


def test_numbers_that_are_none_are_left_out(philo):
    """A loss that is not a number, an endless time and a step of nought break nothing."""
    seat = Seat(philo)
    seat.at(0, Started("exam"))
    seat.at(1, facts("exam", step=math.nan, of=0, loss=math.inf, eta=math.nan, tokens_per_second=-math.inf))
    assert "  exam        1 s of about 20 s" in seat.at(0, facts("exam", step=math.nan, of=0, eta=math.inf))
    assert "nan" not in "\n".join(seat.at(1, facts("exam", step=3, of=0, loss=math.nan)))


def test_many_that_run_are_counted(tmp_path):
    """When more run than there are rows, the longest running have lines and the others a number."""
    plan = planned(tmp_path, "steps:\n  each: {matrix: {x: [" + ",".join(map(str, range(50))) + "]}, run: echo $ZYC_MATRIX_X}\n")
    seat = Seat(plan, 80, 10)
    shown = seat.at(0, *(Started(f"each@x={at}") for at in range(40)))
    shown = seat.at(1)
    assert shown[0].startswith("  each@x=0 ")
    assert shown[-2:] == ["  and 34 more run", "  0 of 50 done · 40 running · 50 steps of unknown length"]
    assert len(shown) == 8


def test_it_is_said_for_whom_a_step_waits(philo):
    """Another zyc, another attempt, a queue: each is told in its words."""
    seat = Seat(philo)
    seat.at(0, Started("schemes"), Waiting("exam", "process 71 on attic"))
    shown = seat.at(
        1,
        Started("schemes", 2, why="once more, after: it ended with exit code 3"),
        Started("philo-lora"),
        facts("philo-lora", queued="Priority: 3 jobs before it"),
    )
    shown = seat.at(1)
    assert "  schemes     runs         once more, after: it ended with exit code 3" in shown
    assert "  philo-lora  queued 1 s  Priority: 3 jobs before it" in shown
    assert "  exam        waits  for process 71 on attic" in shown
    assert "  schemes     waits  for another attempt" in shown


def test_a_stopping_build_says_what_a_second_press_does(philo):
    """After Ctrl-C the last line says what goes on and what Ctrl-C does now, in few columns too."""
    seat, narrow = Seat(philo), Seat(philo, 40)
    for each in (seat, narrow):
        training(each)
    assert seat.at(1, Stopping(hard=False, running=2))[-1] == "  stopping: 2 steps may keep a state and end; Ctrl-C again kills"
    assert narrow.at(1, Stopping(hard=False, running=2))[-1] == "  stopping; Ctrl-C again kills"
    assert seat.at(1, Stopping(hard=True, running=2))[-1] == "  killed: what was not kept is lost, what is done is kept"
    assert not any("waits" in line for line in seat.terminal.lines), "nothing new is started"


def test_a_bug_in_the_view_ends_no_build(philo, monkeypatch):
    """When the view breaks, what has ended is still told, line by line, and nothing is raised."""

    def broken(*_, **__):
        raise RuntimeError("a bug")

    for where in ("hear", "lines"):
        seat = Seat(philo)
        with monkeypatch.context() as patched:
            patched.setattr(Standing, where, broken)
            seat.view(Started("schemes"))
            seat.view.draw()
            seat.view(Ending("schemes", ran, seconds=3.0, bytes=2))
            seat.view.draw()
            assert seat.end() == ["  schemes     ran           3.0 s      2 B"]


def test_a_terminal_that_is_gone_ends_no_build(philo, monkeypatch):
    """Writing may fail at any moment: the build goes on."""
    seat = Seat(philo)
    training(seat)

    def gone(*_):
        raise OSError(5, "gone")

    monkeypatch.setattr(Terminal, "write", gone)
    seat.view(Ending("exam", ran, seconds=1.0))
    seat.view.draw()
    seat.view.__exit__(None, None, None)


def test_what_is_printed_meanwhile_is_kept_for_the_next_call(philo):
    """What the view shows of endings is an answer like any other: the console has it on record."""
    seat = Seat(philo)
    seat.at(1, Started("exam"), Ending("schemes", ran, seconds=3.0, bytes=2))
    seat.end()
    assert seat.console.printed == "  schemes     ran           3.0 s      2 B\n"


# --- what is left ---


def test_the_time_that_is_left_runs_down_and_never_jumps_about(philo):
    """Looked at four times a second, the figure only goes down, is never negative, and moves at most once a second."""
    seat = Seat(philo, options=Options(jobs=1))
    seat.at(0, Started("philo-lora"))
    seen = [seat.at(0.25)[-1].split(" · ")[-1] for _ in range(4 * 235)]
    assert seen[0] == "about 7 min left"
    changes = [at for at in range(1, len(seen)) if seen[at] != seen[at - 1]]
    assert all(b - a >= 4 for a, b in pairwise(changes))
    assert len(changes) < 40
    assert len(set(seen)) == len(changes) + 1, "no figure comes back"


def test_it_is_not_promised_what_nobody_knows(tmp_path):
    """Steps that were never measured are counted, not guessed; once some of their kind have run, they are known."""
    plan = planned(tmp_path, "steps:\n  each: {matrix: {x: [" + ",".join(map(str, range(100))) + "]}, run: echo $ZYC_MATRIX_X}\n")
    seat = Seat(plan)
    seat.at(0, Started("each@x=0"))
    assert seat.at(1)[-1] == "  0 of 100 done · 1 running · 100 steps of unknown length"
    for at in range(4):
        seat.at(0, Started(f"each@x={at}"))
        seat.at(2, Ending(f"each@x={at}", ran, seconds=2.0))
    assert seat.at(1.5)[-1] == "  4 of 100 done · about 1 min 40 s left"


def test_steps_that_fill_the_machine_run_one_after_the_other(tmp_path):
    """Two steps that each need most of the memory take as long as both, however many cores there are."""
    text = "steps:\n  one: echo > out/x\n  two: echo > out/x\n"
    took = {"one": 100.0, "two": 100.0}
    small, large = planned(tmp_path / "a", text, took), planned(tmp_path / "b", text, took, dict.fromkeys(took, 15_000_000_000))
    assert Seat(small).at(1, Started("one"))[-1].endswith("about 1 min 40 s left")
    assert Seat(large).at(1, Started("one"))[-1].endswith("about 3 min 10 s left")


def test_after_a_failure_only_what_runs_is_left(philo):
    """A failure stops the build: the footer says so, and waits for what runs only."""
    seat = Seat(philo)
    training(seat)
    shown = seat.at(2, Ending("exam", Fate.FAILED, seconds=9.0, reason="it ended with exit code 3"))
    assert shown[-1] == "  2 of 6 done · 1 running · `exam` failed: nothing new is started · about 1 min 20 s left"


@pytest.mark.parametrize(
    ("seconds", "unknown", "maybe", "told"),
    [
        (0.2, 0, False, "nearly done"),
        (8.2, 0, False, "about 9 s left"),
        (61, 0, True, "up to 1 min 10 s left"),
        (180, 2, False, "at least 3 min · 2 steps unknown"),
        (0, 1, False, "1 step of unknown length"),
        (86_400 * 3, 0, False, "about 3 d left"),
    ],
)
def test_a_remaining_time_is_said_as_it_is_known(seconds, unknown, maybe, told):
    """`about`, `up to`, `at least`: each says what it knows."""
    assert words_of(seconds, unknown, maybe=maybe) == told


def test_a_rough_time_grows_with_the_time():
    """A rough time is never less than the time, and hardly ever more than a fifth above it."""
    assert [roughly(each) for each in (0.5, 9.9, 41, 59, 121, 599, 601, 3599, 3601)] == [
        "1 s", "10 s", "45 s", "1 min", "2 min 10 s", "10 min", "11 min", "1 h", "1 h 5 min",
    ]  # fmt: skip


# --- where nothing is written over ---


def plain(plan, *, log="", every=False):
    """A build that is told where nothing can be written over."""
    clock, out = Clock(), Terminal(100, 200)
    console = Console(out, out, 100)
    return Lines(Words.of(console, plan.graph, lambda _: log), clock, every), clock, out


def test_a_step_that_runs_long_says_so_once_a_minute(philo):
    """Ten minutes of a step are nine lines, whether it says something of itself or not."""
    lines, clock, out = plain(philo)
    lines(Started("philo-lora"))
    lines(Started("exam"))
    for second in range(1, 601):
        clock.now += 1
        lines(facts("philo-lora", 8_600_000_000, step=second, of=1200, loss=0.5, tokens_per_second=1910, eta=600 - second))
        lines.beat()
    told = [line for line in out.lines if "philo-lora" in line]
    assert len(told) == len(out.lines) - len(told) == 10
    assert told[0] == "  philo-lora  runs          1 min   8.6 GB  step 60/1,200 · loss 0.5 · 1,910 tok/s · 9 min left"
    assert out.lines[1] == "  exam        runs          1 min"


def test_a_queue_is_told_of_when_its_reason_changes(philo):
    """A job that waits says why, once for each reason."""
    lines, clock, out = plain(philo)
    lines(Started("philo-lora"))
    for reason in ("Priority", "Priority", "Resources", ""):
        clock.now += 100
        lines(facts("philo-lora", queued=reason))
        lines.beat()
    assert [line.split("  ", 2)[2].split()[0] for line in out.lines] == ["queued"] * len(out.lines[:-1]) + ["runs"]
    assert [line.split()[-1] for line in out.lines[:-1]] == ["Priority", "Resources"]


def test_ten_thousand_short_steps_are_a_line_each(tmp_path):
    """Nothing but its end is told of a step that is over soon, and of one that was never started."""
    plan = planned(
        tmp_path, "steps:\n  each: {matrix: {x: [" + ",".join(map(str, range(10_000))) + "]}, run: echo $ZYC_MATRIX_X}\n"
    )
    lines, clock, out = plain(plan)
    began = time.perf_counter()
    for name in plan.decisions:
        clock.now += 0.01
        lines(Started(name))
        lines(facts(name, 3_000_000))
        lines(Ending(name, ran, seconds=0.01, bytes=2))
    lines(Ending(name, Fate.INTERRUPTED, reason="not started"))
    lines.finish()
    assert len(out.gone) + out.y == 10_000
    assert time.perf_counter() - began < 10


def test_what_one_failure_blocks_is_one_line(tmp_path):
    """Twelve nodes behind a step that failed are a line at the end, members of a family folded."""
    members = ", ".join(map(str, range(10)))
    plan = planned(
        tmp_path,
        f"steps:\n  flour: exit 3\n  roll: {{matrix: {{x: [{members}]}}, inputs: {{f: flour}}, run: echo $ZYC_MATRIX_X}}\n"
        "  one: {inputs: {f: flour}, run: x}\n  two: {inputs: {f: flour}, run: x}\n",
    )
    lines, _, out = plain(plan, log="\n".join(map(str, range(100))))
    for name in plan.decisions:
        blocked = Ending(name, Fate.BLOCKED, reason="by `flour`: it failed")
        failed = Ending(name, Fate.FAILED, seconds=2.0, reason="it ended with exit code 3", log="artifacts/steps/1/log.txt")
        lines(failed if name == "flour" else blocked)
    lines.finish()
    assert out.lines[1:4] == ["    | 88", "    | 89", "    | 90"]
    assert out.lines[13:] == [
        "    log artifacts/steps/1/log.txt",
        "  12 nodes  blocked                       by `flour`: it failed · roll[10], one, two",
    ]


def test_a_failure_that_has_scrolled_away_is_told_once_more(philo):
    """At the end of a long build the end of the log of what failed can be read without scrolling."""
    for between, times in ((2, 1), (40, 2)):
        lines, _, out = plain(philo, log="jammed")
        lines(Ending("exam", Fate.FAILED, seconds=1.0, reason="it ended with exit code 3", log="log.txt"))
        for _ in range(between):
            lines(Ending("schemes", ran, seconds=1.0))
        lines.finish()
        assert sum("jammed" in line for line in out.lines) == times


def test_a_thousand_failures_show_the_logs_of_three(philo):
    """Each failure has a line and says where its log is; the first few show its end."""
    lines, _, out = plain(philo, log="jammed")
    for _ in range(10):
        lines(Ending("exam", Fate.FAILED, seconds=1.0, reason="it ended with exit code 3", log="log.txt"))
    assert sum("| jammed" in line for line in out.lines) == 3
    assert sum("log log.txt" in line for line in out.lines) == 10


def test_the_end_of_a_log_is_what_a_terminal_would_have_left():
    """Bars that wrote over themselves are one line, colours and tabs are gone, what is unsafe is shown as letters."""
    text = "first\n\r 10%\r 55%\r100%\n\x1b[31mred\x1b[0m\tword\x1b]0;title\x07\nbell\x07\n\n"
    assert last_lines(text, 12) == ["first", "100%", "red word", "bell\\x07"]
    assert last_lines(text, 1) == ["bell\\x07"]
    assert last_lines("\n\n", 12) == []


# --- for programs ---


def test_the_stream_begins_with_the_plan_and_tells_progress_once_a_second(philo):
    """A program knows how much there is to do before anything happens, and is not drowned in numbers."""
    clock, out = Clock(), Terminal(10_000, 200)
    with Stream(Console(out, out, 100), philo, clock) as stream:
        stream(Started("exam"))
        for at in range(40):
            clock.now += 0.1
            stream(facts("exam", step=at, loss=math.nan))
        stream(facts("exam", queued="busy"))
    events = [json.loads(line) for line in out.lines]
    assert events[0] == {
        "event": "plan",
        "nodes": 6,
        "counts": {"keep": 0, "run": 6, "resume": 0, "maybe": 0, "blocked": 0},
        "seconds": {"low": 414.0, "high": 414.0, "unknown": 0},
        "twin": False,
    }
    told = [each for each in events if each["event"] == "progress"]
    assert len(told) == 5
    assert told[0]["facts"] == {"step": 0.0, "loss": None}
    assert told[-1]["queued"] == "busy"


# --- a real terminal ---

SLOW = """\
steps:
  schemes: sleep 0.4; seq 20 > out/rows
  lora:
    inputs: {data: schemes}
    run: |
      trap 'exit 130' INT
      for i in 1 2 3 4 5 6; do
        echo '{"step": '$i', "of": 6, "loss": 0.5, "tokens_per_second": 1900}' >> events.jsonl
        sleep 0.5
      done
      echo x > out/adapter
  stubborn: trap '' INT; touch state/begun; for i in $(seq 150); do sleep 0.1; done; echo x > out/x
  last: {inputs: {a: lora}, run: echo x > out/x}
"""


def on_a_terminal(desk, line, *, columns=80, rows=20, when=()):
    """Type a line into a terminal; at each of `when`, (a text, what to do once it can be read). All that was shown."""
    leader, follower = pty.openpty()
    environ = {name: value for name, value in desk.process_environ().items() if name != "COLUMNS"}
    process = subprocess.Popen(
        ["bash", "-c", f"stty cols {columns} rows {rows}; exec {line}"],
        cwd=desk.root, env={**environ, "TERM": "xterm"}, stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    terminal, when, pictures = Terminal(columns, rows), list(when), []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and select.select([leader], [], [], 30)[0]:
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # Linux says so when nobody writes any more
            break
        if not chunk:
            break
        terminal.write(chunk.decode("utf-8", "replace"))
        if when and any(when[0][0] in each for each in terminal.lines):
            pictures.append(list(terminal.lines))
            when.pop(0)[1](process)
    os.close(leader)
    return terminal, pictures, process.wait(30)


def press(process):
    """Ctrl-C."""
    process.send_signal(signal.SIGINT)


@pytest.mark.slow
def test_a_build_is_watched_on_a_terminal(tmp_path):
    """A step that tells of itself has a bar while it runs, and one line once it has ended."""
    desk = Desk(tmp_path / "mill")
    desk.spec(SLOW.replace("seq 150", "seq 3"))
    terminal, (picture,), code = on_a_terminal(desk, "zyc build -j 2", when=[("step 3/6", lambda _: None)])
    assert code == 0
    (line,) = [line for line in picture if "step 3/6" in line]
    assert line.startswith("  lora      ████████░░░░░░░░  step 3/6 · loss 0.5 · 1,900 tok/s · ")
    assert "  last      waits  for lora" in picture
    assert picture[-1].startswith("  2 of 4 done · 1 running · ")
    ended = [line.split()[:2] for line in terminal.lines]
    assert sorted(ended[:3]) == [["lora", "ran"], ["schemes", "ran"], ["stubborn", "ran"]]
    assert ended[3:] == [["last", "ran"], ["4", "ran"]]


@pytest.mark.slow
def test_ctrl_c_on_a_terminal(tmp_path):
    """The first press asks and says what a second one does; the second kills; the screen ends with what came of it."""
    desk = Desk(tmp_path / "mill")
    desk.spec(SLOW)
    presses = [("step 3/6", press), ("stopping", press)]
    terminal, pictures, code = on_a_terminal(desk, "zyc build -j 2", when=presses)
    assert code == 130
    assert "  stopping: 1 step may keep a state and end; Ctrl-C again kills" in pictures[1][-1] or "2 steps" in pictures[1][-1]
    text = "\n".join(terminal.lines)
    assert "stubborn  interrupted" in text
    assert "lora      interrupted" in text
    assert terminal.lines[-2].startswith("1 ran · 2 interrupted · 1 not started")
    assert terminal.lines[-1] == "next   zyc build   what is done is kept; 2 start over"
    assert "Traceback" not in text
    assert "\x1b[?25h" in terminal.raw, "the cursor is back"
