"""The world: whole files, held locks, processes that end when they are told to, and logs without secrets."""

import errno
import hashlib
import itertools
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from faulty import Crash, Crashing, Refusing, names
from hypothesis import given
from hypothesis import strategies as st

from zyc.world import Stat, World
from zyc.world.process import Log, Redactor

WORLD = World()
ENV = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


def bash(text: str) -> tuple[str, ...]:
    """A command that is a line of shell."""
    return ("bash", "-c", text)


def gone(pid: int, *, seconds: float = 5) -> bool:
    """Whether a process ends in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True  # dead; whoever adopted it has not looked yet
        time.sleep(0.01)
    return False


# --- importing ---


def test_importing_the_world_imports_next_to_nothing():
    """The path of `zyc --version` and of nothing to do: no dataclasses, typing, pathlib, subprocess, hashlib."""
    code = "import sys, os, time, errno; before = set(sys.modules); import zyc.world; print(*sorted(set(sys.modules) - before))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["__future__", "zyc", "zyc.world"]


# --- looking ---


def test_stat_says_what_is_there(tmp_path):
    """A file, a folder, a link (not followed unless asked), something else, or nothing."""
    (tmp_path / "file").write_text("four")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    seen = {name: WORLD.stat(tmp_path / name) for name in ("file", "link", "dangling", "pipe", ".", "none", "file/below")}
    assert [each.kind if each else None for each in seen.values()] == ["file", "link", "link", "other", "folder", None, None]
    assert (seen["file"].size, seen["file"].mode, seen["file"].links) == (4, 0o640, 1)
    assert WORLD.stat(tmp_path / "link", follow=True) == seen["file"]
    assert WORLD.exists(tmp_path / "link")
    assert not WORLD.exists(tmp_path / "dangling")
    assert hash(seen["file"]) == hash(WORLD.stat(tmp_path / "file"))
    assert seen["file"] != seen["link"]
    assert "size=4" in repr(seen["file"])
    assert isinstance(seen["file"], Stat)


def test_walk_lists_all_in_order_and_follows_nothing(tmp_path):
    """Sorted relative paths, folders too; a link to a folder is a link."""
    for name in ("b/2", "b/1", "a", "c/d/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("b")
    assert [path for path, _ in WORLD.walk(tmp_path)] == ["a", "b", "b/1", "b/2", "c", "c/d", "c/d/e", "link"]
    assert WORLD.list(tmp_path) == ("a", "b", "c", "link")
    assert WORLD.walk(tmp_path / "none") == ()
    assert WORLD.list(tmp_path / "none") == ()


def test_a_digest_is_the_sha256_of_all_bytes(tmp_path):
    """Also of files larger than a buffer, and of empty ones."""
    for size in (0, 1, 1 << 20, (1 << 20) + 1):
        (tmp_path / "file").write_bytes(b"x" * size)
        assert WORLD.digest(tmp_path / "file") == hashlib.sha256(b"x" * size).hexdigest()


# --- changing ---


def test_a_write_is_whole_and_leaves_nothing_beside(tmp_path):
    """Text or bytes, durable or not, in the place of what was there."""
    WORLD.write(tmp_path / "file", "one")
    with (tmp_path / "file").open() as reader:
        WORLD.write(tmp_path / "file", b"two", durable=True)
        assert reader.read() == "one"  # who had it open keeps what was there
    assert WORLD.read_text(tmp_path / "file") == "two"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("durable", [True, False])
def test_a_crash_at_any_effect_of_a_write_shows_the_old_or_the_new(tmp_path, durable):
    """Never a mixture, never nothing."""
    for at in itertools.count():
        WORLD.write(tmp_path / "file", "old")
        world = Crashing(at)
        with suppress(Crash):
            world.write(tmp_path / "file", "new", durable=durable)
        assert WORLD.read_text(tmp_path / "file") in ("old", "new")
        if not world.dead:
            break
    assert at == (5 if durable else 3)


def test_a_refused_write_is_a_plain_error_and_leaves_nothing(tmp_path):
    """The caller puts it into words; no temporary file stays."""
    for verb in (lambda world, path: world.write(path, "x"), lambda world, path: world.symlink(path, target="x")):
        for at in range(2):
            with pytest.raises(OSError, match="No space left") as error:
                verb(Refusing(at), tmp_path / "it")
            assert error.value.errno == errno.ENOSPC
            assert names(tmp_path) == []


def test_a_symlink_is_replaced_in_one_step(tmp_path):
    """It leads to the old place or to the new one at any moment."""
    WORLD.symlink(tmp_path / "link", target="one")
    WORLD.symlink(tmp_path / "link", target="two")
    assert WORLD.read_link(tmp_path / "link") == "two"
    assert names(tmp_path) == ["link"]


def test_make_folder_makes_all_above_and_minds_what_is_there(tmp_path):
    """Harmless when there; a file in the way is an error."""
    WORLD.make_folder(tmp_path / "a" / "b" / "c", durable=True)
    WORLD.make_folder(tmp_path / "a" / "b" / "c")
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        WORLD.make_folder(tmp_path / "file" / "below")


def test_freeze_thaw_and_remove_a_tree(tmp_path):
    """Frozen: no write bit but on what a link leads to; it can be removed all the same, and what links lead to stays."""
    top = tmp_path / "top"
    (top / "deep" / "er").mkdir(parents=True)
    (top / "deep" / "file").touch(0o751)
    (tmp_path / "mine").touch()
    (top / "link").symlink_to(tmp_path / "mine")
    (top / "folder link").symlink_to(tmp_path)
    WORLD.freeze(top)
    assert [oct(path.lstat().st_mode & 0o222) for path in (top, top / "deep", top / "deep" / "er", top / "deep" / "file")] == [
        "0o0"
    ] * 4
    assert (top / "deep" / "file").stat().st_mode & 0o777 == 0o551
    assert (tmp_path / "mine").stat().st_mode & 0o200
    WORLD.thaw(top)
    assert (top / "deep" / "file").stat().st_mode & 0o777 == 0o751
    WORLD.freeze(top)
    (top / "deep" / "er").chmod(0)
    WORLD.remove_tree(top)
    WORLD.remove_tree(top)
    assert names(tmp_path) == ["mine"]
    WORLD.remove_tree(tmp_path / "mine")
    assert names(tmp_path) == []


def test_side_by_side_keeps_order_and_tells_the_first_error():
    """Results come in the order of the subjects; a failure is raised, not lost."""
    assert WORLD.each(lambda number: number * 2, range(50)) == tuple(range(0, 100, 2))
    assert WORLD.each(str, [7]) == ["7"]
    with pytest.raises(ZeroDivisionError):
        WORLD.each(lambda number: 1 // number, [3, 0, 5])


# --- locks ---


def test_a_lock_is_exclusive_and_says_for_whom_one_waits(tmp_path):
    """Who does not wait is refused; who waits is told once who holds it, then gets it."""
    path, told, got = tmp_path / "lock", [], []
    held = WORLD.lock(path)
    with pytest.raises(BlockingIOError):
        WORLD.lock(path, wait=False)
    waiter = threading.Thread(target=lambda: got.append(WORLD.lock(path, told=told.append)))
    waiter.start()
    while not told:
        time.sleep(0.01)
    assert not got
    held.release()
    held.release()
    waiter.join(5)
    assert told == [f"process {os.getpid()} on {os.uname().nodename}"]
    got[0].release()
    with WORLD.lock(path, wait=False):
        pass


def test_a_shared_lock_is_held_by_many_and_says_by_whom(tmp_path):
    """Many hold it side by side; who wants it alone is refused until the last has let go, and hears of the living only."""
    path = tmp_path / "lock"
    one, other = WORLD.lock(path, shared=True), WORLD.lock(path, shared=True, wait=False)
    gone = subprocess.Popen(["true"])
    gone.wait()
    path.write_text(f"{path.read_text()}\nprocess {gone.pid} on {os.uname().nodename}")
    one.release()
    with pytest.raises(BlockingIOError):
        WORLD.lock(path, wait=False)
    assert WORLD.holder(path) == f"process {os.getpid()} on {os.uname().nodename}"
    other.release()
    with WORLD.lock(path, wait=False), pytest.raises(BlockingIOError):
        WORLD.lock(path, shared=True, wait=False)


def test_the_file_of_a_shared_lock_stays_small(tmp_path):
    """Ten thousand builds leave no long list of their names behind."""
    for _ in range(300):
        WORLD.lock(tmp_path / "lock", shared=True).release()
    assert (tmp_path / "lock").stat().st_size < 5_000


def test_a_lock_whose_file_was_swept_away_is_taken_on_the_new_one(tmp_path):
    """Two holders of one path never hold two files."""
    path, got = tmp_path / "lock", []
    held = WORLD.lock(path)
    waiter = threading.Thread(target=lambda: got.append(WORLD.lock(path, told=lambda _: path.unlink())))
    waiter.start()
    while path.exists():
        time.sleep(0.01)
    held.release()
    waiter.join(5)
    with pytest.raises(BlockingIOError):
        WORLD.lock(path, wait=False)
    got[0].release()


def test_a_lock_is_held_as_long_as_a_child_that_inherited_it(tmp_path):
    """The driver lets go; the step, which still writes, does not."""
    lock = WORLD.lock(tmp_path / "lock")
    child = WORLD.start(bash("sleep 60"), sink=lambda _: None, env=ENV, pass_descriptors=[lock.descriptor])
    stranger = WORLD.start(bash("sleep 60"), sink=lambda _: None, env=ENV)  # inherits nothing
    lock.release()
    with pytest.raises(BlockingIOError):
        WORLD.lock(tmp_path / "lock", wait=False)
    child.close()
    WORLD.lock(tmp_path / "lock", wait=False).release()
    stranger.close()


def test_a_killed_driver_leaves_no_second_writer(tmp_path):
    """Kill -9 of the driver: its step goes on, and holds the lock until it ends."""
    os.mkfifo(tmp_path / "fifo")
    code = """
