"""The runner on this machine: what steps are given, how they are stopped, what is left of them for the next build."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from desk import REPOSITORY
from faulty import Quick

from zyc.front import Call, open_front
from zyc.hosts.local import Local
from zyc.planning.plan import State, Why
from zyc.runner import Build, Ending, Fate, Options, Progress, Started, Stopping, attempt
from zyc.runner.fates import exit_words
from zyc.world import World

WORLD = World()


@pytest.fixture
def shop(workshop, monkeypatch):
    """A project whose steps may leave notes for a test in its root."""
    monkeypatch.setenv("HOME", str(workshop.root))
    return workshop


def made(shop, *select, **options) -> dict[str, Ending]:
    """Build it, and what happened."""
    front = shop.front(*select)
    return Build(front, front.plan, lambda _: None, options=Options(**options)).run()


def fates(endings) -> dict[str, str]:
    """In words."""
    return {name: each.fate.value for name, each in endings.items()}


def pids(shop, name: str = "pids") -> list[int]:
    """The processes that steps noted."""
    path = shop.root / name
    return [int(each) for each in path.read_text().split()] if path.exists() else []


def gone(numbers: list[int]) -> bool:
    """Whether nobody of them lives any more, soon."""
    until = time.monotonic() + 30
    while any(WORLD.born(each) for each in numbers) and time.monotonic() < until:
        time.sleep(0.01)
    return not any(WORLD.born(each) for each in numbers)


# --- what a step is given ---


@pytest.mark.skipif(len(WORLD.cores()) < 2, reason="needs two cores that have numbers")
def test_steps_beside_each_other_share_no_core(shop):
    """Each is bound to as many as it asked for, and told how many threads that is."""
    ask = "import os; print(*os.sched_getaffinity(0), '|', os.environ['OMP_NUM_THREADS'])"
    meet = "touch $HOME/$0.here; until [ -e $HOME/a.here ] && [ -e $HOME/b.here ]; do sleep 0.01; done"
    steps = [f'  {name}: |\n    set -- {name}; {meet.replace("$0", name)}\n    python -c "{ask}" > out/it\n' for name in "ab"]
    shop.spec(f"steps:\n{''.join(steps)}")
    shop.write("zyc.yml", "hosts: {local: {cpus: 2}}\n")
    assert set(fates(made(shop)).values()) == {"ran"}
    told = [(shop.tree(name) / "it").read_text().split("|") for name in "ab"]
    cores = [set(each.split()) for each, _ in told]
    assert [len(each) for each in cores] == [1, 1]
    assert not cores[0] & cores[1]
    assert {threads.strip() for _, threads in told} == {"1"}


def test_steps_that_want_accelerators_are_told_which(shop):
    """By their numbers; who wants none is told that there is none: it would take all of them."""
    both = "until [ -e $HOME/x ] && [ -e $HOME/y ]; do sleep 0.01; done"
    run = "echo $CUDA_VISIBLE_DEVICES > out/it"
    shop.spec(
        f"steps:\n  x: {{placement: {{gpus: 1}}, run: 'touch $HOME/x; {both}; {run}'}}\n"
        f"  y: {{placement: {{gpus: 1}}, run: 'touch $HOME/y; {both}; {run}'}}\n"
        f"  z: 'echo ${{CUDA_VISIBLE_DEVICES-every one}} > out/it'\n"
        f"  w: {{placement: {{gpus: 2, cpus: 2}}, run: 'echo $CUDA_VISIBLE_DEVICES $OMP_NUM_THREADS > out/it'}}\n"
    )
    shop.write("zyc.yml", "hosts: {local: {cpus: 2, gpus: 2}}\n")
    assert set(fates(made(shop)).values()) == {"ran"}
    told = {name: (shop.tree(name) / "it").read_text().strip() for name in "xyzw"}
    assert {told["x"], told["y"]} == {"0", "1"}
    assert (told["z"], told["w"]) == ("", "0,1 2")


@pytest.mark.parametrize(("left", "site"), [("5,GPU-7", ""), ("5,GPU-7", "gpus: 8"), ("5,GPU-7,-1,3", "")])
def test_a_scheduler_says_which_accelerators_are_ours(shop, monkeypatch, left, site):
    """On a machine shared with others, steps take those that were left to zyc, by their own names, and no others."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", left)
    shop.spec(
        "steps:\n  x: {placement: {gpus: 2}, run: 'echo $CUDA_VISIBLE_DEVICES > out/it'}\n  y: {placement: {gpus: 3}, run: ls}\n"
    )
    shop.write("zyc.yml", f"hosts: {{local: {{cpus: 2, {site}}}}}\n")
    plan = shop.plan()
    assert (plan.decisions["x"].cannot, "2" in plan.decisions["y"].cannot) == ("", True)
    assert made(shop, "x")["x"].fate is Fate.RAN
    assert (shop.tree("x") / "it").read_text() == "5,GPU-7\n"


