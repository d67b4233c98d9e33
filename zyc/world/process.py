"""A command that runs in a session of its own: what it takes, and how it ended."""

# contextlib is slow to import
# ruff: noqa: SIM105

from __future__ import annotations

import os
import select
import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from subprocess import Popen
    from typing import Final

    from zyc.world import AnyPath

_FIRST_LOOK, _LONGEST_BREAK = 0.02, 1.0  # seconds between two looks at what a group holds


class Exit:
    """How a command ended; a negative code is the signal that ended it.

    `peak_memory` is what its processes held together, in bytes, as far as it was seen; 0 for what ended too soon.
    """

    __slots__ = ("code", "peak_memory", "seconds")

    def __init__(self, code: int, *, seconds: float, peak_memory: int) -> None:
        self.code: Final = code
        self.seconds: Final = seconds
        self.peak_memory: Final = peak_memory

    def __repr__(self) -> str:
        return f"Exit({self.code}, seconds={self.seconds:.3f}, peak_memory={self.peak_memory})"


class Process:
    """A running command; whoever starts one waits for it, and may end it from any thread."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        output: int,
        cwd: AnyPath | None,
        env: Mapping[str, str] | None,
        pass_descriptors: Sequence[int] = (),
        cores: Sequence[int] = (),
        reader: Popen[bytes] | None = None,
    ) -> None:
        import subprocess

        self._began = time.monotonic()
        before = _confine(cores)  # this thread, for a moment: a child takes after the thread that starts it
        try:
            self._popen = subprocess.Popen(  # noqa: S603  (a list, no shell)
                command,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=tuple(pass_descriptors),
                start_new_session=True,  # not only a group: a step that could open the terminal would stop and wait there
            )
        finally:
            _confine(before)
        self.pid: Final = self._popen.pid
        self._reader = reader  # who writes its log, where that is not the command itself
        self._gate = threading.Lock()
        self._exit: Exit | None = None
        self._peak = 0
        self.memory = 0  # bytes, when it was last looked at
        self._look_at = self._began + _FIRST_LOOK
        self._descriptor = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else -1

    def interrupt(self) -> None:
        """Ask the group to stop, as Ctrl-C in a terminal would."""
        import signal

        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """End the group at once."""
        import signal

        self._signal(signal.SIGKILL)

    def wait(self, *, seconds: float | None = None) -> Exit | None:
        """How it ended; nothing when it still runs after so many seconds. Nobody of its group outlives it."""
        until = None if seconds is None else time.monotonic() + seconds
        while self._exit is None and not self._reaped():
            now = time.monotonic()
            if until is not None and now >= until:
                return None
            if now >= self._look_at:
                self._look(now)
            self._rest(min(self._look_at, until or self._look_at) - now)
        self._read_out()
        return self._exit

    def close(self) -> None:
        """End it if it lives still, and let go of it; harmless when done."""
        self.kill()
        self.wait()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _read_out(self) -> None:
        """The log is whole once its reader has ended; somebody who left the group may hold the pipe open for ever."""
        reader, self._reader = self._reader, None
        if reader is not None:
            import subprocess

            try:
                reader.wait(2)
            except subprocess.TimeoutExpired:
                reader.kill()
                reader.wait()

    def _rest(self, seconds: float) -> None:
        if self._descriptor >= 0:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            poll.poll(max(0.0, seconds) * 1000 + 1)
        else:
            time.sleep(min(0.005, max(0.0, seconds)))  # where a process is no descriptor, we look again and again

    def _look(self, now: float) -> None:
        self.memory = held(self.pid)
        self._peak = max(self._peak, self.memory)
        self._look_at = now + min(_LONGEST_BREAK, max(_FIRST_LOOK, (now - self._began) / 4))

    def _reaped(self) -> bool:
        with self._gate:
            if self._exit is not None:
                return True
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return False
            self._end_group()  # before it is reaped: until then its number is nobody else's
            _, status, usage = os.wait4(self.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            self._popen.returncode = code  # reaped here: subprocess must not look for it
            self._exit = Exit(
                code, seconds=time.monotonic() - self._began, peak_memory=max(self._peak, _largest(usage.ru_maxrss))
            )
            return True

    def _end_group(self) -> None:
        import signal

        try:
            os.killpg(self.pid, signal.SIGKILL)  # a leftover must not write into an output that is about to be published
        except (ProcessLookupError, PermissionError):
            pass  # nobody left; macOS says EPERM of a group of zombies

    def _signal(self, number: int) -> None:
        with self._gate:
            if self._exit is not None:
                return  # the number may be somebody else's by now
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):
                pass


def _confine(cores: Sequence[int]) -> Sequence[int]:
    """Let this thread run on these cores only; the ones that it had."""
    if not cores or not hasattr(os, "sched_setaffinity"):
        return ()
    before = tuple(os.sched_getaffinity(0))
    try:
        os.sched_setaffinity(0, cores)
    except OSError:
        return ()  # a core that was taken away since: the step runs wherever it may
    return before


def _largest(told: int) -> int:
    """The largest process that ended, in bytes; 0 where it cannot be told from us.

    Linux counts what we held when we started it, so that a process that stayed below that is hidden.
    """
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return 0 if told <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss else told * unit


def held(pid: int) -> int:
    """What a process and its children hold together, shared pages counted once; 0 where it cannot be told."""
    own, shared, pending = 0, 0, [pid]
    while pending:
        each = pending.pop()
        try:
            with open(f"/proc/{each}/statm", "rb") as file:  # noqa: PTH123  # pathlib is slow to import
                _, resident, common, *_ = map(int, file.read().split())
            with open(f"/proc/{each}/task/{each}/children", "rb") as file:  # noqa: PTH123
                pending += map(int, file.read().split())
        except (OSError, ValueError):
            continue  # gone meanwhile, or no Linux
        own += resident - common
        shared = max(shared, common)
    return (own + shared) * os.sysconf("SC_PAGE_SIZE") if own else 0
