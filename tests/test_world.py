"""The world: whole files, held locks, processes that end when they are told to, and logs without secrets."""

import errno
import hashlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from faulty import Crash, Crashing, Refusing, names
from hypothesis import given
from hypothesis import strategies as st

from zyc.world import Stat, World
from zyc.world.redact import Redactor

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
    with pytest.raises(NotADirectoryError):
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
    waiter.join(30)
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
    waiter.join(30)
    with pytest.raises(BlockingIOError):
        WORLD.lock(path, wait=False)
    got[0].release()


def test_a_lock_is_held_as_long_as_a_child_that_inherited_it(tmp_path):
    """The driver lets go; the step, which still writes, does not."""
    lock = WORLD.lock(tmp_path / "lock")
    more = {"cwd": tmp_path, "env": ENV, "log_path": tmp_path / "log.txt"}
    child = WORLD.launch(bash("sleep 60"), pass_descriptors=[lock.descriptor], **more)
    strangers = [WORLD.launch(bash("sleep 60"), redact=redact, **more) for redact in ((), ("s3cret",))]  # inherit nothing
    lock.release()
    with pytest.raises(BlockingIOError):
        WORLD.lock(tmp_path / "lock", wait=False)
    child.close()
    WORLD.lock(tmp_path / "lock", wait=False).release()
    for each in strangers:
        each.close()


