"""Where the assistant keeps what is its own (log, tasks, notes, timers), and the one folder whose files its tools may touch."""

import datetime as dt
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from .confined import Folder

MOST_ROWS = 10_000


def now():
    """The time that the person has."""
    return dt.datetime.now().astimezone()


@dataclass
class Desk:
    """All that a tool may reach."""

    home: Path  # of the assistant: no tool is given a path into it
    folder: Folder
    words: dict
    find: object = None  # a question -> what the notes say, best first
    clock: object = now
    started: dict = field(default_factory=dict)  # applications that run, by name

    def rows(self, name):
        """What was kept under a name, one row a line; a line that is torn is not there."""
        found = []
        path = self.home / f"{name}.jsonl"
        if path.exists():
            for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
                try:
                    found.append(json.loads(line))
                except ValueError:
                    continue
        return found

    def add(self, name, row):
        """One more row."""
        if len(self.rows(name)) >= MOST_ROWS:
            raise OSError(f"{name} holds {MOST_ROWS:,} rows already")
        append(self.home / f"{name}.jsonl", row)

    def keep(self, name, rows):
        """These rows and no others."""
        new = self.home / f".{name}.new"
        new.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in rows), encoding="utf-8")
        new.replace(self.home / f"{name}.jsonl")


def opened(home, folder, *, inside, words, **more):
    """A desk, its folders made; refused where a tool could reach the assistant itself."""
    home, folder = Path(home).resolve(), Path(folder).expanduser()
    folder = (home / folder).resolve()
    for kept, what in ((home, "its own files, its log among them"), (Path(inside).resolve(), "its own program")):
        if folder == kept or folder in kept.parents:
            raise SystemExit(f"error: the folder {folder} holds {kept}: tools could change {what}\nhelp: take a folder beside it")
    if Path(inside).resolve() in folder.parents and home not in folder.parents:
        raise SystemExit(f"error: the folder {folder} is part of the program\nhelp: take a folder beside it")
    try:
        home.mkdir(parents=True, exist_ok=True)
        return Desk(home, Folder(folder), words, **more)
    except OSError as error:
        help_ = "help: name a home that is yours, `--home FOLDER`, and a folder that is, `--folder FOLDER`"
        raise SystemExit(f"error: {error.filename} cannot be made: {error.strerror}\n{help_}") from None


def append(path, row):
    """One line at the end of a file, on the disk before this returns."""
    line = (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        while line:  # a full disk writes a part, and says so the next time
            line = line[os.write(descriptor, line) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Log:
    """What was asked, decided, confirmed and done: lines are only ever added."""

    def __init__(self, path, clock=now):
        self.path, self.clock = Path(path), clock

    def __call__(self, event, **more):
        """One line; where it cannot be written, nothing may be done, so this fails."""
        append(self.path, {"at": self.clock().isoformat(timespec="seconds"), "event": event, **more})

    def last(self, count):
        """The last lines."""
        if not self.path.exists():
            return []
        return self.path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1][-count:]
