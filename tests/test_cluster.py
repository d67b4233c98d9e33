"""A second host: the same specs, kinds and runner build on a cluster that is slow, forgetful and takes jobs away."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from cluster import Cluster
from example.workshop import Workshop

from zyc.hosts import Phase
from zyc.hosts.local import Local
from zyc.runner import Build, Ending, Options, Progress, Started, attempt

MILL = """vars: {word: flour}
steps:
  grain: {files: {words: data/words.txt}, run: 'cp in/words out/grain; echo {\\"n\\": 3} > measures.json', gates: [n >= 3]}
  sieve: {inputs: {grain: grain}, run: 'sort in/grain/grain > out/fine'}
  sack:
    matrix: {size: [1, 2, 3]}
    inputs: {fine: sieve}
    run: head -n $ZYC_MATRIX_SIZE in/fine/fine > out/sack; echo $ZYC_VARS_WORD >> out/sack; chmod +x out/sack
  cart: {inputs: {sacks: [sack], all: [sack, grain]}, run: 'cat $(find -L in -type f | sort) > out/cart; mkdir out/empty'}
  stone: exit 3
  wall: {inputs: {stone: stone}, run: cp in/stone/x out/x}
  dust: "true"
  pair: sort -r recipe/command.sh > out/it
  twin: sort -r recipe/command.sh > out/it
  heavy: {inputs: {cart: cart}, run: 'wc -c < in/cart/cart > out/n; echo {\\"n\\": 1} > measures.json', gates: [n < 1]}
  road: {inputs: {heavy: heavy}, run: cp in/heavy/n out/n}
"""
SACKS = """steps:
  sacks:
    placement: {resume: true}
    run: |
      echo $$ >> $HOME/starts
      for sack in 1 2 3; do
        [ -e state/$sack ] && continue
        echo filling $sack
        touch state/$sack
        [ $sack != 2 ] || for i in {1..200}; do [ -e $HOME/slow ] || break; sleep 0.05; done
      done
      ls state > out/sacks
