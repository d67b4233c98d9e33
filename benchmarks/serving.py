"""Decode speed through the gateway beside bare llama-server on the same GGUF, and 32 clients at once for a minute.

    python benchmarks/serving.py [FOLDER]

A random llama of 35 M weights, the smallest that anybody serves: there the gateway costs most. One client streams the same
prompts to both, in turn, in rounds; the bar is .95 of the bare speed. Then 32 clients: nothing but 429, memory flat.
"""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEW, ROUNDS, BAR, CLIENTS, SECONDS = 128, 6, 0.95, 32, 60
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "templates/lib"), str(ROOT / "templates/shared")]


def spoken(port: int, path: str, body: dict, headers: dict) -> tuple[float, int]:
    """Tokens a second from the first piece of a stream to the last, and how many pieces."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    line.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
    pieces = (each for each in line.getresponse() if b'"content":' in each and b'"role"' not in each)
    times = [time.perf_counter() for _ in pieces]
    line.close()
    return (len(times) - 1) / (times[-1] - times[0]), len(times)


def compared(gguf: Path, folder: Path) -> tuple[float, float]:
    """Medians of both, in turn: the gateway's and the bare server's."""
    import gateways
    import llama_home

    personas = {"plain": {"system": "", "few_shot": [], "sampling": {}, "arguments": {}, "retrieval": False}}
    gateways.lay(folder, gguf, context=1024, personas=personas, threads=None, slots=1)
    key = gateways.key(folder)
    with gateways.running(folder) as gateway:
        program = llama_home.build() / "bin/llama-server"
        call = [
            str(program),
            "--model",
            str(gguf),
            "--port",
            "0",
            "--no-ui",
            "--ctx-size",
            "1024",
            "--parallel",
            "1",
            "--cache-ram",
            "0",
        ]
        log = (folder / "bare.log").open("w+")
        bare = subprocess.Popen(call, stdout=log, stderr=log)
        try:
            port = _port(folder / "bare.log")
            speeds: dict[str, list[float]] = {"gateway": [], "bare": []}
            for at in range(ROUNDS + 1):
                said = [{"role": "user", "content": f"w{at} w7 w9"}]
                body = {"messages": said, "stream": True, "max_tokens": NEW, "temperature": 0, "model": "plain"}
                ours = int(gateway.url.rpartition(":")[2])
                pair = {
                    "gateway": spoken(ours, "/v1/chat/completions", body, {"Authorization": f"Bearer {key}"}),
                    "bare": spoken(port, "/v1/chat/completions", body, {}),
                }
                for name, (speed, pieces) in pair.items() if at else ():  # the first round warms up
                    assert pieces > NEW / 2, f"{name} answered {pieces} pieces of {NEW}"
                    speeds[name].append(speed)
        finally:
            bare.terminate()
            bare.wait()
            log.close()
    return statistics.median(speeds["gateway"]), statistics.median(speeds["bare"])


def _port(log: Path) -> int:
    while True:
        for line in log.read_text().splitlines():
            if "listening on http://127.0.0.1:" in line:
                return int(line.rpartition(":")[2])
        time.sleep(0.1)


def crowded(gguf: Path, folder: Path, seconds: int = SECONDS) -> dict[str, float]:
    """32 clients at once: whole streams, refusals, everything else, and how much memory grew after the first seconds."""
    import gateways

    gateways.lay(folder, gguf, context=512, slots=4, queue=16)
    key = gateways.key(folder)
    with gateways.running(folder) as gateway:
        gateways.crowd(gateway, key, clients=CLIENTS, seconds=5)
        before = gateway.memory()
        whole, refused, wrong = gateways.crowd(gateway, key, clients=CLIENTS, seconds=seconds)
        grown = gateway.memory() - before
    for each in wrong[:3]:
        print("wrong", each)
    return {"whole": whole, "refused": refused, "wrong": len(wrong), "grown_mb": round(grown / 1e6, 1)}


def main() -> int:
    """Print both figures, and whether the bars are met."""
    from evaluating import made

    with tempfile.TemporaryDirectory() as home:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else home)
        folder.mkdir(parents=True, exist_ok=True)
        gguf = folder / "model.gguf"
        made(gguf, layers=8, width=512, mlp=1536, words=10_000)
        for name in ("one", "many"):
            (folder / name).mkdir()
        ours, bare = compared(gguf, folder / "one")
        print(
            f"one client: {ours:.1f} tokens/s through the gateway, {bare:.1f} bare: {ours / bare:.3f} of it (bar {BAR})",
            flush=True,
        )
        told = crowded(gguf, folder / "many")
        print(f"{CLIENTS} clients for {SECONDS} s: {json.dumps(told)}")
    return 0 if ours / bare >= BAR and not told["wrong"] else 1


if __name__ == "__main__":
    sys.exit(main())
