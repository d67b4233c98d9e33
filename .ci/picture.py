"""Writes docs/plan.svg: what `zyc plan specs/philo-free.yml` prints, as a picture that is readable on light and on dark."""

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "plan.svg"
CALL = ("plan", "specs/philo-free.yml")
COLUMNS = 112
# The machine of the picture: whoever draws it again gets the same one.
SITE = "hosts: {local: {cpus: 2, memory: 32 GB, gpus: 0}}\n"
FREE = """\
import sys
from zyc import cli, world
world.World.disk_free, world.World.routed = lambda *_: 70_000_000_000, lambda _: True
cli.run(sys.argv[1:])
"""
WIDTH, HEIGHT, LEFT, TOP = 8.0, 19, 20, 34  # of a letter, of a line; where the first one stands
STYLE = """\
.back { fill: #f6f8fa; stroke: #d0d7de } text { fill: #1f2328; font: 13px ui-monospace, 'DejaVu Sans Mono', Menlo, monospace }
.dim { fill: #656d76 } .green { fill: #1a7f37 } .yellow { fill: #9a6700 } .red { fill: #cf222e } .blue { fill: #0550ae }
.bold { font-weight: bold }
@media (prefers-color-scheme: dark) {
  .back { fill: #151b23; stroke: #3d444d } text { fill: #d1d7e0 }
  .dim { fill: #9198a1 } .green { fill: #3fb950 } .yellow { fill: #d29922 } .red { fill: #f85149 } .blue { fill: #79c0ff }
}"""
COLOURS = {"2": "dim", "1": "bold", "31": "red", "32": "green", "33": "yellow", "34": "blue", "36": "blue"}


def printed() -> str:
    """What the call prints in a fresh project with these specs, without network, on the machine of the picture."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "specs", Path(folder, "specs"))
        Path(folder, "zyc.yml").write_text(SITE, encoding="utf-8")
        told = {"PATH": os.environ["PATH"], "HOME": folder, "COLUMNS": str(COLUMNS), "FORCE_COLOR": "1", "PYTHONPATH": str(ROOT)}
        call = [sys.executable, "-c", FREE, *CALL]
        return subprocess.run(call, cwd=folder, env=told, capture_output=True, text=True, check=True).stdout


def runs(line: str) -> list[tuple[int, str, str]]:
    """The pieces of a line that have a colour of their own: column, class, text."""
    told, column, style = [], 0, ""
    for codes, text in re.findall(r"(?:\x1b\[([\d;]*)m)?([^\x1b]*)", line):
        if codes:
            style = " ".join(COLOURS[each] for each in codes.split(";") if each in COLOURS)
        # spaces need no ink
        told += [(column + found.start(), style, found[0]) for found in re.finditer(r"\S+(?: \S+)*", text)]
        column += len(text)
    return told


def drawn(text: str) -> str:
    """The picture."""
    lines = [f"\x1b[1m$ zyc {' '.join(CALL)}\x1b[0m", *text.rstrip("\n").split("\n")]
    wide, high = LEFT * 2 + COLUMNS * WIDTH, TOP + len(lines) * HEIGHT
    told = []
    for at, line in enumerate(lines):
        for column, style, words in runs(line):
            place = f'x="{LEFT + column * WIDTH:g}" y="{TOP + at * HEIGHT}" textLength="{len(words) * WIDTH:g}"'
            kind = f' class="{style}"' if style else ""
            told.append(f'<text {place} lengthAdjust="spacingAndGlyphs"{kind}>{html.escape(words)}</text>')
    size = f'viewBox="0 0 {wide:g} {high}" width="{wide:g}" height="{high}"'
    title = f"<title>zyc {' '.join(CALL)}</title>"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n{title}\n<style>\n{STYLE}\n</style>'
    back = f'<rect class="back" x="0.5" y="0.5" width="{wide - 1:g}" height="{high - 1}" rx="8"/>'
    return "\n".join([head, back, *told, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(drawn(printed()), encoding="utf-8")
