"""The rows of a task: what was answered before a kill is there when it goes on, and the report is the same to the byte."""

import json
import os
from pathlib import Path

import telling

STATE = Path("state/rows.jsonl")


class Sheet:
    """One line a row; each is on the disk before the next is begun."""

    def __init__(self, of):
        self.of, self.rows = of, self._before()
        STATE.parent.mkdir(exist_ok=True)
        whole = "".join(_line(each) for each in self.rows.values())
        STATE.with_suffix(".new").write_text(whole, encoding="utf-8")  # without a torn last line
        STATE.with_suffix(".new").replace(STATE)
        self.file = STATE.open("a", encoding="utf-8")
        if self.rows:
            print(f"goes on: {len(self.rows):,} of {of:,} are answered")

    def _before(self):
        told = {}
        whole = STATE.read_text(encoding="utf-8") if STATE.exists() else ""
        for line in whole.split("\n")[:-1]:  # a line feed ends a row and nothing else does: an answer may hold a U+2028
            try:
                row = json.loads(line)
            except ValueError:
                break  # torn when the run was cut short
            told[row["id"]] = row
        return told

    def __contains__(self, name):
        return name in self.rows

    def add(self, row):
        """Keep one row."""
        self.rows[row["id"]] = row
        self.file.write(_line(row))
        self.file.flush()
        os.fsync(self.file.fileno())
        done = len(self.rows)
        telling.event(step=done, of=self.of)
        fresh = STATE.with_name("progress.new")
        fresh.write_text(json.dumps({"step": done, "of": self.of}))
        fresh.replace(STATE.with_name("progress.json"))

    def write(self, order, path="out/rows.jsonl"):
        """All rows, in the order of the questions."""
        self.file.close()
        told = [self.rows[name] for name in order]
        Path(path).write_text("".join(_line(each) for each in told), encoding="utf-8")
        return told


def _line(row):
    return json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n"


def report(kind, measures, *, groups=None, more=None, path="out/report.json"):
    """What a task found; numbers of time and memory are measures only, so that a rerun gives the same files."""
    told = {"kind": kind, "measures": measures, "groups": groups or {}, **(more or {})}
    Path(path).write_text(json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    telling.measure(measures)
    for name, value in measures.items():
        print(f"{name}: {value:.6g}")
