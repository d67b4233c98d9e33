"""How much memory a dataset takes to make, against the size of what it is made of: `python benchmarks/dataset_memory.py [MB]`."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parents[1]
CLEAN = "[unicode: nfc, length: {min: 20}, drop: duplicates, drop: {duplicates: minhash}]"
SPEC = f"""zyc: 1
datasets:
  texts:
    from: data/texts.jsonl
    clean: {CLEAN}
    split: {{test: 1%, stratify: topic, group: origin}}
"""


def write(path: Path, size: int) -> None:
    """So many bytes of rows, a tenth of which are there twice."""
    draw = random.Random(1)  # noqa: S311  # words, and no secret
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(20_000)]
    written, at, last = 0, 0, ""
    with path.open("w") as file:
        while written < size:
            text = last if at % 10 == 9 else " ".join(draw.choices(words, k=draw.randint(20, 300)))
            line = json.dumps({"text": text, "topic": "abc"[at % 3], "origin": at // 4}) + "\n"
            written += file.write(line)
            at, last = at + 1, text


def main() -> None:
    """Write, plan, build; the ratio last."""
    size = int(sys.argv[1]) * 1_000_000 if len(sys.argv) > 1 else 1_000_000_000
    with tempfile.TemporaryDirectory() as home:
        root = Path(home)
        for folder in ("specs", "data"):
            (root / folder).mkdir()
        (root / "specs/texts.yml").write_text(SPEC)
        write(root / "data/texts.jsonl", size)
        call = [sys.executable, "-m", "zyc", "build", "texts"]
        began = time.monotonic()
        done = subprocess.run(call, cwd=root, env={**os.environ, "PYTHONPATH": str(HERE)}, check=False)
        seconds = time.monotonic() - began
        if done.returncode:
            raise SystemExit(done.returncode)
    # of all processes below this one, the largest
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(f"{size / 1e6:,.0f} MB of rows: {seconds:.0f} s, {size / 1e6 / seconds:.1f} MB/s, {peak / 1e6:,.0f} MB of memory")
    print(f"{peak / size:.2f}")


if __name__ == "__main__":
    main()
