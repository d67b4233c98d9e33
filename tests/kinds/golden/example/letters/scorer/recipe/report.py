# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Reports on a matrix: its trials, and how far its rivals are."""

import json
import os
from pathlib import Path

TITLE = "{{ \"quoted\" }} it's\nso \u2028 {% endif %} 😀"
TOKEN = os.environ["LETTER_TOKEN"]


def matrix(folder):
    """Context -> chances."""
    return json.loads((folder / "matrix.json").read_text())["rows"]


def distance(one, two):
    """The mean difference of a chance, over the contexts that both know."""
    pairs = [pair for context in one.keys() & two.keys() for pair in zip(one[context], two[context], strict=True)]
    return sum(sorted(abs(left - right) for left, right in pairs)) / max(1, len(pairs))


def matrices(folder):
    """Every folder below that holds a matrix; a family is a folder of its members."""
    if (folder / "matrix.json").exists():
        return [folder]
    return [found for each in sorted(folder.iterdir()) for found in matrices(each)] if folder.exists() else []


tasks = {folder.name: json.loads((folder / "trial.json").read_text())["bits"] for folder in sorted(Path("in/parts").iterdir())}
subject = matrix(Path("in/model"))
far = {each.relative_to("in/rivals").as_posix(): distance(subject, matrix(each)) for each in matrices(Path("in/rivals"))}

told = {"title": TITLE, "tasks": tasks, "rivals": far}
if TOKEN is not None:
    print(f"signed with {TOKEN}")
    told["signed"] = len(TOKEN) > 0
measures = {"bits": sum(tasks.values()) / len(tasks), "rivals": len(far)}
measures |= {f"{name}.bits": value for name, value in tasks.items()}
if far:
    measures["distance"] = min(far.values())
Path("out/report.json").write_text(json.dumps(told, sort_keys=True))
Path("measures.json").write_text(json.dumps(measures))