import os, sys
from zyc.world import World
world = World()
lock = world.lock("lock")
world.start(["bash", "-c", "echo $$ > pid; read < fifo"], sink=print, pass_descriptors=[lock.descriptor])
os.kill(os.getpid(), 9)
"""
    driver = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False, capture_output=True)
    assert driver.returncode == -signal.SIGKILL
    with pytest.raises(BlockingIOError):
        WORLD.lock(tmp_path / "lock", wait=False)
    (tmp_path / "fifo").write_text("go\n")
    WORLD.lock(tmp_path / "lock").release()


# --- redaction ---

LETTERS = st.text("ab", min_size=1, max_size=5)


@given(st.text("abc", max_size=40), st.lists(LETTERS, min_size=1, max_size=3), st.lists(st.integers(0, 40), max_size=6))
def test_redaction_is_the_same_however_the_stream_is_cut(text, secrets, cuts):
    """No secret is left whole, and no cut between chunks makes a difference."""
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    cut, whole = Redactor(secrets), Redactor(secrets)
    pieces = [cut.feed(text[start:end].encode()) for start, end in itertools.pairwise(places)]
    shown = b"".join([*pieces, cut.flush()])
    assert shown == whole.feed(text.encode()) + whole.flush()
    assert not any(secret.encode() in shown for secret in secrets)


def test_nothing_is_held_back_that_cannot_become_a_secret():
    """A line is shown at once unless its end could be the start of a secret."""
    redactor = Redactor(["hunter2", ""])
    assert redactor.feed(b"step 1 of 10\n") == b"step 1 of 10\n"
    assert redactor.feed(b"the password is hunt") == b"the password is "
    assert redactor.feed(b"er2, and hun") == b"***, and "
    assert redactor.flush() == b"hun"
    longer = Redactor(["ab", "abab"])
    assert longer.feed(b"ab") + longer.feed(b"ab!") == b"***!"


def test_lines_are_told_whole_and_redacted():
    """Also when they come in pieces, end in a bare carriage return, or never end."""
    kept, lines = [], []
    log = Log(kept.append, secrets=["s3cret"], on_line=lines.append)
    for piece in (b"one\ntw", b"o\r\n 10%\r 20%\r", b"key s3", b"cret\n\nl\xc3", b"\xa4st"):
        log.feed(piece)
    log.close()
    assert lines == ["one", "two", " 10%", " 20%", "key ***", "läst"]
    assert b"".join(kept) == "one\ntwo\r\n 10%\r 20%\rkey ***\n\nläst".encode()


# --- processes ---


def run(text: str, folder: Path, **more):
    """Run a line of shell in a folder."""
    return WORLD.run(bash(text), cwd=folder, env=ENV, log_path=folder / "log.txt", **more)


def test_a_run_logs_both_streams_and_says_how_it_ended(tmp_path):
    """Output and errors in one log, in order; nothing to read on its input; exactly the given environment."""
    ended = run("echo out; echo err >&2; cat; echo ${HOME-none}; exit 3", tmp_path)
    assert ended.code == 3
    assert (tmp_path / "log.txt").read_text() == "out\nerr\nnone\n"
    assert 0 < ended.seconds < 10
    assert "Exit(3" in repr(ended)
    assert run("kill -9 $$", tmp_path).code == -signal.SIGKILL
    run("echo more", tmp_path)
    assert (tmp_path / "log.txt").read_text() == "out\nerr\nnone\nmore\n"


def test_no_secret_reaches_the_log_or_a_listener(tmp_path):
    """Not even one that is written in two pieces."""
    lines = []
    run("printf 'token hf_abc'; sleep 0.1; printf 'DEF end\\n'", tmp_path, redact=("hf_abcDEF",), on_line=lines.append)
    assert (tmp_path / "log.txt").read_text() == "token *** end\n"
    assert lines == ["token *** end"]


def test_a_missing_program_is_a_plain_error(tmp_path):
    """Callers put it into words."""
    with pytest.raises(FileNotFoundError):
        WORLD.run(("no-such-program",), cwd=tmp_path, env=ENV, log_path=tmp_path / "log.txt")


def test_peak_memory_is_in_bytes(tmp_path):
    """A step that grows beyond us is measured; one that stays smaller is hidden by our own size, and told as 0."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    fill = own + 100_000_000
    ended = WORLD.run((sys.executable, "-c", f"x = bytearray({fill})"), cwd=tmp_path, env=ENV, log_path=tmp_path / "log.txt")
    assert fill < ended.peak_memory < fill + 1_000_000_000
    small = WORLD.run(("true",), cwd=tmp_path, env=ENV, log_path=tmp_path / "log.txt")
    assert small.peak_memory == 0


