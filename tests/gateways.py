"""A bundle with a toy model, laid out as packing does, and the gateway that a person starts in it."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

HOME = Path(__file__).parent
TEMPLATES = HOME.parent / "templates"
PERSONAS = {
    "spinoza": {"system": "Tu es Spinoza.", "few_shot": [], "sampling": {"max_tokens": 24}, "arguments": {}, "retrieval": False},
    "kant": {
        "system": "Tu es Kant.",
        "few_shot": [{"role": "user", "content": "Qui ?"}, {"role": "assistant", "content": "Kant."}],
        "sampling": {"max_tokens": 16, "stop": ["\n"]},
        "arguments": {},
        "retrieval": False,
    },
}


def make_gguf(home, context=8192):
    """A tiny random llama as a GGUF."""
    sys.path.insert(0, str(HOME / "kinds"))
    try:
        import tiny_models
        from standing import run, stand

        from zyc.types import Model
    finally:
        sys.path.remove(str(HOME / "kinds"))
    model = tiny_models.make(home, max_position_embeddings=context)
    run(stand(home / "gguf", "gguf", {"source": model}, {"source": Model(licence="mit")}))
    return home / "gguf/out/model.gguf"


def lay(folder, gguf, *, context=8192, target="server", personas=None, **settings):
    """A bundle."""
    from zyc.craft import deploying

    told = deploying.of(target)
    folder.mkdir(exist_ok=True)
    for part, place in told.parts.items():
        shutil.copytree(TEMPLATES / "deployment/parts" / part, folder / place, dirs_exist_ok=True)
    for name in told.modules:
        found = [TEMPLATES / home / name for home in ("shared", "lib") if (TEMPLATES / home / name).exists()]
        shutil.copyfile(found[0], folder / name)
    (folder / "model").mkdir()
    shutil.copyfile(gguf, folder / "model/model.gguf")
    personas = PERSONAS if personas is None else personas
    for label, each in personas.items():
        (folder / "prompts" / label).mkdir(parents=True)
        (folder / "prompts" / label / "prompt.json").write_text(json.dumps(each))
    data = gguf.read_bytes()
    files = {"model/model.gguf": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}}
    bundle = {
        "target": target,
        "engine": "llama.cpp",
        "llama_cpp": "0.3.36",
        "name": "philo",
        "context": context,
        "model": {"first": "model/model.gguf", "files": files},
        "prompts": {label: f"prompts/{label}" for label in personas},
        "settings": {"threads": 1, "requests_per_minute": 100_000, **settings},
    }
    (folder / "bundle.json").write_text(json.dumps(bundle))
    return folder


def key(folder, name="me"):
    """A new key of the bundle."""
    call = [sys.executable, "-m", "gateway", "keys", "add", name]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


class Gateway:
    """A running one."""

    def __init__(self, folder, *options, environ=None):
        self.folder, self.log = Path(folder), Path(folder) / f"log-{time.monotonic_ns()}"
        call = [sys.executable, "-m", "gateway", "--port", "0", *options]
        with self.log.open("w") as log:
            env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environ or {})}
            self.process = subprocess.Popen(call, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT)
        self.url = None

    def lines(self, event=None):
        """What it logged."""
        told = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]
        return [each for each in told if event in (None, each["event"])]

    def until(self, seen, seconds=60):
        """Wait for something; its end says why it never came."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = seen()
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(self.log.read_text()[-3000:])

    def ready(self):
        """Wait until it answers."""
        self.url = self.until(lambda: self.lines("ready"))[0]["url"]
        return self

    def get(self, path, key=None):
        """A look at it."""
        return httpx.get(self.url + path, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=30)

    def post(self, path, key=None, **more):
        """A request by hand."""
        return httpx.post(self.url + path, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=60, **more)

    def engines(self):
        """The process ids of its engines."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(each) for each in children if "llama-server" in Path(f"/proc/{each}/cmdline").read_text()]

    def number(self, name):
        """One of its counts; nothing was counted while it is not there."""
        told = dict(line.rsplit(" ", 1) for line in self.get("/metrics").text.splitlines() if not line.startswith("#"))
        return float(told.get(name, 0))

    def doors(self):
        """Where its engines listen."""
        told = []
        for pid in self.engines():
            held = {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()}
            rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            told += [int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in held]
        return told

    def memory(self):
        """Bytes that it and its engine hold now."""
        pids = [self.process.pid, *self.engines()]
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") for pid in pids)

    def stop(self, sign=signal.SIGTERM):
        """Tell it to end."""
        self.process.send_signal(sign)

    def ended(self, seconds=30):
        """How it ended."""
        return self.process.wait(seconds)


@contextlib.contextmanager
def running(folder, *options, **more):
    """A gateway that is ready, and ends in every case."""
    gateway = Gateway(folder, *options, **more)
    try:
        yield gateway.ready()
    finally:
        if gateway.process.poll() is None:
            gateway.stop()
            try:
                gateway.ended(20)
            except subprocess.TimeoutExpired:
                gateway.process.kill()
                gateway.process.wait()


def failed(folder, *options, environ=None):
    """What one that cannot start says."""
    gateway = Gateway(folder, *options, environ=environ)
    try:
        gateway.ended(60)
    finally:
        gateway.process.kill()
        gateway.process.wait()
    return gateway.process.returncode, gateway.log.read_text()


def crowd(gateway, key, *, clients, seconds, tokens=32):
    """So many clients at once for so long: (whole streams, refused with 429, everything else that happened)."""
    import asyncio

    whole, refused, wrong = 0, 0, []
    until = time.monotonic() + seconds
    body = {"model": "spinoza", "stream": True, "max_tokens": tokens, "messages": [{"role": "user", "content": "Qui es-tu ?"}]}

    async def client(at, http):
        nonlocal whole, refused
        body_ = {**body, "messages": [{"role": "user", "content": f"Question {at} ?"}]}
        while time.monotonic() < until:
            try:
                async with http.stream("POST", "/v1/chat/completions", json=body_) as answer:
                    text = (await answer.aread()).decode()
                if answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1:
                    refused += 1
                    await asyncio.sleep(0.05)
                elif answer.status_code == 200 and text.endswith("data: [DONE]\n\n") and '"finish_reason": "' in text:
                    whole += 1
                else:
                    wrong.append((answer.status_code, text[-300:]))
            except httpx.HTTPError as error:
                wrong.append(repr(error))

    async def everybody():
        limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60, limits=limits) as http:
            await asyncio.gather(*(client(at, http) for at in range(clients)))

    asyncio.run(everybody())
    return whole, refused, wrong
