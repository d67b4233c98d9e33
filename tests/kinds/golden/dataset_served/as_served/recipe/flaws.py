"""What is wrong with data, said with the file, the line and the next step."""

import json
import sys
from pathlib import Path

SHOWN = 10  # bad rows that are printed


class Unusable(Exception):
    """A source as a whole cannot be read: its place, what is wrong, and what to do."""

    def __init__(self, place, says, step):
        super().__init__(f"{place}: {says}\n  {step}")
        self.place, self.says, self.step = place, says, step


class Bad(ValueError):
    """One row cannot be used: why, and what to do."""

    def __init__(self, says, step="", kind=""):
        super().__init__(says)
        self.says = says
        self.step = step
        self.kind = kind


class BadRows:
    """Rows that cannot be used: each is counted and kept, none is silently dropped."""

    def __init__(self, most, *, path=Path("bad.jsonl")):
        self.most = most
        self.path = path
        self.count = 0
        self.first = None
        path.unlink(missing_ok=True)

    def take(self, place, says, step, text):
        """Note one; the first few are printed."""
        self.count += 1
        told = {"place": place, "says": says, "next": step, "row": text[:2_000]}
        self.first = self.first or told
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told, ensure_ascii=False) + "\n")
        if self.count <= SHOWN:
            print(f"{place}: {says}" + (f"\n  {step}" if step else ""))
        elif self.count == SHOWN + 1:
            print(f"... more in {self.path}")

    def judge(self):
        """Stop when there are more than the spec allows."""
        if self.count > self.most:
            many = f"{self.count:,} bad rows" if self.count > 1 else "a bad row"
            stop(f"{many} (see above, and {self.path}); `max_bad: {self.most}` allows {self.most:,}: mend the data, or raise it")


def stop(sentence):
    """End the step with a sentence, without a traceback."""
    sys.stdout.flush()
    sys.exit(f"error: {sentence}")