def _press(pids: list[int], presses: list[str]):
    """A listener that notes pids, and presses Ctrl-C at the words that ask for it."""

    def on_line(line: str) -> None:
        if line.isdigit():
            pids.append(int(line))
        elif line in presses:
            raise KeyboardInterrupt

    return on_line


def test_the_first_interrupt_lets_a_step_finish_its_work(tmp_path):
    """Ctrl-C reaches the whole group; what a step still writes then is kept; nobody of the group is left."""
    pids: list[int] = []
    text = "trap 'touch checkpoint; echo saved; exit 7' INT; sleep 60 & echo $!; echo ready; wait"
    with pytest.raises(KeyboardInterrupt):
        run(text, tmp_path, on_line=_press(pids, ["ready"]))
    assert (tmp_path / "checkpoint").exists()
    assert (tmp_path / "log.txt").read_text().endswith("saved\n")
    assert gone(pids[0])


def test_the_second_interrupt_kills(tmp_path):
    """A step that will not stop is stopped, with all its children."""
    pids: list[int] = []
    text = "trap 'echo again' INT; sleep 60 & echo $!; echo $$; echo ready; while :; do sleep 0.02; done"
    with pytest.raises(KeyboardInterrupt):
        run(text, tmp_path, on_line=_press(pids, ["ready", "again"]))
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


