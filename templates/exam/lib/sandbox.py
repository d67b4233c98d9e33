"""Runs code that nobody has read: a process of its own in a folder of its own, without network, with limits; it always ends.

Without network: a network namespace of its own where the system grants one (`unshare`), and sockets cannot be made in Python
either. Files outside its folder, processes and foreign libraries are refused by Python itself (see guarded), which keeps out
code that errs and not a person who attacks the interpreter: `isolation()` says what the system granted.
"""

import contextlib
import functools
import os
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


def run(code, *, seconds=SECONDS, memory=MEMORY):
    """Run it to its end, or to its limits."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "code.py").write_text(code, encoding="utf-8", errors="replace")
        with Path(folder, "said").open("wb") as said:
            process = subprocess.Popen(
                [*isolation(), sys.executable, "-I", "-S", str(GUARD.resolve()), str(seconds), str(memory), str(FILE)],
                cwd=folder,
                env={"PATH": os.defpath, "HOME": folder, "TMPDIR": folder, "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(2 * seconds)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                _end(process)
        last = Path(folder, "said").read_bytes()[-500:].decode(errors="replace").strip()
    if code is None:
        return Ran(fine=False, why="it did not end in time")
    return Ran(fine=code == 0, why=last.splitlines()[-1] if last else f"ended with {code}")


def _end(process):
    """Everything that it started ends with it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