def test_what_a_step_held_and_took_is_kept(shop):
    """Time, peak memory of all its processes, and bytes: the next plan reckons with them."""
    fill = "import time; x = bytearray(50_000_000); time.sleep(1.5)"
    shop.spec(f'steps:\n  a: |\n    python -c "{fill}" & python -c "{fill}" & wait\n    echo 12345 > out/x\n')
    ending = made(shop)["a"]
    assert 0.3 < ending.seconds < 20
    assert 100_000_000 < ending.peak_memory < 200_000_000
    assert ending.bytes == 6
    shop.spec("steps:\n  a: 'echo 12346 > out/x'\n")
    estimate = shop.plan().decisions["a"].estimate
    assert estimate.memory == ending.peak_memory
    assert estimate.seconds.low <= ending.seconds <= estimate.seconds.high


def test_what_a_step_says_of_itself_is_passed_on(shop):
    """The last line of its events, numbers only; torn lines are passed over."""
    shop.spec(
        """steps:
  a: |
    echo '{"step": 1, "of": 9, "name": "x"}' > events.jsonl
    printf '{"step": 2, "of": 9}\\n{"st' >> events.jsonl
    until [ -e $HOME/seen ]; do sleep 0.01; done
    echo 1 > out/x
"""
    )
    front, seen = shop.front(), []

    def told(event):
        if isinstance(event, Progress) and event.facts:
            seen.append(dict(event.facts))
            (shop.root / "seen").touch()

    Build(front, front.plan, told).run()
    assert seen[0] == {"step": 2.0, "of": 9.0}


# --- how a step fails ---


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        ("exit 7", "it ended with exit code 7"),
        ("true", "it ended well, but left nothing in `out/`"),
        ("rmdir out; echo 1 > out", "it ended well, but made `out` something else than a folder"),
        ("kill -9 $$", "it was killed (signal 9), as a machine does that runs out of memory"),
        ("kill -9 0", "it was killed (signal 9), as a machine does that runs out of memory"),
        ("kill -TERM $$", "it was ended by signal 15"),
    ],
)
def test_a_step_that_does_not_end_well_failed(shop, run, reason):
    """It says how; the next plan remembers it, and it can be selected by that."""
    shop.spec(f"steps:\n  a: '{run}'\n  b: echo 1 > out/x\n")
    ending = made(shop, keep_going=True)["a"]
    assert (ending.fate, ending.reason) == (Fate.FAILED, reason)
    decision = shop.plan().decisions["a"]
    assert (decision.state, decision.cause.why, decision.cause.text) == (State.RUN, Why.FAILED, reason)
    assert fates(made(shop, "state:failed")) == {"a": "failed"}
    shop.spec("steps:\n  a: 'echo 1 > out/x'\n  b: echo 1 > out/x\n")
    made(shop)
    assert shop.plan().decisions["a"].state is State.KEEP


