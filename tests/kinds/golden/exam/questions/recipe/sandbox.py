"""Runs code that nobody has read: a process of its own in a folder of its own, without network, with limits; it always ends.

Without network: a network namespace of its own where the system grants one (`unshare`), and sockets cannot be made in Python
either. Files outside its folder, processes and foreign libraries are refused by Python itself (see guarded), which keeps out
code that errs and not a person who attacks the interpreter: `isolation()` says what the system granted.
"""

import contextlib
import functools
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

SECONDS = 10  # of processor; twice as many of the clock
MEMORY = 1 << 30
FILE = 1 << 20  # bytes of a file that it writes, and of what it prints

GUARD = Path(__file__).with_name("guarded.py")


@dataclass
class Ran:
    """How it ended, and what it said last."""

    fine: bool
    why: str


@functools.cache
def isolation():
    """The words before the command that take the network away; none where the system does not grant it."""
    if shutil.which("unshare") is None:
        return ()
    words = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child")
    tried = subprocess.run([*words, "true"], capture_output=True, check=False)
    return words if tried.returncode == 0 else ()


def run(code, checks="", *, seconds=SECONDS, memory=MEMORY):
    """Run code and then what checks it, to the end or to their limits; fine is what came to the end of both.

    How a process ends says nothing, as code may end it: what counts is a word that is passed on behind the last check.
    """
    word = secrets.token_hex(16).encode()
    with tempfile.TemporaryDirectory() as folder, _pipe() as told, _pipe() as heard:
        for name, text in (("code.py", code), ("checks.py", checks)):
            Path(folder, name).write_text(text, encoding="utf-8", errors="replace")
        os.write(told[1], word)
        limits = [str(each) for each in (seconds, memory, FILE, told[0], heard[1])]
        with Path(folder, "said").open("wb") as said:
            process = subprocess.Popen(
                [*isolation(), sys.executable, "-I", "-S", str(GUARD.resolve()), *limits],
                cwd=folder,
                env={"PATH": os.defpath, "HOME": folder, "TMPDIR": folder, "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(told[0], heard[1]),
            )
            try:
                ended = process.wait(2 * seconds)
            except subprocess.TimeoutExpired:
                ended = None
            finally:
                _end(process)
        os.set_blocking(heard[0], False)
        with contextlib.suppress(BlockingIOError):
            if os.read(heard[0], 64) == word and ended == 0:
                return Ran(fine=True, why="")
        last = Path(folder, "said").read_bytes()[-500:].decode(errors="replace").strip()
    if ended is None:
        return Ran(fine=False, why="it did not end in time")
    if ended == 0:
        return Ran(fine=False, why="it ended before it was checked")
    return Ran(fine=False, why=last.splitlines()[-1] if last else f"ended with {ended}")


@contextlib.contextmanager
def _pipe():
    """Two ends, closed whatever happens."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for each in ends:
            os.close(each)


def _end(process):
    """Everything that it started ends with it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
