"""Hosts: a step folder runs by itself, sees what it is given, and tells no secret; a second zyc finds what the first one left."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zyc.hosts import Job, Phase, Report, code_in, earlier_logs, has_state
from zyc.hosts.local import Local, environment
from zyc.world import World

WORLD = World()
BIN = str(Path(sys.executable).parent)
CONSTANT = Path(__file__).parents[1] / "templates" / "run.sh"


def job(folder: Path, script: str, **more) -> Job:
    """A step folder with this run.sh."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.sh").write_text(script)
    return Job(**{"name": "key-1", "folder": folder, "env": {"PATH": os.environ["PATH"]}, **more})


def step(folder: Path, script: str, **more) -> Job:
    """A step folder with the run.sh of every step, and this for its launch."""
    (folder / "placement").mkdir(parents=True)
    (folder / "placement" / "launch.sh").write_text(script)
    return job(folder, CONSTANT.read_text(), **more)


def ended(host: Local, what: Job) -> Report:
    """How a submitted job ended."""
    until = time.monotonic() + 20
    while (report := host.poll(what, seconds=1)).phase is not Phase.ENDED:
        assert report.phase is Phase.RUNNING
        assert time.monotonic() < until
    assert host.fetch(what)
    return report


def run(what: Job) -> Report:
    """A whole life."""
    host = Local.here(WORLD)
    host.prepare(what)
    host.submit(what)
    return ended(host, what)


def log(what: Job, *, lines: int = 0) -> str:
    """What a job said, once it said so many lines."""
    path, until = what.folder / "log.txt", time.monotonic() + 30
    while not path.exists() or path.read_text().count("\n") < lines:
        assert time.monotonic() < until
        time.sleep(0.01)
    return path.read_text()


def test_a_step_runs_in_its_folder_with_exactly_its_environment(tmp_path):
    """Only what is given, a TMPDIR of its own, and what bash itself sets."""
    script = "pwd\ntest -d $TMPDIR\nenv | cut -d= -f1 | sort\n"
    what = job(tmp_path / "step", script, env={"PATH": os.environ["PATH"], "ZYC_VARS_EPOCHS": "3"})
    assert run(what).code == 0
    where, *names = log(what).split()
    assert where == str(what.folder.resolve())
    assert set(names) - {"PWD", "SHLVL", "_", "OLDPWD", "__CF_USER_TEXT_ENCODING"} == {"PATH", "TMPDIR", "ZYC_VARS_EPOCHS"}


def test_the_report_says_how_it_went(tmp_path):
    """The exit code of the script, its time, its memory; both streams are in its log."""
    report = run(job(tmp_path, "echo one; echo two >&2; sleep 0.2; exit 5\n"))
    assert report.code == 5
    assert 0.2 < report.seconds < 10
    assert report.peak_memory > 100_000
    assert (tmp_path / "log.txt").read_text() == "one\ntwo\n"


def test_a_job_that_runs_says_so(tmp_path):
    """With what it holds at the moment; whoever asks waits for news, and no longer than he said."""
    host, what = Local.here(WORLD), job(tmp_path, "sleep 60\n")
    host.prepare(what)
    host.submit(what)
    begun = time.monotonic()
    reports = [host.poll(what, seconds=0), host.poll(what, seconds=0.1)]
    assert [each.phase for each in reports] == [Phase.RUNNING] * 2
    assert reports[1].memory > 0
    assert time.monotonic() - begun < 30
    host.cancel(what, hard=True)
    assert ended(host, what).code == -signal.SIGKILL


def test_secrets_stay_out_of_the_log(tmp_path):
    """A step may print what it must not: the log has stars."""
    what = job(tmp_path, "echo key is $KEY\n", env={**os.environ, "KEY": "hf_secret"}, secrets=("hf_secret",))
    run(what)
    assert log(what) == "key is ***\n"