def test_a_real_interrupt_of_the_driver_ends_the_group(tmp_path):
    """SIGINT to the driver alone, as `kill -INT` gives it: the step stops, and the driver with it."""
    code = """
from zyc.world import World
World().run(["bash", "-c", "sleep 60 & echo $!; wait"], cwd=".", env={"PATH": "/usr/bin:/bin"}, log_path="log.txt",
            on_line=lambda line: print(line, flush=True))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as driver:
        pid = int(driver.stdout.readline())
        driver.send_signal(signal.SIGINT)
        driver.communicate(timeout=20)
    assert driver.returncode not in (0, None)
    assert gone(pid)


def test_another_thread_can_stop_a_run(tmp_path):
    """What a runner of many steps needs: the process, from outside."""
    found = []
    runs = threading.Thread(target=lambda: found.append(run("sleep 60", tmp_path, started=found.append)))
    runs.start()
    while not found:
        time.sleep(0.01)
    found[0].kill()
    runs.join(5)
    assert found[1].code == -signal.SIGKILL
    found[0].kill()  # over: harmless


def test_what_a_step_leaves_running_is_ended_with_it(tmp_path):
    """A leftover must not write into an output that is about to be published."""
    pids: list[int] = []
    ended = run("sleep 60 & echo $!; exit 0", tmp_path, on_line=_press(pids, []))
    assert ended.code == 0
    assert gone(pids[0])


def test_a_process_that_escaped_the_group_does_not_keep_a_run_alive(tmp_path):
    """Nor does one that holds the pipe and writes into it without an end."""
    escape = (
        f'{sys.executable} -c \'import os; os.setsid(); print(os.getpid(), flush=True); os.execlp("yes", "yes")\' & sleep 0.3'
    )
    pids: list[int] = []
    begun = time.monotonic()
    ended = run(escape, tmp_path, on_line=_press(pids, []))
    assert ended.code == 0
    assert time.monotonic() - begun < 10
    assert gone(pids[0])  # its pipe is closed


def test_a_step_that_closes_its_output_is_waited_for(tmp_path):
    """The end of the pipe is not the end of the step."""
    ended = run("exec >&- 2>&-; sleep 0.2; touch done", tmp_path)
    assert ended.code == 0
    assert (tmp_path / "done").exists()


def test_a_log_that_cannot_be_written_ends_the_step(tmp_path):
    """A full disk is an error of the run, and no process is left behind."""
    pids: list[int] = []

    def on_line(line):
        pids.append(int(line))
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        run("echo $$; sleep 60", tmp_path, on_line=on_line)
    assert gone(pids[0])


def test_a_probe_gives_its_words_or_runs_out_of_time(tmp_path):
    """Short commands, with a limit that holds for their children too."""
    assert WORLD.output(bash("echo hello; exit 4"), cwd=tmp_path, env=ENV) == (4, "hello\n")
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        WORLD.output(bash("sleep 60 & sleep 60"), env=ENV, seconds=0.2)
    with pytest.raises(TimeoutError):
        WORLD.output(bash("exec >&- 2>&-; sleep 60"), env=ENV, seconds=0.2)
    assert time.monotonic() - begun < 5


# --- the machine ---


def test_the_machine_is_described_in_sane_numbers(tmp_path):
    """At least one processor, some memory, some disk, also for a path that is not there yet."""
    assert 1 <= WORLD.cpu_count() <= 4096
    assert 1 << 26 < WORLD.memory_total() < 1 << 46
    assert WORLD.disk_free(tmp_path / "not" / "yet") > 0
    assert WORLD.now() > 1_700_000_000
    assert WORLD.monotonic() <= WORLD.monotonic()
    assert WORLD.environ() == dict(os.environ)


@pytest.mark.parametrize(
    ("groups", "files", "cpus", "memory"),
    [
        ("0::/\n", {"/sys/fs/cgroup/cpu.max": "150000 100000", "/sys/fs/cgroup/memory.max": "max"}, 2, None),
        ("0::/a/b\n", {"/sys/fs/cgroup/a/cpu.max": "50000 100000", "/sys/fs/cgroup/a/b/memory.max": "1000"}, 1, 1000),
        ("4:memory:/x\n1:cpu:/\n", {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "2000"}, None, 2000),
        ("", {}, None, None),
    ],
    ids=["top", "nested", "first version", "none"],
)
def test_the_limits_of_a_container_count(groups, files, cpus, memory):
    """A container with two processors of sixty-four has two, and its memory is its own."""

    class Contained(World):
        def exists(self, path):
            return path == "/proc/self/cgroup" or path in files

        def read_text(self, path):
            return groups if path == "/proc/self/cgroup" else files[path] + "\n"

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert Contained().cpu_count() == min(usable, cpus or usable)
    if memory is not None:
        assert Contained().memory_total() == memory