def test_what_was_killed_is_told_with_what_takes_less():
    """The memory that was expected, the fields to change, and that its state is kept."""
    told = exit_words(-9, expected=5.2e9, lighter=("placement: {micro_batch: 1}", "method: qlora"), goes_on=True)
    assert told == (
        "it was killed (signal 9), as a machine does that runs out of memory; it was expected to take 5.2 GB; "
        "less is taken by `placement: {micro_batch: 1}` or `method: qlora`; "
        "its state is kept, and the next build goes on from there"
    )
    assert exit_words(137) == exit_words(-9)


def test_a_log_of_each_attempt_is_kept_for_a_while(shop):
    """The last one is `log.txt`; of the earlier ones the last five are there, under rising numbers."""
    shop.spec("steps:\n  a: 'echo x >> $HOME/n; echo attempt $(wc -l < $HOME/n); exit 1'\n")
    made(shop, retries=4)
    made(shop, retries=3)
    (home,) = shop.root.glob("artifacts/steps/*")
    logs = {path.name: path.read_text().strip() for path in home.glob("log*.txt")}
    assert logs == {"log.txt": "attempt 9", **{f"log.{n}.txt": f"attempt {n}" for n in range(4, 9)}}


def test_a_bug_in_zyc_leaves_nobody_running(shop):
    """It is raised; the steps that ran are ended."""
    shop.spec("steps:\n  a: 'echo $$ >> $HOME/pids; sleep 60'\n")
    front = shop.front()

    def told(event):
        if isinstance(event, Progress):
            while not pids(shop):
                time.sleep(0.01)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Build(front, front.plan, told).run()
    assert gone(pids(shop))


def test_a_step_that_could_not_be_noted_down_does_not_run_on(shop):
    """The disk refused the note of its process: it is ended, and failed."""

    class Full(Quick):
        def write(self, path, data, *, durable=False):
            if os.fspath(path).endswith("process.json"):
                raise OSError(28, "No space left on device", os.fspath(path))
            super().write(path, data, durable=durable)

    shop.spec("steps:\n  a: 'echo $$ >> $HOME/pids; sleep 60'\n")
    front = open_front(Full(), shop.root, Call())
    ending = Build(front, front.plan, lambda _: None).run()["a"]
    assert (ending.fate, ending.reason) == (Fate.FAILED, "`process.json`: No space left on device")
    assert gone(pids(shop))
    assert not list(shop.root.glob("artifacts/steps/*/job.json"))


# --- limits and Ctrl-C ---

SACKS = """steps:
  sacks:
    placement: {resume: true}
    run: |
      echo $$ >> $HOME/pids
      ON_INT
      for sack in 1 2 3; do
        [ -e state/$sack ] && continue
        echo filling $sack
        touch state/$sack
        for i in {1..1000}; do [ -e $HOME/slow ] || break; sleep 0.02 || :; done
      done
      ls state | grep -v saved > out/sacks
  after: {inputs: {sacks: sacks}, run: cp in/sacks/sacks out/sacks}
"""
SAVES = "trap 'touch state/saved; echo saved; exit 9' INT"
IGNORES = "trap : INT"


@pytest.fixture
def slow(shop):
    """A project whose first step does not end by itself."""
    (shop.root / "slow").touch()
    shop.spec(SACKS.replace("ON_INT", SAVES))
    return shop


def _goes_on(shop) -> None:
    """The next build goes on from the state, and ends as if nothing had been."""
    (shop.root / "slow").unlink()
    assert fates(made(shop)) == {"sacks": "resumed", "after": "ran"}
    assert (shop.tree("after") / "sacks").read_text() == "1\n2\n3\n"
    assert not list(shop.root.glob("artifacts/steps/*/state"))
    assert set(fates(made(shop)).values()) == {"kept"}


def _filling(shop) -> bool:
    return any(path.exists() for path in shop.root.glob("artifacts/steps/*/state/1"))


