"""llama-server as a child on loopback: started, watched, started again when it dies, and ended with the gateway in every case."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import secrets
import shutil
import signal
import sys
import time
from collections import deque

from . import logs, wire

LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
LOADING = 600  # seconds that a model may take to load
LONGEST_PAUSE = 30.0


class Failed(Exception):
    """Why the engine never began, and the next step."""


def program(version, tell=print):
    """Where llama-server is: `LLAMA_SERVER`, the path, or the toolchain of this machine, which builds it where it may."""
    named = os.environ.get("LLAMA_SERVER")
    if named:
        if not os.access(named, os.X_OK):
            raise Failed(f"LLAMA_SERVER names {named}, which cannot be run")
        return named
    found = shutil.which("llama-server")
    if found:
        return found
    import llama_home  # beside this package in a bundle

    try:
        return str(llama_home.build(version or llama_home.VERSION, tell) / "bin/llama-server")
    except llama_home.Unavailable as error:
        raise Failed(str(error)) from error


class Engine:
    """One llama-server with one model. `port` is where it answers while it is ready, `key` what opens it."""

    def __init__(self, command, name="engine"):
        self.command, self.name = command, name
        self.state, self.port, self.restarts, self.last = "stopped", None, 0, None
        self.key = ""
        self._process = self._watch = None
        self._said = deque(maxlen=40)
        self._begun = asyncio.Event()

    @property
    def ready(self):
        """Whether it answers."""
        return self.state == "ready"

    def told(self):
        """For readiness."""
        return {"state": self.state, "restarts": self.restarts, "last_end": self.last}

    async def start(self):
        """Begin, and be ready; a model that does not load is an error, not a thing to try again."""
        self.state = "loading"
        if not await self._spawn():
            await self.stop()
            raise Failed(f"llama-server did not start ({self.last}):\n" + "\n".join(self._said))
        self._watch = asyncio.create_task(self._guard())

    async def stop(self, seconds=10):
        """End it; with force when it does not listen."""
        self.state = "stopping"
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        await self._end(seconds)
        self.state, self.port = "stopped", None

    def kill(self):
        """At once."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _guard(self):
        """Whenever it ends, another begins; the pause between grows while it lives only shortly."""
        pause = 0.2
        while True:
            began = time.monotonic()
            code = await self._process.wait()
            self.state, self.port, self.last = "restarting", None, _ended(code)
            logs.tell("engine_ended", "error", engine=self.name, how=self.last, said=list(self._said)[-5:])
            pause = 0.2 if time.monotonic() - began > 60 else min(pause * 2, LONGEST_PAUSE)
            await asyncio.sleep(pause)
            self.restarts += 1
            if await self._spawn():
                logs.tell("engine_restarted", engine=self.name, restarts=self.restarts)

    async def _spawn(self):
        """Another process; whether it came to answer."""
        self._said.clear()
        self.key = secrets.token_urlsafe(32)  # nobody else on this machine, and no page in a browser, asks past the gateway
        options = {"stdin": asyncio.subprocess.DEVNULL, "stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
        environ = {**os.environ, "LLAMA_API_KEY": self.key}  # no argument: everybody sees those
        # a session of its own: Ctrl-C in a terminal is for the gateway, which lets answers end first
        self._process = await asyncio.create_subprocess_exec(
            *self.command, **options, start_new_session=True, preexec_fn=_die_with_parent, limit=1 << 20, env=environ
        )
        self._begun = asyncio.Event()
        reading = asyncio.create_task(self._read(self._process.stdout))
        begun, ended = asyncio.create_task(self._begun.wait()), asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait({begun, ended}, timeout=LOADING, return_when=asyncio.FIRST_COMPLETED)
            if begun.done() and not ended.done():
                self.state = "ready"
                return True
            if not ended.done():
                self.last = f"not ready in {LOADING} s"
            await self._end(5)
            await reading
            self.last = self.last or _ended(self._process.returncode)
            return False
        finally:
            begun.cancel()
            ended.cancel()

    async def _read(self, pipe):
        """Keep its last lines, and learn its port from them: port 0 is given by the system, so nobody takes it in between."""
        while True:
            try:
                line = (await pipe.readline()).decode(errors="replace")
            except ValueError:  # a line without an end
                continue
            if not line:
                return
            self._said.append(line.rstrip())
            found = LISTENING.search(line)
            if found:
                self.port = int(found[1])
                self._begun.set()

    async def _end(self, seconds):
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(seconds):
                await process.wait()
        except TimeoutError:
            self.kill()
            await process.wait()


def command(path, model, *, context, slots, threads=None, embeddings=False):
    """How llama-server is started: every slot sees the whole context."""
    told = [path, "--model", str(model), "--host", "127.0.0.1", "--port", "0", "--no-ui", "--no-kv-unified"]
    told += ["--ctx-size", str(context * slots), "--parallel", str(slots), "--cache-ram", "0"]
    told += ["--threads", str(threads)] if threads else []
    if embeddings:
        return [*told, "--embeddings", "--pooling", "mean", "--batch-size", str(context), "--ubatch-size", str(context)]
    return [*told, "--cont-batching", "--metrics"]


async def tokenize(engine, content, *, begin):
    """Token ids of a text in which special tokens count."""
    told = await wire.call(engine, "/tokenize", {"content": content, "add_special": begin, "parse_special": True})
    return told["tokens"]


def _ended(code):
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"ended by {signal.Signals(-code).name}"
    return f"ended with {code}"


def _die_with_parent():
    """A gateway that is killed takes its engine with it, where the system can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