def test_the_step_holds_the_lock_of_its_key(tmp_path):
    """The descriptor that it is given is open in it."""
    with WORLD.lock(tmp_path / "lock") as lock:
        script = f"test -e /dev/fd/{lock.descriptor} && echo held\n"
        what = job(tmp_path / "step", script, descriptors=(lock.descriptor,))
        run(what)
        assert log(what) == "held\n"


def test_whatever_runs_of_a_step_holds_each_lock(tmp_path):
    """The run.sh of every step hands on whatever it is given, whichever number that has: else a second writer could start."""
    shell = (Path(__file__).parents[1] / "templates/run.sh").read_text()
    what = job(tmp_path / "step", shell)
    numbers = range(3, 40)
    check = "for each in {3..39}; do [ /dev/fd/$each -ef ../lock ] || echo $each is lost; done"
    (what.folder / "placement").mkdir()
    (what.folder / "placement/launch.sh").write_text(f"{check}\nbash -c '{check}'\n")
    code = f"""
import os, sys
held = os.dup2(os.open({str(tmp_path / "lock")!r}, os.O_RDWR | os.O_CREAT), 50)
for each in {list(numbers)}:
    os.dup2(held, each, inheritable=True)
os.execvp("bash", ["bash", {str(what.folder / "run.sh")!r}])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("depth", [0, 12])
def test_the_temporary_folder_is_the_steps_own_and_short_enough_for_a_socket(tmp_path, depth):
    """However long the path of a step, its workers can talk; what they leave is on the step's disk, and gone after."""
    socket = "os.environ['TMPDIR'] + '/pymp-12345678/listener-12345678'"
    worker = f"import socket, os; s = socket.socket(socket.AF_UNIX); s.bind({socket})"
    script = f'mkdir "$TMPDIR/pymp-12345678"\n{sys.executable} -c "{worker}"\nls tmp; echo $TMPDIR\n'
    what = job(tmp_path.joinpath(*["a long name"] * depth), script)
    (what.folder / "tmp").mkdir()
    (what.folder / "tmp" / "of an older attempt").touch()
    assert run(what).code == 0
    inside, temporary = log(what).split()
    assert inside == "pymp-12345678"
    assert not os.path.lexists(temporary)
    assert not (what.folder / "tmp").exists()
    assert not Path(temporary).parent.exists() or Path(temporary).parent == what.folder
    assert sorted(path.name for path in what.folder.iterdir()) == ["log.txt", "run.sh"]


def test_a_job_that_is_asked_to_stop_is_over_and_cleaned(tmp_path):
    """Softly it may finish what it does; its end is told like any other."""
    host, what = Local.here(WORLD), job(tmp_path, "trap 'echo saved; exit 7' INT; echo ready; while :; do sleep 0.02; done\n")
    host.prepare(what)
    host.submit(what)
    log(what, lines=1)
    host.cancel(what, hard=False)
    assert ended(host, what).code == 7
    assert log(what) == "ready\nsaved\n"
    assert not (tmp_path / "tmp").exists()
    host.cancel(what, hard=True)  # over: harmless


def test_a_killed_step_says_so(tmp_path):
    """A negative code is the signal."""
    assert run(job(tmp_path, "kill -9 $$\n")).code == -signal.SIGKILL


def test_a_job_that_was_submitted_is_not_submitted_again(tmp_path):
    """Neither while it runs nor by another zyc; what the host does not know it calls lost."""
    what, hosts = job(tmp_path, "echo $$; sleep 60\n"), [Local.here(WORLD) for _ in range(2)]
    assert hosts[0].poll(what, seconds=0).phase is Phase.LOST
    hosts[0].cancel(what, hard=True)
    hosts[0].prepare(what)
    for host in (*hosts, *hosts):
        host.submit(what)
    pid = int(log(what, lines=1))
    assert hosts[1].poll(what, seconds=0.1).phase is Phase.RUNNING
    other = Job("key-2", what.folder)
    assert hosts[1].poll(other, seconds=0).phase is Phase.LOST
    hosts[1].cancel(other, hard=True)
    assert WORLD.born(pid)
    hosts[1].cancel(what, hard=True)
    assert ended(hosts[0], what).code == -signal.SIGKILL
    assert log(what).count("\n") == 1


