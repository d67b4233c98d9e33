"""Steps that are rough with their logs, and terminals and readers that are gone: a build goes on, and ends in order."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("what", ["mkfifo", "mkdir"])
def test_a_log_that_a_step_made_something_else_of_is_none(desk, what):
    """The build tells of the failure and ends in order; `logs` says that there is none."""
    desk.spec(f"steps:\n  rough: 'rm log.txt; {what} log.txt; exit 3'\n")
    said = desk.zyc("build")
    assert said.code == 1
    assert "it ended with exit code 3" in said.out
    said = desk.zyc("logs", "rough")
    assert (said.code, "there is no log of `rough`" in said.err) == (2, True)


TERMINAL = """
import fcntl, os, pty, signal, subprocess, sys, termios
master, side = pty.openpty()
def alone():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
build = subprocess.Popen(["zyc", "build"], stdin=side, stdout=side, stderr=side, preexec_fn=alone)
os.close(side)
while not os.path.exists("begun"):
    pass
os.close(master)
open("gone", "w").close()
build.wait()
"""


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_terminal_that_is_gone_does_not_end_a_build_that_was_to_outlive_it(bare, term):
    """Told by `nohup` or `disown` to stay, it builds on to its end, whatever it cannot print any more."""
    bare.spec(
        "steps:\n  a: 'touch ../../../begun; until [ -e ../../../gone ]; do sleep 0.02; done; sleep 0.3; echo 1 > out/it'\n"
        "  b: {inputs: {a: a}, run: cat in/a/it > out/it}\n  c: {inputs: {b: b}, run: cat in/b/it > out/it}\n"
    )
    environ = {**bare.process_environ(), "TERM": term}
    subprocess.run([sys.executable, "-c", TERMINAL], cwd=bare.root, env=environ, check=True, timeout=60)
    assert sorted(path.name for path in (bare.root / "artifacts/nodes").iterdir()) == ["a", "b", "c"]
    assert json.loads((bare.root / "artifacts/last-build.json").read_text())["over"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
@pytest.mark.parametrize("words", ["plan", "build", "build --json"])
def test_an_answer_that_cannot_be_written_is_told(bare, words):
    """A full disk below our output is no bug of ours; what was built is kept."""
    bare.spec("steps:\n  a: echo 1 > out/it\n")
    said = bare.shell(f"zyc {words} > /dev/full")
    assert (said.code, said.err.splitlines()[0]) == (2, "error: `standard output`: No space left on device")


def test_following_the_log_of_a_build_that_was_killed_ends(bare):
    """Its card lies there still, and nobody adds anything any more."""
    bare.spec("steps:\n  a: 'echo hello; kill -9 $PPID; sleep 60'\n")
    bare.shell("zyc build & until grep -q hello artifacts/steps/*/log.txt 2> /dev/null; do sleep 0.02; done; kill -9 $!; wait")
    for path in bare.root.glob("artifacts/steps/*/process.json"):
        subprocess.run(["pkill", "-9", "-g", str(json.loads(path.read_text())["pid"])], check=False)
    card = next(bare.root.glob("artifacts/steps/*")) / "job.json"
    card.write_text(card.read_text() if card.exists() else "{}")
    assert bare.shell("timeout 20 zyc logs a --follow").code == 0


def test_what_is_printed_as_next_reads_the_log_of_the_step_that_failed(bare):
    """Of the graph that was built: another `--set` has other keys, and its log is another one."""
    bare.spec("vars: {n: 3}\nsteps:\n  bad: 'echo n is $ZYC_VARS_N; exit 3'\n")
    said = bare.zyc("build", "--twin", "--set", "vars.n=4")
    words = next(line for line in said.lines if line.startswith("next ")).split()[2:-3]
    assert words == ["logs", "bad", "--set", "vars.n=4", "--twin"]
    assert bare.zyc(*words).out.strip().endswith("n is 4")
    said = bare.zyc("retry")
    assert "zyc logs bad --set vars.n=4 --twin" in said.out
    assert "`zyc build bad --set vars.n=5` runs it" in bare.zyc("logs", "bad", "--set", "vars.n=5").text.replace("\n", " ")


def test_a_retry_of_nothing_answers_programs_as_a_build_does(built):
    """Where nothing is left, the one line is the `done` of a build in which nothing happened."""
    told = built.zyc("retry", "--json").data
    assert {**told, "counts": set(told["counts"].values())} == {
        "event": "done",
        "counts": {0},
        "left": 0,
        "seconds": 0,
        "saved": 0,
    }
    assert told.keys() == json.loads(built.zyc("build", "--json").lines[-1]).keys()


def test_who_reads_a_node_twice_is_shown_once(desk):
    """Two inputs of one step from the same node: the node is read by one."""
    desk.spec("steps:\n  a: echo 1 > out/it\n  b: {inputs: {one: a, two: a}, run: cat in/one/it in/two/it > out/it}\n")
    assert desk.zyc("show", "a", "--json").data["readers"] == ["b"]
    assert desk.zyc("show", "a").out.count("\n    b\n") == 1