def test_a_step_that_takes_too_long_may_keep_a_state(slow):
    """It is asked first; its state stays, and the next build goes on from there."""
    begun = time.monotonic()
    ending = made(slow, timeout=2)["sacks"]
    assert time.monotonic() - begun < 30
    assert (ending.fate, ending.reason) == (Fate.FAILED, "it took longer than its timeout of 2 s")
    assert (slow.root / ending.log).read_text().endswith("saved\n")
    _goes_on(slow)


def test_what_a_step_took_is_all_that_its_state_stands_on(slow):
    """A run that was cut short and gone on with took both its parts; one that began anew took its last only."""
    first = made(slow, timeout=2)["sacks"]
    (slow.root / "slow").unlink()
    made(slow, "sacks")
    (home,) = [path for path in slow.root.glob("artifacts/steps/*") if not (path / "spent.json").exists()]
    took = slow.front().history.traces[slow.plan().decisions["sacks"].key].seconds
    assert first.seconds < took < first.seconds + 2
    assert slow.plan().decisions["sacks"].estimate.seconds.low == took
    assert not (home / "spent.json").exists()
    (slow.root / "slow").touch()
    slow.spec(SACKS.replace("ON_INT", f"{SAVES}; :"))
    made(slow, "sacks", timeout=2)
    (slow.root / "slow").unlink()
    made(slow, "sacks", fresh=True)
    assert slow.front().history.traces[slow.plan().decisions["sacks"].key].seconds < 2


def test_what_a_killed_attempt_took_is_known_by_its_last_sign(slow):
    """When zyc and its step are killed together, nobody saw the end: the last sign of the step counts."""
    with _driver(slow) as driver:
        _until(lambda: any(slow.root.glob("artifacts/steps/*/state/1")))
        time.sleep(0.5)
        os.killpg(driver.pid, signal.SIGKILL)
    os.killpg(os.getpgid(pids(slow)[0]), signal.SIGKILL)
    (state,) = slow.root.glob("artifacts/steps/*/state")
    began = json.loads((state.parent / "job.json").read_text())["began"]
    os.utime(state / "1", (began + 100, began + 100))
    (slow.root / "slow").unlink()
    assert fates(made(slow)) == {"sacks": "resumed", "after": "ran"}
    took = slow.front().history.traces[slow.plan().decisions["sacks"].key].seconds
    assert 100 <= took < 110


def test_a_step_that_does_not_mind_its_limit_is_killed(slow, monkeypatch):
    """After a while; a limit of its own comes before that of the call."""
    monkeypatch.setattr(attempt, "_GRACE", 0.2)
    slow.spec(SACKS.replace("ON_INT", IGNORES).replace("resume: true", "resume: true, timeout: 300 ms"))
    begun = time.monotonic()
    ending = made(slow, timeout=3600)["sacks"]
    assert time.monotonic() - begun < 30
    assert (ending.fate, ending.reason) == (Fate.FAILED, "it took longer than its timeout of 0.3 s")
    assert gone(pids(slow))


def _pressed(shop, *, hard: bool) -> tuple[dict[str, Ending], list]:
    """A build in which somebody presses Ctrl-C once its step is at work, and once more when that is heard."""
    front, events = shop.front(), []

    def told(event):
        events.append(event)
        if isinstance(event, Progress) and _filling(shop) and not any(isinstance(each, Stopping) for each in events):
            build.press()
        if isinstance(event, Stopping) and not event.hard and hard:
            build.press()

    build = Build(front, front.plan, told)
    return build.run(), events


def test_the_first_press_lets_steps_keep_a_state(slow):
    """They are interrupted, not failed; nothing new is started; the next build goes on."""
    endings, events = _pressed(slow, hard=False)
    assert fates(endings) == {"sacks": "interrupted", "after": "interrupted"}
    assert endings["after"].reason == "not started"
    assert [(each.hard, each.running) for each in events if isinstance(each, Stopping)] == [(False, 1)]
    assert list(slow.root.glob("artifacts/steps/*/state/saved"))
    decision = slow.plan().decisions["sacks"]
    assert (decision.state, decision.cause.why is Why.FAILED) == (State.RESUME, False)
    _goes_on(slow)


