"""llama-server on a port of its own on this machine's loopback, for as long as a `with` lasts: it always ends."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

LISTENING = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")
Ask = Callable[[str, dict], dict]


@contextlib.contextmanager
def serving(program: Path, model: Path, *options: str, seconds: float = 300) -> Iterator[Ask]:
    """What posts JSON to it and gives back the answer; it has so many seconds to load the model."""
    # port 0: the system gives a free one, and nobody can take it in between
    command = [str(program), "--model", str(model), "--host", "127.0.0.1", "--port", "0", "--no-warmup", *options]
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w+") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield _asker(_address(server, Path(log.name), time.monotonic() + seconds))
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _address(server: subprocess.Popen, log: Path, until: float) -> str:
    """Where it listens, once it is ready."""
    while time.monotonic() < until:
        told = log.read_text(errors="replace")
        found = LISTENING.search(told)
        if server.poll() is not None:
            raise RuntimeError(f"llama-server ended with {server.returncode}:\n{told[-3000:]}")
        if found and _ready(found[1]):
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"llama-server was not ready in time:\n{log.read_text(errors='replace')[-3000:]}")


def _ready(address: str) -> bool:
    try:
        with _opener().open(f"{address}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def _asker(address: str) -> Ask:
    def ask(path: str, body: dict) -> dict:
        request = urllib.request.Request(  # noqa: S310  # it is our own
            address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        with _opener().open(request, timeout=120) as answer:
            return json.load(answer)

    return ask


def _opener() -> urllib.request.OpenerDirector:
    # a proxy of this machine's is not asked for its own loopback
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
