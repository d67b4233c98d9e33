"""What a run says of itself: events for whoever watches, a history for a report, measures for gates, lines for the log."""

import atexit
import json
import time
from pathlib import Path

EVENTS = Path("events.jsonl")
HISTORY = Path("state/history.jsonl")  # beside the checkpoints: it goes on with them
LINES = 50  # of the log, in a run


def hush():
    """Bars and warnings of libraries are nothing that a log is read for: their versions are pinned."""
    import warnings

    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning)


def event(**facts):
    """One line of numbers for the bar, of those that are known."""
    with EVENTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps({name: value for name, value in facts.items() if value is not None}) + "\n")


def note(path=None, **facts):
    """One line of the history."""
    with (path or HISTORY).open("a", encoding="utf-8") as file:
        file.write(json.dumps(facts) + "\n")


def history(path=None):
    """Every whole line so far."""
    told = []
    path = path or HISTORY
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            told.append(json.loads(line))
        except ValueError:
            break  # torn when the run was cut short
    return told


def rewind(step, path=None):
    """What was noted behind a checkpoint never happened."""
    path = path or HISTORY
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in history(path) if each["step"] <= step), encoding="utf-8")


def measure(*numbers):
    """Keep numbers under their names; the report of the run is written when its script ends."""
    atexit.register(report)
    told = {name: value for each in numbers for name, value in each.items() if value is not None}
    Path("measures.json").write_text(json.dumps(told), encoding="utf-8")


def report():
    """Write the report of a run that trained; a run whose report fails loses nothing."""
    try:
        import training_report

        training_report.main()
    except ImportError:
        pass  # this kind has none
    except Exception as error:  # noqa: BLE001
        print(f"no report: {type(error).__name__}: {error}")


def last(noted, name="loss"):
    """The mean of a number over the last tenth of the steps."""
    told = [each[name] for each in noted if each.get(name) is not None]
    tail = told[-max(1, len(told) // 10) :]
    return sum(tail) / len(tail) if tail else None


def peak_memory(device):
    """Bytes that this process held at most: of the accelerator, or of the machine."""
    import resource
    import sys

    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


class Pace:
    """Tokens a second and the time that is left; pauses for tests and checkpoints do not count."""

    def __init__(self, steps, done=0):
        self.steps, self.tokens, self.seconds, self.counted = steps, 0, 0.0, 0
        self.done = done
        self.mark = time.perf_counter()
        self.rate = 0.0

    def pause(self):
        """What took time until now was no training."""
        self.mark = time.perf_counter()

    def step(self, step, tokens):
        """A step is over."""
        now = time.perf_counter()
        took, self.mark, self.done = now - self.mark, now, step
        self.rate = tokens / max(took, 1e-9)
        if self.counted or step == self.steps:  # the first step warms up
            self.tokens += tokens
            self.seconds += took
        self.counted += 1

    @property
    def mean(self):
        """Over all steps but the first."""
        return self.tokens / self.seconds if self.seconds else self.rate

    @property
    def eta(self):
        """Seconds that are left; nothing before a step was counted."""
        if self.done >= self.steps:
            return 0.0
        return round((self.steps - self.done) * self.seconds / (self.counted - 1), 1) if self.seconds else None


def line(step, of, loss, pace, every):
    """One line of the log in so many steps."""
    if step % every == 0 or step in (1, of):
        left = "" if pace.eta is None else f"  {pace.eta:,.0f} s left"
        print(f"step {step:,} of {of:,}  loss {loss:.4f}  {pace.mean:,.0f} tokens/s{left}")
