"""llama-server on a port of its own on this machine's loopback, for as long as a `with` lasts: it always ends."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
Ask = Callable[[str, dict], dict]
KEY = "LLAMA_API_KEY"


@contextlib.contextmanager
def serving(program: Path, model: Path, *options: str, seconds: float = 300) -> Iterator[Ask]:
    """What posts JSON to it and gives back the answer; it has so many seconds to load the model."""
    # port 0: the system gives a free one, and nobody can take it in between
    command = [str(program), "--model", str(model), "--host", "127.0.0.1", "--port", "0", "--no-warmup", *options]
    environ = {**os.environ, KEY: secrets.token_urlsafe(32)}  # it answers nobody else on this machine
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w+") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ)
        try:
            port = _port(server, Path(log.name), time.monotonic() + seconds)
            yield lambda path, body: _answer(port, "POST", path, body, environ[KEY])
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _port(server: subprocess.Popen, log: Path, until: float) -> int:
    """Where it listens, once it is ready."""
    while time.monotonic() < until:
        told = log.read_text(errors="replace")
        found = LISTENING.search(told)
        if server.poll() is not None:
            raise RuntimeError(f"llama-server ended with {server.returncode}:\n{told[-3000:]}")
        if found and _ready(int(found[1])):
            return int(found[1])
        time.sleep(0.1)
    raise RuntimeError(f"llama-server was not ready in time:\n{log.read_text(errors='replace')[-3000:]}")


def _ready(port: int) -> bool:
    try:
        return bool(_answer(port, "GET", "/health"))
    except OSError:
        return False


def _answer(port: int, method: str, path: str, body: dict | None = None, key: str = "") -> dict:
    """What it says; anything but a 200 is an OSError with its words."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)  # never through a proxy
    try:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        connection.request(method, path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        if answer.status != 200:
            raise OSError(f"{path}: {answer.status}: {text}")
        return json.loads(text)
    finally:
        connection.close()