def test_a_killed_driver_leaves_no_second_writer(tmp_path):
    """Kill -9 of the driver: its step goes on, and holds the lock until it ends."""
    os.mkfifo(tmp_path / "fifo")
    code = """
import os
from zyc.world import World
world = World()
lock = world.lock("lock")
world.launch(["bash", "-c", "read < fifo"], cwd=".", env={"PATH": os.environ["PATH"]}, log_path="log.txt",
             pass_descriptors=[lock.descriptor])
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


def test_the_lines_of_a_long_secret_are_hidden_one_by_one():
    """A key may be printed line by line, or with other line ends; its short lines are no secret."""
    key = "-----BEGIN-----\nMIIEvQIBADAN\nend\n"
    for shown in (key, key.replace("\n", "\r\n"), "a MIIEvQIBADAN b", "-----BEGIN-----: MIIEvQIBADAN"):
        redactor = Redactor([key])
        told = redactor.feed(shown.encode()) + redactor.flush()
        assert b"MIIE" not in told
        assert b"BEGIN" not in told
    assert Redactor([key]).feed(b"the end, as it is ") == b"the end, as it is "


# --- processes ---


@contextmanager
def launched(text: str, folder: Path, **more):
    """A line of shell that runs in a folder; what is left of it is ended."""
    process = WORLD.launch(bash(text), cwd=folder, env=ENV, log_path=folder / "log.txt", **more)
    try:
        yield process
    finally:
        process.close()


def run(text: str, folder: Path, **more):
    """Run a line of shell in a folder, to its end."""
    with launched(text, folder, **more) as process:
        ended = process.wait(seconds=20)
        assert ended is not None
        return ended


def said(folder: Path, *, lines: int) -> list[str]:
    """The log of a process that runs, once it has so many lines."""
    until, log = time.monotonic() + 30, folder / "log.txt"
    while log.read_text().count("\n") < lines:
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.01)
    return log.read_text().splitlines()


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


def test_who_does_not_wait_long_enough_is_told_nothing(tmp_path):
    """A process that runs has no end yet; once it has one, it is always the same one."""
    with launched("sleep 60", tmp_path) as process:
        begun = time.monotonic()
        assert process.wait(seconds=0) is None
        assert process.wait(seconds=0.1) is None
        assert 0.1 <= time.monotonic() - begun < 30
        process.kill()
        ended = process.wait()
        assert ended.code == -signal.SIGKILL
        assert process.wait(seconds=0) is ended


def test_a_step_sits_in_a_session_of_its_own(tmp_path):
    """What is typed into the terminal of a build reaches no step, and a step that opens the terminal does not stop there."""
    told = "import os; print(os.getsid(0) == os.getpid() == os.getpgid(0), flush=True); open('/dev/tty')"
    run(f'exec {sys.executable} -c "{told}"', tmp_path)
    first, *_, last = (tmp_path / "log.txt").read_text().splitlines()
    assert first == "True"
    assert "/dev/tty" in last


TWO_LINES = "first line of it\nsecond line of it\n"


@pytest.mark.parametrize(
    ("secret", "pieces"),
    [
        ("hf_abcDEF", ["token hf_abc", "DEF end\n"]),
        (TWO_LINES, ["token first line of it", "\nsecond line of it\n end\n"]),
        (TWO_LINES, ["token ", "second line", " of it end\n"]),
        ("grün ☃", ["token gr\\xc3", "\\xbcn ☃ end\n"]),
    ],
    ids=["in two pieces", "many lines", "one of many lines", "in the middle of a letter"],
)
def test_no_secret_reaches_the_log(tmp_path, secret, pieces):
    """However it is cut, and in whichever stream; the rest of what a step says is there."""
    first, *rest = (f"printf '{piece}'" for piece in pieces)
    assert run("; sleep 0.1; ".join([first, *(f"{each} >&2" for each in rest)]), tmp_path, redact=(secret,)).code == 0
    assert (tmp_path / "log.txt").read_text() == "token *** end\n"


def test_what_follows_a_step_that_ended_finds_its_whole_log(tmp_path):
    """Also when a reader stands between: it has written everything once the end is told."""
    for _ in range(3):
        run("for i in {1..2000}; do echo line $i of s3cret; done; printf 's3cre'", tmp_path, redact=("s3cret",))
        assert (tmp_path / "log.txt").read_text().endswith("line 2000 of ***\ns3cre")
        (tmp_path / "log.txt").unlink()


def test_a_missing_program_is_a_plain_error(tmp_path):
    """Callers put it into words; a reader for its secrets is not left behind."""
    before = _children()
    for secrets in ((), ("s3cret",)):
        with pytest.raises(FileNotFoundError):
            WORLD.launch(("no-such-program",), cwd=tmp_path, env=ENV, log_path=tmp_path / "log.txt", redact=secrets)
    assert set(_children()) <= set(before)


def _children() -> list[int]:
    """The children of this process that nobody has waited for."""
    listed = subprocess.run(("ps", "-o", "pid=,comm=", "--ppid", str(os.getpid())), capture_output=True, text=True, check=False)
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if "ps" not in line.split()]


def test_peak_memory_is_in_bytes(tmp_path):
    """What a step held at most, also when it was given back before its end."""
    fill = 200_000_000
    text = f"import time; x = bytearray({fill}); time.sleep(0.3); del x; time.sleep(0.1)"
    ended = run(f"{sys.executable} -c '{text}'", tmp_path)
    assert fill < ended.peak_memory < fill + 100_000_000


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="what a group holds is told by Linux only")
def test_the_memory_of_children_counts(tmp_path):
    """Two workers that hold much side by side hold twice as much, and it can be seen while they run."""
    each = 60_000_000
    worker = f'{sys.executable} -c "x = bytearray({each}); print(1, flush=True); input()"'
    os.mkfifo(tmp_path / "fifo")
    with launched(f"exec 3<>fifo; {worker} <&3 & {worker} <&3 & wait", tmp_path) as process:
        said(tmp_path, lines=2)
        until = time.monotonic() + 30
        while process.memory < 2 * each and time.monotonic() < until:
            assert process.wait(seconds=0.05) is None
        assert 2 * each < process.memory < 3 * each
        process.kill()
        assert 2 * each < process.wait().peak_memory < 3 * each


def test_the_first_interrupt_lets_a_step_finish_its_work(tmp_path):
    """It reaches the whole group, as Ctrl-C does; what a step still writes then is kept; nobody of the group is left."""
    text = "trap 'touch checkpoint; echo saved; exit 7' INT; sleep 60 & echo $!; wait"
    with launched(text, tmp_path) as process:
        child = int(said(tmp_path, lines=1)[0])
        process.interrupt()
        assert process.wait(seconds=10).code == 7
        assert (tmp_path / "checkpoint").exists()
        assert said(tmp_path, lines=2)[-1] == "saved"
        assert gone(child)


def test_a_step_that_will_not_stop_is_killed(tmp_path):
    """With all its children."""
    text = "trap 'echo again' INT; sleep 60 & echo $!; echo $$; while :; do sleep 0.02; done"
    with launched(text, tmp_path) as process:
        pids = [int(each) for each in said(tmp_path, lines=2)]
        process.interrupt()
        said(tmp_path, lines=3)
        assert process.wait(seconds=0.05) is None
        process.kill()
        assert process.wait(seconds=10).code == -signal.SIGKILL
        assert all(gone(pid) for pid in pids)


def test_another_thread_can_end_what_one_waits_for(tmp_path):
    """What a runner of many steps needs; once it is over that is harmless."""
    with launched("sleep 60", tmp_path) as process:
        threading.Timer(0.05, process.kill).start()
        begun = time.monotonic()
        assert process.wait(seconds=30).code == -signal.SIGKILL
        assert time.monotonic() - begun < 30
        process.kill()
        process.interrupt()
        process.close()


def test_to_let_go_of_a_process_ends_it(tmp_path):
    """Whoever closes one that runs leaves nobody behind, and no descriptor open."""
    before = len(WORLD.list("/dev/fd"))
    with launched("sleep 60 & echo $!; echo $$; wait", tmp_path):
        pids = [int(each) for each in said(tmp_path, lines=2)]
    assert all(gone(pid) for pid in pids)
    assert len(WORLD.list("/dev/fd")) == before


@pytest.mark.parametrize("secrets", [(), ("s3cret",)])
def test_what_a_step_leaves_running_is_ended_with_it(tmp_path, secrets):
    """A leftover must not write into an output that is about to be published."""
    assert run("sleep 60 & echo $!; exit 0", tmp_path, redact=secrets).code == 0
    assert gone(int((tmp_path / "log.txt").read_text()))


@pytest.mark.parametrize("secrets", [(), ("s3cret",)])
def test_a_process_that_escaped_the_group_does_not_keep_a_run_alive(tmp_path, secrets):
    """Nor does one that holds the pipe to the reader, and writes into it without an end; that one is cut off."""
    write = "while 1: os.write(1, b'.' * 4096); time.sleep(0.01)"
    escape = f"import os, time; os.setsid(); os.write(1, b'%d\\n' % os.getpid())\n{write}"
    (tmp_path / "escape.py").write_text(escape)
    begun = time.monotonic()
    ended = run(f"{sys.executable} escape.py & sleep 0.3", tmp_path, redact=secrets)
    assert ended.code == 0
    assert time.monotonic() - begun < 30
    escaped = int((tmp_path / "log.txt").read_text().split()[0])
    if secrets:
        assert gone(escaped)
    else:
        os.kill(escaped, signal.SIGKILL)


def test_a_step_that_closes_its_output_is_waited_for(tmp_path):
    """The end of its words is not the end of the step."""
    for secrets in ((), ("s3cret",)):
        assert run("exec >&- 2>&-; sleep 0.1; touch done", tmp_path, redact=secrets).code == 0
        (tmp_path / "done").unlink()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_log_that_cannot_be_written_does_not_stop_its_step(tmp_path):
    """A reader goes on reading on a full disk: a step that talks much must not stand still because of its log."""
    (tmp_path / "log.txt").symlink_to("/dev/full")
    assert run("for i in {1..20000}; do echo $i; done; touch done", tmp_path, redact=("s3cret",)).code == 0
    assert (tmp_path / "done").exists()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processes cannot be bound to cores here")
def test_a_step_is_bound_to_the_cores_that_it_is_given(tmp_path):
    """To these and no others; we ourselves stay free, and a core that is not there is no reason not to run."""
    before = os.sched_getaffinity(0)
    first = min(before)
    ask = f"{sys.executable} -c 'import os; print(*os.sched_getaffinity(0))'"
    run(ask, tmp_path, cores=(first,))
    run(ask, tmp_path, cores=(max(before) + 1000,))
    run(ask, tmp_path)
    assert (tmp_path / "log.txt").read_text() == f"{first}\n" + f"{' '.join(map(str, before))}\n" * 2
    assert os.sched_getaffinity(0) == before


def test_a_step_outlives_a_killed_driver_and_goes_on_writing_its_log(tmp_path):
    """Without its secrets even then: the reader in between outlives us, too."""
    os.mkfifo(tmp_path / "fifo")
    for secrets in ((), ("s3cret",)):
        code = f"""