def _left_behind(folder: Path, *, until: str = "[ -s log.txt ]") -> int:
    """A job of a zyc that was killed: the number of its process."""
    code = f"""
import os, subprocess, time
from pathlib import Path
from zyc.hosts import Job
from zyc.hosts.local import Local
from zyc.world import World
host, job = Local.here(World()), Job("key-1", Path("."), {{"PATH": os.environ["PATH"]}})
host.prepare(job)
host.submit(job)
print(host.running["key-1"].pid, flush=True)
while subprocess.run(["bash", "-c", {until!r}]).returncode:
    time.sleep(0.01)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return int(done.stdout)


def test_a_job_whose_zyc_was_killed_is_found_again_and_followed_to_its_end(tmp_path):
    """It goes on meanwhile; its end, its time and its log are what they would have been."""
    what = step(tmp_path / "step", "echo ready; read < go; echo $REPLY; exit 3\n")
    os.mkfifo(what.folder / "go")
    _left_behind(what.folder)
    host = Local.here(WORLD)
    host.submit(what)
    assert host.poll(what, seconds=0.1).phase is Phase.RUNNING
    (what.folder / "go").write_text("went on\n")
    report = ended(host, what)
    assert report.code == 3
    assert 0.1 < report.seconds < 20
    assert log(what) == "ready\nwent on\n"
    assert sorted(path.name for path in what.folder.iterdir() if path.is_file()) == ["exit", "log.txt", "run.sh"]


def test_a_job_that_ended_while_no_zyc_lived_is_told_as_it_ended(tmp_path):
    """By what it wrote down itself; whom it left behind is ended before its output is looked at."""
    what = step(tmp_path / "step", "sleep 60 & echo $!; exit 4\n")
    _left_behind(what.folder, until="[ -s exit ]")
    report = Local.here(WORLD).poll(what, seconds=0)
    assert (report.phase, report.code) == (Phase.ENDED, 4)
    leftover, until = int(log(what)), time.monotonic() + 30
    while WORLD.born(leftover) and time.monotonic() < until:
        time.sleep(0.01)
    assert WORLD.born(leftover) == ""


def test_a_job_that_was_killed_while_no_zyc_lived_is_lost(tmp_path):
    """Nobody wrote down how it ended: nothing of it is believed. A signal ends it, whoever started it."""
    what = step(tmp_path / "step", "echo $$; sleep 60\n")
    _left_behind(what.folder)
    host = Local.here(WORLD)
    child = int(log(what))
    host.cancel(what, hard=True)
    until = time.monotonic() + 30
    while host.poll(what, seconds=0.1).phase is Phase.RUNNING and time.monotonic() < until:
        pass
    assert host.poll(what, seconds=0).phase is Phase.LOST
    assert WORLD.born(child) == ""


def test_a_number_that_another_process_has_by_now_is_nobody_of_ours(tmp_path):
    """Whoever was born at another time is neither waited for nor ended."""
    what = step(tmp_path / "step", "exit 0\n")
    _left_behind(what.folder, until="[ -s exit ]")
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        card = json.loads((what.folder / "process.json").read_text())
        (what.folder / "process.json").write_text(json.dumps({**card, "pid": stranger.pid}))
        host = Local.here(WORLD)
        host.cancel(what, hard=True)
        assert host.poll(what, seconds=5).phase is Phase.ENDED
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"job": "key-1", "pid": "x", "born": "1", "alias": ""}', "\0"])
def test_a_card_that_was_cut_off_is_no_card(tmp_path, text):
    """What cannot be read is a job that nobody knows."""
    what = job(tmp_path, "exit 0\n")
    (tmp_path / "process.json").write_text(text)
    assert Local.here(WORLD).poll(what, seconds=0).phase is Phase.LOST
    assert run(what).code == 0


def test_what_a_card_names_is_removed_only_where_zyc_makes_such(tmp_path):
    """A step may write into its own folder: it cannot have another one removed."""
    what, made = job(tmp_path / "step", "exit 0\n"), WORLD.private_folder()
    (tmp_path / "precious").touch()
    for alias in (str(tmp_path), f"{made}/../..{tmp_path}", made):
        card = {"job": "key-1", "pid": 1, "born": "", "alias": alias}
        (what.folder / "process.json").write_text(json.dumps(card))
        Local.here(WORLD).fetch(what)
        assert (tmp_path / "precious").exists()
    assert not os.path.lexists(made)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ended 0\n", 0),
        ("ended 130\n", 130),
        ("", None),
        ("ended", None),
        ("ended ", None),
        ("ended 1", None),  # of a 13 or a 130
        ("ended -9\n", None),
        ("ended x\n", None),
        ("0\n", None),
    ],
)
def test_an_exit_that_was_cut_off_is_no_exit(text, code):
    """A number counts once its line has an end."""
    assert code_in(text) == code


@pytest.mark.parametrize("code", [0, 3, 130])
def test_every_step_writes_down_how_it_ended(tmp_path, code):
    """By hand too, from any folder; whoever is asked to stop says himself what that means."""
    what = step(tmp_path / "step", f"trap 'sleep 0.1; exit {code}' INT; echo ready; while :; do sleep 0.02; done\n")
    (what.folder / "exit").write_text("ended 77\n")  # of an earlier attempt
    with subprocess.Popen(["bash", "step/run.sh"], cwd=tmp_path, stdout=subprocess.PIPE, start_new_session=True) as by_hand:
        assert by_hand.stdout.readline() == b"ready\n"
        assert code_in((what.folder / "exit").read_text()) is None
        os.killpg(by_hand.pid, signal.SIGINT)
        assert by_hand.wait(30) == code
    assert code_in((what.folder / "exit").read_text()) == code


def test_what_a_step_left_is_listed_by_what_it_is(tmp_path):
    """A state besides our own note in it, be it only how far it came; the logs of earlier attempts, oldest first."""
    (tmp_path / "state").mkdir()
    assert not has_state(WORLD, tmp_path)
    (tmp_path / "state" / ".placement.json").touch()
    assert not has_state(WORLD, tmp_path)
    (tmp_path / "state" / "progress.json").touch()
    assert has_state(WORLD, tmp_path)
    for name in ("log.txt", "log.10.txt", "log.9.txt", "log.x.txt", "dialog.3.txt"):
        (tmp_path / name).touch()
    assert earlier_logs(WORLD, tmp_path) == [9, 10]


def test_the_environment_of_steps_is_scrubbed():
    """Nothing of this machine but where programs and the home are; the same language, zone and hash seed everywhere."""

    class Here(World):
        def environ(self):
            return {
                "PATH": f"/usr/bin::relative:.:/bin:{BIN}",
                "HOME": "/home/me",
                "LC_ALL": "de_DE",
                "X": "1",
            }

    found = environment(Here(), {})
    assert found == {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": "/home/me",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
    }
    assert environment(Here(), {"HF_HUB_OFFLINE": "1", "TZ": "CET"}) == {**found, "HF_HUB_OFFLINE": "1", "TZ": "CET"}


def test_python_in_a_step_is_the_one_that_runs_zyc(tmp_path):
    """An engine installed beside zyc is found, also when zyc was called by its path."""
    what = job(tmp_path, "command -v python3\n", env=environment(WORLD, {}))
    run(what)
    assert log(what).strip() == f"{BIN}/python3"
