"""Checkpoints below state/: one is whole or it is passed over, and the newest whole one is where a run goes on."""

import json
import os
import shutil
from pathlib import Path

STATE = Path("state")
MARK = "whole.json"  # written last: names every file of a checkpoint and its size
KEPT = 2
WORTH = 30.0  # seconds of work that a checkpoint is worth keeping for, when nobody says how often


def step_of(path):
    """The step that a checkpoint was left at."""
    return int(path.name.rsplit("-", 1)[1])


def checkpoints(state=STATE):
    """All that look like one, the oldest first."""
    found = [each for each in Path(state).glob("checkpoint-*") if each.is_dir() and each.name.rsplit("-", 1)[1].isdigit()]
    return sorted(found, key=step_of)


def files_of(path):
    """Every file of a checkpoint and its size."""
    return {
        str(each.relative_to(path)): each.stat().st_size
        for each in sorted(path.rglob("*"))
        if each.is_file() and each.name != MARK
    }


def is_whole(path):
    """Whether all that was written is there, to its last byte."""
    try:
        told = json.loads((path / MARK).read_text(encoding="utf-8"))
        return bool(told) and files_of(path) == told
    except (OSError, ValueError):
        return False


def newest(state=STATE, say=print):
    """The newest whole checkpoint, or nothing; what was half written when the run was cut short is passed over."""
    for path in reversed(checkpoints(state)):
        if is_whole(path):
            return path
        say(f"{path} is not whole: passed over")
    return None


def replace(path, text):
    """A file that is there whole, or as it was before."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def mark(path):
    """A checkpoint has been written: its files reach the disk before its mark does."""
    path = Path(path)
    for name in (told := files_of(path)):
        with (path / name).open("rb") as file:
            os.fsync(file.fileno())
    replace(path / MARK, json.dumps(told, indent=1, sort_keys=True))


def progress(step, of, state=STATE):
    """How far the newest checkpoint is, for a plan to say."""
    replace(Path(state) / "progress.json", json.dumps({"step": step, "of": of}))


def prune(spare=(), state=STATE):
    """The newest whole ones stay, and those to spare; older ones go, and what was never finished."""
    whole = [each for each in checkpoints(state) if is_whole(each)]
    if not whole:
        return
    stay = {*whole[-KEPT:], *map(Path, spare)}
    for path in checkpoints(state):
        if path not in stay and step_of(path) < step_of(whole[-1]):
            (path / MARK).unlink(missing_ok=True)  # first: what is half gone is not whole
            shutil.rmtree(path, ignore_errors=True)


def same_placement(now, state=STATE):
    """What to say when the state was left under another placement; it is remembered for the next time."""
    path = Path(state) / "arrangement.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else now
    replace(path, json.dumps(now, sort_keys=True))
    moved = [f"{name} was {before.get(name)} and is {value}" for name, value in now.items() if before.get(name) != value]
    return f"goes on under another placement ({', '.join(moved)}): the last bits of the result may differ" if moved else ""