def test_a_step_that_ends_well_when_asked_to_stop_and_has_nothing_to_show_was_interrupted(slow):
    """Whoever saves a state and leaves in peace has not failed."""
    slow.spec(SACKS.replace("ON_INT", SAVES.replace("exit 9", "exit 0")))
    assert fates(_pressed(slow, hard=False)[0]) == {"sacks": "interrupted", "after": "interrupted"}
    _goes_on(slow)


def test_a_step_that_is_done_before_it_stops_is_kept(slow):
    """What it made is as good as ever; only what comes after it is not started."""
    slow.spec(SACKS.replace("ON_INT", "trap 'rm -f $HOME/slow' INT"))
    assert fates(_pressed(slow, hard=False)[0]) == {"sacks": "ran", "after": "interrupted"}
    assert fates(made(slow)) == {"sacks": "kept", "after": "ran"}


def test_the_second_press_kills(slow):
    """Also a step that does not mind the first; its state is what it was."""
    slow.spec(SACKS.replace("ON_INT", IGNORES))
    endings, events = _pressed(slow, hard=True)
    assert fates(endings) == {"sacks": "interrupted", "after": "interrupted"}
    assert [each.hard for each in events if isinstance(each, Stopping)] == [False, True]
    assert gone(pids(slow))
    _goes_on(slow)


def test_a_killed_step_goes_on_from_its_state(slow):
    """Kill -9 of the step, with all its processes: the next build takes up its state."""
    slow.spec(SACKS.replace("ON_INT", "[ -e state/1 ] || (until [ -e state/1 ]; do sleep 0.01; done; kill -9 0) &"))
    ending = made(slow)["sacks"]
    said, kept = ending.reason.split("; ")
    assert said == "it was killed (signal 9), as a machine does that runs out of memory"
    assert kept == "its state is kept, and the next build goes on from there"
    _goes_on(slow)


def test_fresh_starts_from_the_beginning(slow):
    """Whatever state there is."""
    _pressed(slow, hard=False)
    (slow.root / "slow").unlink()
    assert fates(made(slow, fresh=True)) == {"sacks": "ran", "after": "ran"}


# --- a real zyc ---


def _driver(shop) -> subprocess.Popen:
    """`zyc build`, as a process of its own."""
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "zyc", "build", "--json"]
    return subprocess.Popen(command, cwd=shop.root, env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True)