import os, time
from zyc.world import World
World().launch(["bash", "-c", "echo $$; read < fifo; echo s3cret, $REPLY"], cwd=".", env={{"PATH": os.environ["PATH"]}},
               log_path="log.txt", redact={secrets})
while not os.path.getsize("log.txt"):
    time.sleep(0.01)
os.kill(os.getpid(), 9)
"""
        driver = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False, capture_output=True)
        assert driver.returncode == -signal.SIGKILL, driver.stderr
        pid = int((tmp_path / "log.txt").read_text())
        assert WORLD.born(pid)
        (tmp_path / "fifo").write_text("go\n")
        assert said(tmp_path, lines=2)[1] == f"{'***' if secrets else 's3cret'}, go"
        assert gone(pid)
        (tmp_path / "log.txt").unlink()


def test_a_process_is_known_by_when_it_was_born(tmp_path):
    """The same answer while it lives; none once it is dead, waited for or not, and none for a number that nobody has."""
    with launched("sleep 60", tmp_path) as process:
        born = WORLD.born(process.pid)
        assert born
        assert WORLD.born(process.pid) == born
        os.kill(process.pid, signal.SIGKILL)
        until = time.monotonic() + 30
        while WORLD.born(process.pid) and time.monotonic() < until:
            time.sleep(0.01)
        assert WORLD.born(process.pid) == ""
        process.wait()
        assert WORLD.born(process.pid) == ""
    assert WORLD.born(1 << 22) == ""
    assert WORLD.born(os.getpid())


def test_a_group_is_ended_by_its_number(tmp_path):
    """Softly and hard, whoever started it; harmless once it is gone."""
    with launched("trap 'echo asked; exit 5' INT; echo ready; while :; do sleep 0.02; done", tmp_path) as process:
        said(tmp_path, lines=1)
        WORLD.end(process.pid, hard=False)
        assert process.wait(seconds=10).code == 5
        WORLD.end(process.pid, hard=False)
    with launched("sleep 60", tmp_path) as process:
        WORLD.end(process.pid, hard=True)
        assert process.wait(seconds=10).code == -signal.SIGKILL


def test_a_start_of_the_machine_has_a_name():
    """The same one all the time: a step of another one cannot have ended well unseen."""
    assert WORLD.boot() == WORLD.boot()
    assert WORLD.boot() or sys.platform not in ("linux", "darwin")


def test_presses_are_told_until_nobody_listens_any_more():
    """Ctrl-C and the polite request to end; afterwards all is as it was; only a main thread can hear them."""
    told, before = [], (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    over = WORLD.pressed(lambda: told.append(1))
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    assert len(told) == 2
    over()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    thread = threading.Thread(target=WORLD.pressed, args=(told.append,))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) == before[0]


def test_the_end_of_a_file_that_grows_can_be_read(tmp_path):
    """At most so many bytes, the last ones."""
    (tmp_path / "file").write_bytes(b"0123456789")
    assert WORLD.tail(tmp_path / "file", most=4) == b"6789"
    assert WORLD.tail(tmp_path / "file", most=40) == b"0123456789"


def test_a_probe_gives_its_words_or_runs_out_of_time(tmp_path):
    """Short commands, with a limit that holds for their children too."""
    assert WORLD.output(bash("echo hello; exit 4"), cwd=tmp_path, env=ENV) == (4, "hello\n")
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        WORLD.output(bash("sleep 60 & sleep 60"), env=ENV, seconds=0.2)
    with pytest.raises(TimeoutError):
        WORLD.output(bash("exec >&- 2>&-; sleep 60"), env=ENV, seconds=0.2)
    assert time.monotonic() - begun < 30


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
