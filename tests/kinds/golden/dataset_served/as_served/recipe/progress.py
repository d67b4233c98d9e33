"""How far the making of a dataset has come, for whoever watches: a line of events.jsonl a second."""

import json
import time
from pathlib import Path

OF = 100


class Progress:
    """All passes over the rows, and the writing behind them, each as long as another one."""

    def __init__(self, passes):
        self.passes, self.done = passes, 0
        self.began = self.said = time.monotonic()

    def at(self, part):
        """So much of the pass at hand is done, from 0 to 1."""
        now = time.monotonic()
        if now - self.said < 1:
            return
        self.said = now
        share = min(1.0, (self.done + min(part, 1.0)) / self.passes)
        told = {"step": int(share * OF), "of": OF}
        if share > 0:
            told["eta"] = round((now - self.began) * (1 - share) / share, 1)
        with Path("events.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")

    def over(self):
        """The pass at hand is over."""
        self.done += 1
