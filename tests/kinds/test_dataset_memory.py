"""A dataset of any size is made in the memory of a batch."""

import json
import random
import subprocess
import sys

import pytest
from trainee import environ, write_step

pytestmark = pytest.mark.slow
# a small program starts the step: whoever starts a program lends it the peak of its own memory
LAUNCH = """
import os, sys
pid = os.posix_spawn("/usr/bin/env", ["env", "bash", "run.sh"], os.environ)
_, status, used = os.wait4(pid, 0)
print(used.ru_maxrss * (1 if sys.platform == "darwin" else 1024), os.waitstatus_to_exitcode(status))
"""
SPEC = """
datasets:
  my-texts:
    from: data/texts.jsonl
    clean: [unicode: nfc, drop: duplicates, length: {min: 10}]
    split: {test: 10%, group: origin}
"""


def rows(path, size):
    """So many bytes of rows."""
    draw = random.Random(1)
    words = ["".join(draw.choices("abcdefghij", k=draw.randint(2, 9))) for _ in range(5_000)]
    with path.open("w") as file:
        at = 0
        while size > 0:
            size -= file.write(json.dumps({"text": " ".join(draw.choices(words, k=300)), "origin": at // 3}) + "\n")
            at += 1


def peak(workshop, home, size):
    """The memory that the step takes."""
    rows(workshop.root / "data/texts.jsonl", size)
    front = workshop.front()
    files = front.settlement.rendered(front.graph.vertices["my-texts"])
    step = write_step(home, files, {"from/0": workshop.root / "data/texts.jsonl"})
    call = [sys.executable, "-c", LAUNCH]
    done = subprocess.run(call, cwd=step, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    memory, code = done.stdout.split()[-2:]
    assert code == "0", done.stdout
    return int(memory)


def test_memory_does_not_grow_with_the_input(workshop, tmp_path):
    """Ten times the rows take hardly more memory, a small part of what they are themselves."""
    workshop.spec(SPEC)
    small, large = (peak(workshop, tmp_path / f"step{size}", size * 1_000_000) for size in (8, 80))
    assert large - small < 24_000_000