"""


@pytest.fixture
def shop(workshop, monkeypatch):
    """A project whose steps may leave notes for a test in its root."""
    monkeypatch.setenv("HOME", str(workshop.root))
    return workshop


def made(shop: Workshop, host, heard=lambda _: None, **options) -> tuple[dict[str, Ending], list]:
    """Build it there: what happened, and what was told."""
    front = shop.front()
    events: list = []

    def told(event):
        events.append(event)
        heard(event)

    return Build(front, front.plan, told, options=Options(keep_going=True, **options), host=host).run(), events


def fates(endings) -> dict[str, str]:
    """In words."""
    return {name: each.fate.value for name, each in endings.items()}


def starts(shop: Workshop) -> int:
    """How often the step began."""
    path = shop.root / "starts"
    return len(path.read_text().split()) if path.exists() else 0


def test_what_is_built_on_a_cluster_is_what_is_built_here(shop, tmp_path):
    """Fates, keys, trees, measures and reasons are equal, though jobs start late and files arrive one after the other."""
    there = Workshop(tmp_path / "other")
    for each in (shop, there):
        each.spec(MILL)
    here, _ = made(shop, None)
    cluster = Cluster(tmp_path / "cluster", delay=0.05, late=1)
    away, _ = made(there, cluster)

    def seen(ending):
        return replace(ending, seconds=0.0, saved=0.0, peak_memory=0)

    assert {name: seen(each) for name, each in away.items()} == {name: seen(each) for name, each in here.items()}
    assert {"ran", "failed", "blocked", "kept"} <= {*fates(away).values()}
    assert (fates(away)["heavy"], fates(away)["road"]) == ("ran", "blocked")
    assert set(cluster.submissions.values()) == {1}
    assert all(each.seconds < 30 for each in away.values())
    assert fates(made(there, None)[0])["cart"] == "kept"


@pytest.mark.parametrize("late", [0, 2])
def test_a_preempted_job_goes_on_from_its_state(shop, tmp_path, late):
    """The state comes home with the rest, whole; the next attempt starts there, and gives what it would have given."""
    shop.spec(SACKS)
    (shop.root / "slow").touch()

    def second(disk):
        return (disk / "state" / "2").exists() and (shop.root / "slow").exists()

    cluster = Cluster(tmp_path / "cluster", late=late, takes=_then(second, (shop.root / "slow").unlink))
    endings, events = made(shop, cluster)
    assert fates(endings) == {"sacks": "resumed"}
    assert shop.tree("sacks").joinpath("sacks").read_text() == "1\n2\n3\n"
    assert [each.resumed for each in events if isinstance(each, Started)] == [False, True]
    log = (shop.root / endings["sacks"].log).read_text()
    assert log == "filling 3\n"
    assert sorted(cluster.submissions.values()) == [1, 1]


def _then(whether, act):
    def asked(disk):
        yes = whether(disk)
        if yes:
            act()
        return yes

    return asked


def test_a_job_that_its_host_forgot_is_given_to_it_again(shop, tmp_path):
    """Under another name, from the beginning: nothing of it came home."""
    shop.spec(SACKS)
    (shop.root / "slow").touch()

    def second(disk):
        return (disk / "state" / "2").exists() and (shop.root / "slow").exists()

    cluster = Cluster(tmp_path / "cluster", forgets=_then(second, (shop.root / "slow").unlink))
    endings, _ = made(shop, cluster)
    assert fates(endings) == {"sacks": "ran"}
    assert shop.tree("sacks").joinpath("sacks").read_text() == "1\n2\n3\n"
    assert sorted(cluster.submissions.values()) == [1, 1]
    assert starts(shop) == 2


def test_a_job_that_is_taken_away_each_time_fails_in_the_end(shop, tmp_path):
    """A build does not go on for ever with a host that never lets a step finish."""
    shop.spec(SACKS.replace("resume: true", "resume: false"))
    (shop.root / "slow").touch()
    cluster = Cluster(tmp_path / "cluster", takes=lambda _: True)
    endings, _ = made(shop, cluster)
    assert fates(endings) == {"sacks": "failed"}
    assert endings["sacks"].reason == "its host took it away again and again"
    assert set(cluster.submissions.values()) == {1}


DRIVER = """
import os, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from cluster import Cluster
from example.workshop import Workshop
from zyc.runner import Build
shop = Workshop(Path({root!r}))
front = shop.front()
Build(front, front.plan, lambda _: None, host=Cluster(Path({cluster!r}), delay={delay})).run()
"""


def _killed_driver(shop: Workshop, cluster: Cluster, when) -> None:
    """A build in a process of its own, which is killed at a moment."""
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    code = DRIVER.format(paths=paths, root=str(shop.root), cluster=str(cluster.root), delay=cluster.delay)
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as driver:
        until = time.monotonic() + 20
        while not when() and driver.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        os.killpg(driver.pid, signal.SIGKILL)
    assert driver.returncode == -signal.SIGKILL


@pytest.mark.parametrize("moment", [pytest.param("queued", marks=pytest.mark.slow), "running", "ended"])
def test_a_job_outlives_its_driver_and_is_found_again(shop, tmp_path, moment):
    """Whatever it does at the moment: the next zyc asks for it by its name and takes its result; nothing is done twice."""
    shop.spec(SACKS)
    cluster = Cluster(tmp_path / "cluster", delay=0.5 if moment == "queued" else 0.0, late=1)
    if moment != "queued":
        (shop.root / "slow").touch()
    begun = {
        "queued": lambda: list(cluster.root.glob("*/node.json")),
        "running": lambda: starts(shop),
        "ended": lambda: starts(shop),
    }
    _killed_driver(shop, cluster, begun[moment])
    if moment == "ended":
        (shop.root / "slow").unlink()
    until = time.monotonic() + 30
    while moment == "ended" and not list(cluster.root.glob("*/ended")) and time.monotonic() < until:
        time.sleep(0.01)
    endings, events = made(shop, cluster, lambda _: (shop.root / "slow").unlink(missing_ok=True))  # it was found: it may end
    assert fates(endings) == {"sacks": "ran"}
    assert (starts(shop), list(cluster.submissions.values())) == (1, [1])
    whys = [each.why for each in events if isinstance(each, Started)]
    (why,) = whys
    found = {"queued": {"still"}, "running": {"still", "no more"}, "ended": {"no more"}}[
        moment
    ]  # one that runs may end meanwhile
    assert why in {f"{each}: an earlier build started it" for each in found}
    assert shop.tree("sacks").joinpath("sacks").read_text() == "1\n2\n3\n"


def test_a_job_that_was_announced_and_never_submitted_is_submitted(shop, tmp_path):
    """A crash between the note and the submission: the host does not know it, so that nobody is asked to wait for it."""

    class Dying(Cluster):
        def submit(self, job):
            raise KeyboardInterrupt

        def poll(self, job, *, seconds):
            return super().poll(job, seconds=0)

    shop.spec(SACKS)
    with pytest.raises(KeyboardInterrupt):
        made(shop, Dying(tmp_path / "cluster"))
    assert list(shop.root.glob("artifacts/steps/*/job.json"))
    cluster = Cluster(tmp_path / "cluster")
    assert fates(made(shop, cluster)[0]) == {"sacks": "ran"}
    assert list(cluster.submissions.values()) == [1]


def test_a_step_that_failed_there_is_tried_again_as_another_job(shop, tmp_path):
    """By a retry and by the next build: a host that remembers what it was given must not answer with the old end."""
    shop.spec(
        SACKS.replace("echo $$ >>", "[ $(cat $HOME/starts | wc -l) -lt 2 ] || exit 0; echo $$ >>").replace("ls state", "exit 4")
    )
    (shop.root / "starts").touch()
    cluster = Cluster(tmp_path / "cluster")
    assert made(shop, cluster, retries=1)[0]["sacks"].attempts == 2
    made(shop, cluster)
    assert starts(shop) == 2
    assert sorted(cluster.submissions.values()) == [1, 1, 1]


@pytest.mark.parametrize("moment", ["queued", "running"])
def test_a_job_on_a_cluster_is_asked_to_stop_and_keeps_its_state(shop, tmp_path, moment):
    """Ctrl-C reaches it wherever it is; the next build goes on from what came home."""
    shop.spec(SACKS)
    (shop.root / "slow").touch()
    cluster = Cluster(tmp_path / "cluster", delay=60 if moment == "queued" else 0, late=1)
    front, pressed = shop.front(), []

    def told(event):
        if isinstance(event, Progress) and not pressed and (event.queued == "waits for a node" or starts(shop)):
            pressed.append(1)
            build.press()

    build = Build(front, front.plan, told, host=cluster)
    begun = time.monotonic()
    assert fates(build.run()) == {"sacks": "interrupted"}
    assert time.monotonic() - begun < 30
    (shop.root / "slow").unlink()
    cluster.delay = 0
    assert fates(made(shop, cluster)[0]) == {"sacks": "ran" if moment == "queued" else "resumed"}
    assert set(cluster.submissions.values()) == {1}


def test_what_never_arrives_is_not_waited_for_after_a_second_press(shop, tmp_path):
    """Ctrl-C twice ends a build whose host does not deliver; the next one takes what has arrived by then."""
    shop.spec("steps:\n  sacks: echo $$ >> $HOME/starts; ls in > out/sacks; echo 1 >> out/sacks\n")
    front, cluster = shop.front(), Cluster(tmp_path / "cluster", late=1_000_000)

    def told(event):
        if isinstance(event, Started):
            threading.Thread(target=press_twice).start()

    def press_twice():
        while not cluster.fetched:
            time.sleep(0.02)
        build.press()
        build.press()

    build = Build(front, front.plan, told, host=cluster)
    assert fates(build.run()) == {"sacks": "interrupted"}
    assert fates(made(shop, Cluster(tmp_path / "cluster"))[0]) == {"sacks": "ran"}
    assert starts(shop) == 1


def test_a_queue_takes_no_time_of_a_limit(shop, tmp_path):
    """What waits for its turn on a cluster has not begun."""
    shop.spec("steps:\n  sacks: echo 1 > out/sacks\n")
    cluster = Cluster(tmp_path / "cluster", delay=6)
    assert fates(made(shop, cluster, timeout=5)[0]) == {"sacks": "ran"}


def test_a_job_that_takes_too_long_on_a_cluster_is_not_started_anew(shop, tmp_path, monkeypatch):
    """Neither when it ends as it is asked to, nor when its host says of a killed one that it is lost."""
    monkeypatch.setattr(attempt, "_GRACE", 0.2)
    (shop.root / "slow").touch()
    for trap in ("", "trap : INT; "):
        shop.spec(SACKS.replace("echo $$", f"{trap}echo $$"))
        cluster = Cluster(tmp_path / f"cluster{len(trap)}")
        ending = made(shop, cluster, timeout=0.3)[0]["sacks"]
        assert (ending.fate.value, ending.reason) == ("failed", "it took longer than its timeout of 0.3 s")
        assert list(cluster.submissions.values()) == [1]


@pytest.mark.slow
def test_fifty_jobs_are_on_their_way_at_once(shop, tmp_path):
    """The cores of this machine are no limit there."""
    run = f"until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo $ZYC_MATRIX_N > out/n"
    shop.spec(f"steps:\n  job:\n    matrix: {{n: {[*range(50)]}}}\n    run: {run}\n")
    waiting: set[str] = set()
    most = []

    class Watched(Cluster):
        def submit(self, job):
            waiting.add(job.name)
            super().submit(job)
            if len(waiting) == 50:
                (tmp_path / "go").touch()

        def poll(self, job, *, seconds):
            report = super().poll(job, seconds=seconds)
            if report.phase is Phase.ENDED:
                most.append(len(waiting))
                waiting.discard(job.name)
            return report

    cluster = Watched(tmp_path / "cluster")
    endings, _ = made(shop, cluster)
    assert set(fates(endings).values()) == {"ran"}
    assert most[0] == 50
    assert {shop.tree(name).joinpath("n").read_text() for name in endings} == {f"{n}\n" for n in range(50)}


def test_the_words_of_a_job_on_a_cluster_hold_no_secret(shop, tmp_path, monkeypatch):
    """It is the host's to hide them: it is told which they are."""
    monkeypatch.setenv("TOKEN", "hf_s3cretly")
    shop.spec("steps:\n  a: {secrets: [TOKEN], run: 'echo with $TOKEN; echo 1 > out/x'}\n")
    ending = made(shop, Cluster(tmp_path / "cluster"))[0]["a"]
    assert ending.fate.value == "ran"
    assert (shop.root / ending.log).read_text() == "with ***\n"


def test_a_job_of_another_host_is_left_to_it(shop, tmp_path):
    """A card of a cluster says nothing to this machine: the step is made here from the beginning."""
    shop.spec(SACKS)
    cluster = Cluster(tmp_path / "cluster")
    (shop.root / "slow").touch()
    _killed_driver(shop, cluster, lambda: starts(shop))
    (shop.root / "slow").unlink()
    front = shop.front()
    assert fates(Build(front, front.plan, lambda _: None, host=Local.here(front.world)).run()) == {"sacks": "ran"}
    assert starts(shop) == 2
