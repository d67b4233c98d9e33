"""How much memory a dataset takes to make, against the size of what it is made of.

`python benchmarks/dataset_memory.py [MB] [--clean OPERATION ...] [--at FOLDER]`; twice as much again is wanted on the disk.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parents[1]
CLEAN = ("unicode: nfc", "length: {min: 20}", "drop: duplicates", "drop: {duplicates: minhash}")
SPEC = """zyc: 1
datasets:
  texts:
    from: data/texts.jsonl
    clean: [{clean}]
    split: {{test: 1%, stratify: topic, group: origin}}
"""


def write(path: Path, size: int) -> None:
    """So many bytes of rows, a tenth of which are there twice; told over and over under another number, since words take long."""
    draw = random.Random(1)  # noqa: S311  # words, and no secret
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(20_000)]
    texts = [" ".join(draw.choices(words, k=draw.randint(20, 300))) for _ in range(10_000)]
    written = block = 0
    with path.open("w") as file:
        while written < size:
            for at, text in enumerate(texts):
                told = texts[at - 1] if at % 10 == 9 else text
                row = f'{{"text": "{block} {told}", "topic": "{"abc"[at % 3]}", "origin": "{block}-{at // 4}"}}\n'
                written += file.write(row)
            block += 1


def main() -> None:
    """Write, plan, build; the ratio last."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("size", nargs="?", type=int, default=1_000, help="MB of rows")
    ask.add_argument("--clean", nargs="+", default=CLEAN, help="what is done to the rows")
    ask.add_argument("--at", help="a folder on a disk with room")
    asked = ask.parse_args()
    size = asked.size * 1_000_000
    with tempfile.TemporaryDirectory(dir=asked.at) as home:
        root = Path(home)
        for folder in ("specs", "data"):
            (root / folder).mkdir()
        (root / "specs/texts.yml").write_text(SPEC.format(clean=", ".join(asked.clean)))
        write(root / "data/texts.jsonl", size)
        call = [sys.executable, "-m", "zyc", "build", "texts"]
        began = time.monotonic()
        done = subprocess.run(call, cwd=root, env={**os.environ, "PYTHONPATH": str(HERE)}, check=False)
        seconds = time.monotonic() - began
        if done.returncode:
            raise SystemExit(done.returncode)
    # of all processes below this one, the largest, and the time on a core of all together
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak, core = used.ru_maxrss * 1024, used.ru_utime + used.ru_stime
    print(f"{size / 1e6:,.0f} MB of rows: {seconds:.0f} s, {core:.0f} s on a core, {peak / 1e6:,.0f} MB of memory")
    print(f"{peak / size:.2f}")


if __name__ == "__main__":
    main()
