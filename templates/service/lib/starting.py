"""A bundle as a person would start it: in a folder of its own, by its own modules, and ended in every case."""

import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

LISTENING = re.compile(r"http://127\.0\.0\.1:(\d+)")
PATIENCE = 600  # seconds that a model may take to load


def laid(source, place):
    """The bundle under another folder, as links: what is kept beside it is not kept in the store."""
    for path in sorted(each for each in source.rglob("*") if each.is_file()):
        target = place / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path.resolve())
    return place


def environment(place):
    """As it is here, without the modules of this step: a bundle brings its own."""
    told = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "NO_PROXY", "no_proxy")}
    # the interpreter of this step comes first
    told["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{told.get('PATH', '')}"
    return {**told, "ZYC_KEYS": str(place.parent / "keys.json"), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}


def ran(place, *words, refused=False):
    """A module of the bundle's, and what it printed; one that fails ends the proof, save where a refusal is an answer."""
    return _ran(place, ["-m", *words], good=(0, 1) if refused else (0,))


def ran_script(place, script, *words):
    """A script over the modules of the bundle."""
    return _ran(place, ["-c", script.read_text(encoding="utf-8"), *words], good=(0,))


def _ran(place, words, *, good):
    command = [sys.executable, *words]
    told = {"cwd": place, "env": environment(place), "capture_output": True, "text": True, "stdin": subprocess.DEVNULL}
    done = subprocess.run(command, **told, timeout=PATIENCE, check=False)
    if done.returncode not in good:
        said = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        sys.exit(f"error: `python {' '.join(words[:2])[:80]}` ended with {done.returncode}:\n{said}")
    return done.stdout


@contextlib.contextmanager
def serving(place, *words):
    """The port that it listens on, once it says so."""
    log = place.parent / "served.log"
    with log.open("w") as file:
        command = [sys.executable, "-m", *words]
        told = {"cwd": place, "env": environment(place), "stdin": subprocess.DEVNULL, "stdout": file, "stderr": file}
        process = subprocess.Popen(command, **told)
        try:
            yield _port(process, log)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(process, log):
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        said = log.read_text(errors="replace")
        found = LISTENING.search(said)
        if process.poll() is not None:
            sys.exit(f"error: the bundle ended with {process.returncode}:\n{said[-3000:]}")
        if found:
            return int(found[1])
        time.sleep(0.1)
    sys.exit(f"error: the bundle did not listen in time:\n{log.read_text(errors='replace')[-3000:]}")
