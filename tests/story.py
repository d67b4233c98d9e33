"""Stories in markdown: what a person does and what they see; read, played, held against the page, written again.

A page is a head and cases, each under a heading of two `#`. Of its fenced blocks

- ```` ```yaml specs/hello.yml ```` (any language) is a file; so is a block whose first line is `# specs/hello.yml`;
- ```` ```console ```` is what is typed (`$ zyc plan`) and what is seen. `# exits with 3` behind a line is its exit code.

What is in the head happens before each case. A line `...` stands for any lines, `...` in a line for any text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from desk import Desk, Said

_FENCE = re.compile(r"```(\S*)\s*(\S*)$")
_PATH = re.compile(r"# (\w[\w./-]*/[\w.-]+\.\w+)$")
_CODE = re.compile(r"\s+# exits with (\d+)$")


@dataclass
class Block:
    """One fenced block: its language, the file that it is, its lines, and where in the page they begin."""

    language: str
    path: str
    first: int
    lines: list[str] = field(default_factory=list)


@dataclass
class Case:
    """One story."""

    title: str
    blocks: list[Block] = field(default_factory=list)


@dataclass
class Page:
    """A head, and the cases that begin with it."""

    path: Path
    lines: list[str]
    cases: list[Case]

    @property
    def head(self) -> Case:
        """What comes before the first heading of two `#`."""
        return self.cases[0]

    @property
    def example(self) -> bool:
        """Whether the kinds of tests/example are there."""
        return any("tests/example" in line for line in self.lines[:12])


def read(path: Path) -> Page:
    """The cases of a page."""
    lines = path.read_text(encoding="utf-8").splitlines()
    cases, block = [Case("")], None
    for at, line in enumerate(lines):
        if block is not None and line == "```":
            block = None
        elif block is not None:
            block.lines.append(line)
            named = _PATH.match(line)
            if len(block.lines) == 1 and named and not block.path:
                block.path = named[1]
        elif line.startswith("```"):
            found = _FENCE.match(line)
            block = Block(found[1] if found else "", found[2] if found else "", at + 1)
            cases[-1].blocks.append(block)
        elif line.startswith("## "):
            cases.append(Case(line[3:]))
    return Page(path, lines, cases)


@dataclass(frozen=True)
class Typed:
    """One line of a console block: what the page expects, and what is seen now."""

    line: str
    wanted: list[str]
    code: int
    said: Said

    @property
    def seen(self) -> list[str]:
        """The lines that are seen now."""
        return trimmed(each.rstrip() for each in self.said.text.splitlines())


def play(desk: Desk, case: Case, *, skip: Sequence[str] = ()) -> list[tuple[Block, list[Typed]]]:
    """Do what a case says: write its files, type its lines; lines that begin with a word to skip are not typed."""
    told = []
    for block in case.blocks:
        if block.path:
            desk.write(block.path, "".join(f"{line}\n" for line in block.lines))
        elif block.language == "console":
            told.append((block, [_typed(desk, *each) for each in _lines(block) if not each[0].startswith(tuple(skip))]))
    return told


def _lines(block: Block) -> list[tuple[str, list[str]]]:
    told: list[tuple[str, list[str]]] = []
    for line in block.lines:
        if line.startswith("$ "):
            told.append((line[2:], []))
        elif told:
            told[-1][1].append(line)
    return told


def _typed(desk: Desk, line: str, wanted: list[str]) -> Typed:
    code = _CODE.search(line)
    plain = _CODE.sub("", line)
    return Typed(plain, trimmed(each.rstrip() for each in wanted), int(code[1]) if code else 0, desk.types(plain))


def trimmed(lines) -> list[str]:
    """Lines without the empty ones at the end."""
    told = list(lines)
    while told and not told[-1]:
        told.pop()
    return told


def matches(wanted: Sequence[str], seen: Sequence[str]) -> bool:
    """Whether lines are as a page has them, `...` standing for anything."""
    pattern = "".join("(?:.*\n)*" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + "\n" for line in wanted)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in seen)) is not None


def rewrite(page: Page, played: Sequence[tuple[Block, list[Typed]]]) -> None:
    """Put what is seen now into the console blocks of a page."""
    lines = page.path.read_text(encoding="utf-8").splitlines()
    for block, typed in sorted(played, key=lambda each: -each[0].first):
        new = []
        for each in typed:
            code = f"   # exits with {each.said.code}" if each.said.code else ""
            new += [f"$ {each.line}{code}", *each.seen]
        lines[block.first : block.first + len(block.lines)] = new
    page.path.write_text("\n".join(lines) + "\n", encoding="utf-8")
