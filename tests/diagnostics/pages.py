r"""Pages of wrong specs, in markdown: what a person wrote, what they typed, what they see; read, run, and written again.

A page is a title and cases. A case is a heading of two `#` with fenced blocks below it:

- ```` ```yaml specs/hello.yml ```` is a file; after `escaped` (```` ```yaml escaped specs/hello.yml ````) `\t`, `\xff` and
  the like are the characters or bytes that they stand for;
- ```` ```console ```` is a call (`$ zyc check`) and all that it prints; other commands (`$ ln -s ...`) prepare the place.

Files above the first case belong to every case of the page, unless a case writes its own.
"""

from __future__ import annotations

import io
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from zyc.cli import run
from zyc.errors import Problem

HERE = Path(__file__).parent
PAGES = sorted(HERE.glob("*.md"))
FENCE = "```"


@dataclass
class Block:
    """One fenced block: what stands behind its fence, and its lines."""

    info: list[str]
    lines: list[str]
    first: int  # the line of the page that its text begins on, from 0


@dataclass
class Case:
    """One thing that is wrong."""

    title: str
    blocks: list[Block] = field(default_factory=list)


@dataclass
class Page:
    """One theme."""

    path: Path
    lines: list[str]
    head: Case
    cases: list[Case]

    @property
    def kinds(self) -> list[str]:
        """The folders of kinds, besides the built-in ones, that its first lines name."""
        return [name for name in ("tests/example", "tests/diagnostics") if name in " ".join(self.lines[:6])]


def read(path: Path) -> Page:
    """The cases of a page."""
    lines = path.read_text(encoding="utf-8").splitlines()
    cases = [Case("")]
    block: Block | None = None
    for at, line in enumerate(lines):
        if line.startswith(FENCE):
            if block is None:
                block = Block(line[len(FENCE) :].split(), [], at + 1)
                cases[-1].blocks.append(block)
            else:
                block = None
        elif block is not None:
            block.lines.append(line)
        elif line.startswith("## "):
            cases.append(Case(line[3:]))
    return Page(path, lines, cases[0], cases[1:])


def every() -> Iterator[tuple[Path, str]]:
    """Each case by its page and title."""
    for path in PAGES:
        for case in read(path).cases:
            yield path, case.title


@dataclass
class Seen:
    """What a call said, as people see it and as data."""

    text: str
    code: int
    problems: list[Problem]


def called(words: list[str], folder: Path, environ: Mapping[str, str]) -> Seen:
    """One call of zyc in a folder."""
    out, problems = io.StringIO(), []
    filled = Problem._filled

    def noted(self: Problem, wording: str) -> str:
        problems.append(self)
        return filled(self, wording)

    before = Path.cwd()
    os.chdir(folder)
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    try:
        with (
            patch.dict(os.environ, {**plain, "COLUMNS": "100", "NO_COLOR": "1", **environ}, clear=True),
            patch.object(Problem, "_filled", noted),
            redirect_stdout(out),
            redirect_stderr(out),
        ):
            code = run(words)
    finally:
        os.chdir(before)
    return Seen(out.getvalue(), code, list(dict.fromkeys(problems)))


def prepare(case: Case, folder: Path) -> None:
    """Write the files of a case."""
    (folder / "specs").mkdir(parents=True, exist_ok=True)
    for block in case.blocks:
        if block.info[:1] == ["console"]:
            continue
        path = folder / block.info[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{line}\n" for line in block.lines)
        if "escaped" in block.info:
            path.write_bytes(text.encode("ascii").decode("unicode_escape").encode("latin-1"))
        else:
            path.write_text(text, encoding="utf-8")


def play(block: Block, folder: Path) -> tuple[list[str], list[Seen]]:
    """The lines of a console block as they are now, and what each call of zyc in it said."""
    lines: list[str] = []
    seen: list[Seen] = []
    for line in block.lines:
        if not line.startswith("$ "):
            continue
        if lines:
            lines.append("")
        lines.append(line)
        words = shlex.split(line[2:])
        environ = {}
        while words and "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            environ[name] = value.replace("$PWD", str(folder))
        if words[0] == "cd":
            folder = folder / words[1]
        elif words[0] == "zyc":
            told = called(words[1:], folder, environ)
            seen.append(told)
            lines += told.text.rstrip("\n").split("\n") if told.text.strip() else []
        else:
            subprocess.run(["bash", "-ec", line[2:]], cwd=folder, check=True, capture_output=True)
    return [each.rstrip() for each in lines], seen


def rewrite(path: Path, title: str, told: Mapping[int, list[str]]) -> None:
    """Put what is said now into the console blocks of a case; `told` is by their place among its blocks."""
    page = read(path)
    case = next(each for each in page.cases if each.title == title)
    lines = page.lines
    for at, new in sorted(told.items(), reverse=True):
        block = case.blocks[at]
        lines[block.first : block.first + len(block.lines)] = new
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
