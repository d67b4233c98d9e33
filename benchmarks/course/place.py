"""Where a benchmark works, and which programs it runs."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from course.clock import once
from course.graphs import write

HERE = Path(__file__).resolve().parents[2]
CORES = os.cpu_count() or 1
os.environ.update({"DVC_NO_ANALYTICS": "1", "NO_COLOR": "1"})
# as whoever installed the tools has them: without bytecode a Python program compiles itself at each start
for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONUNBUFFERED"):
    os.environ.pop(name, None)


@dataclass(frozen=True, slots=True)
class Place:
    """An empty folder, and the programs."""

    folder: Path
    zyc: str

    def program(self, tool: str) -> str:
        """A tool: zyc as asked, a peer from `.venv-peers` or PATH."""
        if tool == "zyc":
            return self.zyc
        found = shutil.which(tool, path=f"{HERE / '.venv-peers' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}")
        if found is None:
            sys.exit(f"`{tool}` is not here: `make peers` installs it")
        return found

    def plan(self, tool: str) -> list[str]:
        """Say what would run."""
        words = {
            "zyc": ["plan", "specs/"],
            "ninja": ["-n"],
            "snakemake": ["-n", "-q", "--cores", str(CORES)],
            "dvc": ["status", "-q"],
        }
        return [self.program(tool), *words[tool]]

    def build(self, tool: str, *, wide: int = CORES) -> list[str]:
        """Run what is to be run, so many side by side where the tool can."""
        words = {
            "zyc": ["build", "specs/"],
            "ninja": ["-j", str(wide)],
            "snakemake": ["-q", "--cores", str(wide)],
            "dvc": ["repro", "-q"],
        }
        return [self.program(tool), *words[tool]]

    def version(self, tool: str) -> str:
        """What a tool says of itself."""
        said = subprocess.run([self.program(tool), "--version"], capture_output=True, text=True, check=True).stdout
        return said.split()[-1].split(".git")[0]


def options(about: str, *, rounds: int = 0) -> argparse.ArgumentParser:
    """What every benchmark can be asked."""
    ask = argparse.ArgumentParser(description=about.splitlines()[0])
    if rounds:
        ask.add_argument("--rounds", type=int, default=rounds, help="how often each command is timed (default: %(default)s)")
    ask.add_argument(
        "--zyc", default=str(Path(sys.executable).parent / "zyc"), help="the zyc to time (default: the one beside Python)"
    )
    ask.add_argument("--work", type=Path, help="a folder to work in (default: a temporary one); what it makes there is removed")
    return ask


@contextmanager
def at(asked: argparse.Namespace) -> Iterator[Place]:
    """A new folder for one benchmark, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="zyc-benchmark-", dir=asked.work))
    try:
        here = Place(folder, str(Path(asked.zyc).absolute()))
        # the first start of all compiles what it imports
        once(here.plan("zyc"), write(folder / "first", "zyc", 1))
        yield here
    finally:
        discard(folder)


def discard(folder: Path) -> None:
    """Remove a folder, whatever is read-only in it; harmless when it is not there."""
    for inside, names, _ in os.walk(folder):
        for name in names:
            if not (Path(inside) / name).is_symlink():
                (Path(inside) / name).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
