"""A scratch project and the person who sits before it: what they write, what they type, what they see."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from zyc import __version__, cli, memo, runner
from zyc.hosts import Phase
from zyc.hosts.local import Local
from zyc.runner import attempt
from zyc.world import World

REPOSITORY = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent
_SHELL = {"|", ">", "<", ">>", "&&", "||", ";", "&", "2>&1"}


class Stream(io.StringIO):
    """A standard stream of one call; what it is told is told to a second one, too."""

    encoding = "utf-8"

    def __init__(self, both: list[str]) -> None:
        super().__init__()
        self._both = both

    def write(self, text):
        """Note it here, and in the order of both streams."""
        count = super().write(text)
        self._both.append(text)
        return count


@dataclass(frozen=True)
class Said:
    """What a call said."""

    out: str
    err: str
    code: int
    text: str  # both streams as a terminal shows them
    replayed: bool = False  # an earlier call had said it already

    @property
    def data(self) -> Any:
        """The answer of `--json`."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """The lines of the answer."""
        return self.out.splitlines()


@dataclass
class Desk:
    """A folder, and calls of zyc in it: in this process, unless a shell is asked for."""

    root: Path
    here: str = ""  # the folder below the root that calls are made in
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join([str(self.root / "bin"), str(PROGRAMS), os.environ.get("PATH", os.defpath)])
        self.environ = {"PATH": path, "HOME": str(self.root), "COLUMNS": "100", **self.environ}

    # --- files ---

    def write(self, path: str, text: str) -> None:
        """A file of the user's, whole."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def spec(self, text: str, name: str = "mill") -> None:
        """A spec; its first line is written here."""
        self.write(f"specs/{name}.yml", f"zyc: 1\n{text}")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text, which must be there."""
        text = self.read(path)
        assert old in text, f"`{old}` is not in {path}"
        self.write(path, text.replace(old, new))

    def read(self, path: str) -> str:
        """The text of a file."""
        return (self.root / path).read_text(encoding="utf-8")

    def tool(self, name: str, version: str) -> None:
        """A program that says its version."""
        self.write(f"bin/{name}", f"#!/bin/sh\necho {name} {version}\n")
        (self.root / "bin" / name).chmod(0o755)

    # --- calls ---

    def zyc(self, *words: str, **environ: str) -> Said:
        """One call in this process, with the memos of earlier ones."""
        both: list[str] = []
        out, err = Stream(both), Stream(both)
        before = Path.cwd()
        os.chdir(self.root / self.here)
        try:
            with (
                patch.dict(os.environ, {**self.environ, **environ}, clear=True),
                redirect_stdout(out),
                redirect_stderr(err),
            ):
                code = memo.replay(words)
                replayed = code is not None
                if code is None:
                    code = cli.run(words)
        finally:
            os.chdir(before)
        return Said(out.getvalue(), err.getvalue(), code, "".join(both), replayed)

    def shell(self, line: str, *, within: float = 60, **environ: str) -> Said:
        """One line of bash, `zyc` and all, as processes of their own."""
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.root / self.here,
            env=self.process_environ(**environ),
            capture_output=True,
            check=False,
            timeout=within,
        )
        out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        return Said(out, err, done.returncode, out + err)

    def process_environ(self, **environ: str) -> Mapping[str, str]:
        """The environment of a process that runs this checkout of zyc."""
        return {**self.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1", **environ}

    def types(self, line: str) -> Said:
        """A line as a person types it: a plain call of zyc happens here, everything else in a shell."""
        words = shlex.split(line)
        environ = {}
        while words and words[0].partition("=")[0].isidentifier() and "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            environ[name] = value
        if words[:1] == ["zyc"] and not _SHELL & {*words}:
            return self.zyc(*words[1:], **environ)
        return self.shell(line)

    # --- what is there ---

    def tree(self, node: str) -> dict[str, bytes]:
        """The files that a node left, by name."""
        folder = (self.root / "artifacts" / "nodes" / node).resolve()
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    def states(self, *select: str, **environ: str) -> dict[str, str]:
        """What the plan says of each node."""
        return {each["name"]: each["plan"] for each in self.zyc("plan", *select, "--json", **environ).data["nodes"]}

    def fates(self, *select: str, **environ: str) -> dict[str, str]:
        """Build, and what happened to each node."""
        events = [json.loads(line) for line in self.zyc("build", *select, "--json", **environ).out.splitlines()]
        return {each["node"]: each["fate"] for each in events if each["event"] == "end"}


def stand_still(monkeypatch) -> None:
    """A machine on which every step takes two seconds, at the same moment, one after the other."""
    poll, listed = Local.poll, World.list

    def polled(self, job, *, seconds):
        report = poll(self, job, seconds=seconds)
        return replace(report, seconds=2.0, peak_memory=50_000_000) if report.phase is Phase.ENDED else report

    def names(self, folder):
        return () if os.fspath(folder).startswith("/proc/driver/nvidia") else listed(self, folder)

    def usage(self, path):
        """As a disk of 4 kB blocks would say; others count otherwise."""
        top = self.stat(path)
        inside = [seen for _, seen in self.walk(path)] if top is not None and top.kind == "folder" else []
        whole = [seen for seen in (top, *inside) if seen is not None and seen.kind != "link"]
        return sum(4096 if seen.kind == "folder" else -(-seen.size // 4096) * 4096 for seen in whole)

    words = {"zyc": __version__, "python": "3.11.7", "platform": "linux", "machine": "x86_64"}
    monkeypatch.setattr(attempt, "machine_words", lambda host: {**words, "host": host})
    monkeypatch.setattr(Local, "poll", polled)
    monkeypatch.setattr(World, "usage", usage)
    monkeypatch.setattr(runner, "Threads", lambda _: runner.Alone())
    monkeypatch.setattr(World, "monotonic", lambda _: 0.0)
    monkeypatch.setattr(World, "list", names)
    monkeypatch.setattr(World, "now", lambda _: 1_790_000_000.0)
    monkeypatch.setattr(World, "usage", lambda _, path: 4096 * (1 + len([*Path(path).rglob("*")])))
    monkeypatch.setattr(World, "disk_free", lambda *_: 61_000_000_000)
    monkeypatch.setattr(World, "cpu_count", lambda _: 2)
    monkeypatch.setattr(World, "memory_total", lambda _: 16_000_000_000)
    monkeypatch.setattr(World, "has_bf16", lambda _: True)