def _until(what, *, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


def _ends(out: str) -> dict[str, str]:
    events = [json.loads(line) for line in out.splitlines()]
    return {each["node"]: each["fate"] for each in events if each["event"] == "end"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_zyc_lets_steps_keep_a_state(slow, number):
    """Ctrl-C, and the polite request of a machine that goes down; its exit code is 130, and nobody is left."""
    with _driver(slow) as driver:
        _until(lambda: _filling(slow))
        driver.send_signal(number)
        out, _ = driver.communicate(timeout=20)
    assert driver.returncode == 130
    assert _ends(out) == {"sacks": "interrupted", "after": "interrupted"}
    assert gone(pids(slow))
    assert list(slow.root.glob("artifacts/steps/*/state/saved"))
    _goes_on(slow)


def test_two_signals_to_zyc_kill(slow):
    """A step that will not stop is stopped, with all its children."""
    slow.spec(SACKS.replace("ON_INT", f"{IGNORES}; sleep 60 & echo $! >> $HOME/pids"))
    with _driver(slow) as driver:
        _until(lambda: _filling(slow))
        driver.send_signal(signal.SIGINT)
        line = next(line for line in driver.stdout if '"stop"' in line)
        assert json.loads(line) == {"event": "stop", "hard": False, "running": 1}
        assert any(WORLD.born(each) for each in pids(slow))
        driver.send_signal(signal.SIGINT)
        out, _ = driver.communicate(timeout=20)
    assert driver.returncode == 130
    assert _ends(out) == {"sacks": "interrupted", "after": "interrupted"}
    assert gone(pids(slow))


def test_the_step_of_a_killed_zyc_is_waited_for_and_its_result_taken(slow):
    """It is not made twice: one that lives holds the lock of its key, and what it leaves is published."""
    with _driver(slow) as driver:
        _until(lambda: _filling(slow))
        os.killpg(driver.pid, signal.SIGKILL)
    assert driver.wait() == -signal.SIGKILL
    assert WORLD.born(pids(slow)[0])
    front, events = slow.front(), []

    def told(event):
        events.append(event)
        (slow.root / "slow").unlink(missing_ok=True)

    endings = Build(front, front.plan, told).run()
    assert fates(endings) == {"sacks": "ran", "after": "ran"}
    assert len(pids(slow)) == 1
    assert [each.node for each in events if type(each).__name__ == "Waiting"] == ["sacks"]
    assert [each.why for each in events if isinstance(each, Started)] == ["no more: an earlier build started it", ""]
    assert 0 < endings["sacks"].seconds < 20


def test_after_a_power_cut_no_end_is_believed(slow):
    """Its last bytes may be missing: what another start of the machine left is made again, from its state."""
    with _driver(slow) as driver:
        _until(lambda: _filling(slow))
        os.killpg(driver.pid, signal.SIGKILL)
    (slow.root / "slow").unlink()
    (card,) = slow.root.glob("artifacts/steps/*/job.json")
    _until(lambda: (card.parent / "exit").read_text() == "ended 0\n")
    (card.parent / "out" / "sacks").write_text("")

    class Later(Quick):
        def boot(self):
            return "another"

    front = open_front(Later(), slow.root, Call())
    assert fates(Build(front, front.plan, lambda _: None, host=Local.here(Later())).run())["sacks"] == "resumed"
    assert len(pids(slow)) == 2
    assert (slow.tree("after") / "sacks").read_text() == "1\n2\n3\n"


def test_a_step_that_failed_while_no_zyc_lived_is_made_again(slow):
    """Nobody was told of it: it gets another chance, from its state."""
    slow.spec(
        SACKS.replace("ON_INT", "[ ! -e state/1 ] || touch $HOME/good").replace(
            "ls state", "[ -e $HOME/good ] || exit 3; ls state"
        )
    )
    with _driver(slow) as driver:
        _until(lambda: _filling(slow))
        os.killpg(driver.pid, signal.SIGKILL)
    (slow.root / "slow").unlink()
    (card,) = slow.root.glob("artifacts/steps/*/job.json")
    _until(lambda: (card.parent / "exit").read_text() == "ended 3\n")
    assert fates(made(slow)) == {"sacks": "resumed", "after": "ran"}
    assert len(pids(slow)) == 2


def test_a_kill_between_the_tree_and_its_trace_costs_no_work(slow):
    """What left the step's folder is found in the store: the trace is written, and nothing runs again."""

    class Killed(BaseException):
        pass

    class Dying(Quick):
        def write(self, path, data, *, durable=False):
            if "/traces/" in os.fspath(path):
                raise Killed
            super().write(path, data, durable=durable)

    (slow.root / "slow").unlink()
    front = open_front(Dying(), slow.root, Call())
    with pytest.raises(Killed):
        Build(front, front.plan, lambda _: None).run()
    (card,) = slow.root.glob("artifacts/steps/*/job.json")
    assert not (card.parent / "out").exists()
    ending = made(slow)["sacks"]
    assert (ending.fate, ending.bytes, len(pids(slow))) == (Fate.RAN, 6, 1)
    assert (slow.tree("after") / "sacks").read_text() == "1\n2\n3\n"
    assert not card.exists()
