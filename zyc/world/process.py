"""A command that runs: its group, its output without the secrets, and how it ended."""

# contextlib is slow to import
# ruff: noqa: SIM105

from __future__ import annotations

import errno
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Final

    from zyc.world import AnyPath

_CHUNK = 1 << 20
_STARS = b"***"


class Exit:
    """How a command ended; a negative code is the signal that ended it.

    `peak_memory` is the largest process in bytes; 0 for one that stayed smaller than zyc, whose own size hides it.
    """

    __slots__ = ("code", "peak_memory", "seconds")

    def __init__(self, code: int, *, seconds: float, peak_memory: int) -> None:
        self.code: Final = code
        self.seconds: Final = seconds
        self.peak_memory: Final = peak_memory

    def __repr__(self) -> str:
        return f"Exit({self.code}, seconds={self.seconds:.3f}, peak_memory={self.peak_memory})"


class Redactor:
    """Replaces secrets in a stream of bytes: the same result however the stream is cut."""

    def __init__(self, secrets: Iterable[str]) -> None:
        import re

        known = sorted({each.encode("utf-8", "surrogateescape") for each in secrets if each}, key=len, reverse=True)
        self._secrets = known  # longest first: of two that begin alike the longer one is hidden whole
        self._pattern = re.compile(b"|".join(re.escape(each) for each in known)) if known else None
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """What may be shown now; an end that could be the start of a secret is held back."""
        if self._pattern is None:
            return chunk
        text = self._held + chunk
        safe = self._safe(text)
        shown, at = [], 0
        for match in self._pattern.finditer(text):
            if match.start() >= safe:
                break
            shown += [text[at : match.start()], _STARS]
            at = match.end()
        end = max(at, safe)
        shown.append(text[at:end])
        self._held = text[end:]
        return b"".join(shown)

    def flush(self) -> bytes:
        """The rest, when nothing can follow."""
        rest, self._held = self._held, b""
        return self._pattern.sub(_STARS, rest) if self._pattern else rest

    def _safe(self, text: bytes) -> int:
        for at in range(max(0, len(text) - len(self._secrets[0]) + 1), len(text)):
            tail = text[at:]
            if any(len(each) > len(tail) and each.startswith(tail) for each in self._secrets):
                return at
        return len(text)


class Log:
    """Takes what a command says and passes it on without the secrets, as bytes and line by line."""

    def __init__(
        self, keep: Callable[[bytes], None], *, secrets: Iterable[str] = (), on_line: Callable[[str], None] | None = None
    ) -> None:
        self._keep = keep
        self._redactor = Redactor(secrets)
        self._on_line = on_line
        self._line = b""

    def feed(self, chunk: bytes) -> None:
        """The next piece, cut anywhere."""
        self._take(self._redactor.feed(chunk))

    def close(self) -> None:
        """Nothing follows: pass on what was held back."""
        self._take(self._redactor.flush())
        self._tell([self._line])
        self._line = b""

    def _take(self, shown: bytes) -> None:
        self._keep(shown)
        if self._on_line is not None:
            # a progress bar redraws its line with a bare \r: each state of it is a line to a listener
            *lines, self._line = (self._line + shown).replace(b"\r", b"\n").split(b"\n")
            if len(self._line) > _CHUNK:
                lines, self._line = [*lines, self._line], b""
            self._tell(lines)

    def _tell(self, lines: Iterable[bytes]) -> None:
        if self._on_line is not None:
            for line in lines:
                if line:
                    self._on_line(line.decode("utf-8", "replace"))


class Process:
    """A running command in a process group of its own; whoever starts one calls `finish`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: AnyPath | None,
        env: Mapping[str, str] | None,
        pass_descriptors: Sequence[int],
        sink: Callable[[bytes], None],
    ) -> None:
        import subprocess

        self._began = time.monotonic()
        self._popen = subprocess.Popen(  # noqa: S603  (a list, no shell)
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=tuple(pass_descriptors),
            start_new_session=True,  # not only a group: a step that could open the terminal would stop and wait there
        )
        self._sink = sink
        self._exit: Exit | None = None

    def interrupt(self) -> None:
        """Ask the group to stop, as Ctrl-C in a terminal would; safe from any thread."""
        import signal

        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """End the group at once; safe from any thread."""
        import signal

        self._signal(signal.SIGKILL)

    def finish(self, *, seconds: float | None = None) -> Exit:
        """Pass on all output until the command ends, and leave nobody of its group behind.

        The first KeyboardInterrupt is passed on, the second kills; it is raised again once the command has ended.
        After `seconds` it is killed, and TimeoutError raised.
        """
        until = None if seconds is None else self._began + seconds
        presses = 0
        try:
            while True:
                try:
                    if presses:
                        (self.interrupt if presses == 1 else self.kill)()
                    self._pump(until)
                    break
                except KeyboardInterrupt:
                    presses += 1
        finally:
            self.close()
        assert self._exit is not None
        if presses:
            raise KeyboardInterrupt
        return self._exit

    def close(self) -> None:
        """End it if it lives still, and let go of it; harmless when done."""
        self.kill()
        self._wait(block=True)
        assert self._popen.stdout is not None
        self._popen.stdout.close()

    def _pump(self, until: float | None) -> None:
        import select

        assert self._popen.stdout is not None
        pipe = self._popen.stdout.fileno()
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        talking = True
        # the exit counts, not the end of the pipe: somebody who left the group may hold that open for ever
        while not self._wait(block=not talking and until is None):
            if until is not None and time.monotonic() > until:
                raise TimeoutError(errno.ETIMEDOUT, "a command took too long", str(self._popen.args))
            if not talking:
                time.sleep(0.01)
            elif poll.poll(100):
                talking = self._pass_on(pipe)
        for _ in range(16):  # a full pipe and no more, for the same reason
            if not (talking and poll.poll(0)):
                break
            talking = self._pass_on(pipe)

    def _pass_on(self, pipe: int) -> bool:
        chunk = os.read(pipe, 1 << 16)
        if chunk:
            self._sink(chunk)
        return bool(chunk)

    def _wait(self, *, block: bool) -> bool:
        import resource

        if self._exit is None:
            pid, status, usage = os.wait4(self._popen.pid, 0 if block else os.WNOHANG)
            if pid:
                self.kill()  # a leftover must not write into an output that is about to be published
                code = os.waitstatus_to_exitcode(status)
                self._popen.returncode = code  # reaped here: subprocess must not look for it
                unit = 1 if sys.platform == "darwin" else 1024
                # Linux counts what we held when we started it: a process that stayed below that cannot be told from us
                hidden = usage.ru_maxrss <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                memory = 0 if hidden else usage.ru_maxrss * unit
                self._exit = Exit(code, seconds=time.monotonic() - self._began, peak_memory=memory)
        return self._exit is not None

    def _signal(self, number: int) -> None:
        if self._exit is not None:
            return  # the number may be somebody else's by now
        try:
            os.killpg(self._popen.pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # nobody left; macOS says EPERM of a group of zombies
