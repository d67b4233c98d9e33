"""What ends a run early, in words: a loss that is no number, memory that is not enough, somebody who asks it to stop."""

import contextlib
import json
import math
import signal
import sys
from pathlib import Path

SIGNALS = (signal.SIGINT, signal.SIGTERM)
NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


class Interrupted(BaseException):
    """Somebody asked the run to stop, and it has kept a checkpoint."""


class Asked:
    """Whether somebody asked this process to stop: the first time it may keep a checkpoint, the second time it ends."""

    def __init__(self):
        self.stop = False
        self.listening = False

    def listen(self):
        """From now on."""
        self.listening = True
        for each in SIGNALS:
            signal.signal(each, self._heard)

    def _heard(self, number, _frame):
        if self.stop:
            raise SystemExit(128 + number)
        self.stop = True

    def agreed(self, world):
        """Whether any of the processes was asked: they stop together, or wait for each other for ever."""
        if world == 1:
            return self.stop
        import torch
        import torch.distributed as dist

        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        told = torch.tensor([int(self.stop)], device=device)
        dist.all_reduce(told, op=dist.ReduceOp.MAX)
        return bool(told.item())


def is_no_number(value):
    """NaN or infinite."""
    return value is not None and not math.isfinite(value)


def no_number(what, value, step, of, kept):
    """The sentence for a loss that is no number."""
    where = f"the last checkpoint before it is {kept}" if kept else "there was no checkpoint yet"
    return (
        f"error: the {what} is {value} at step {step} of {of}: stopped; {where}\n"
        "  a lower `learning_rate`, a longer `warmup` or `clip: 1` usually helps, and `precision: bf16` in place of fp16;\n"
        "  so does a look at the rows of that step"
    )


def is_memory(error):
    """Whether an error says that there is no more memory."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words.lower() in str(error).lower() for words in NO_MEMORY)


def watched(kept=lambda: None):
    """From now on memory that is not enough is told with its next step wherever it ends the script: loading, saving."""
    usual = sys.excepthook

    def hook(kind, error, trace):
        if is_memory(error):
            print(out_of_memory(error, kept(), training=False), file=sys.stderr, flush=True)
        else:
            usual(kind, error, trace)

    sys.excepthook = hook


@contextlib.contextmanager
def told(kept=lambda: None):
    """Errors that have a next step are told with it; a stop that was asked for ends with 130."""
    try:
        yield
    except Interrupted:
        print(f"stopped as asked; kept {kept()}", flush=True)
        raise SystemExit(130) from None
    except (RuntimeError, MemoryError) as error:
        if not is_memory(error):
            raise
        raise SystemExit(out_of_memory(error, kept())) from None


def out_of_memory(error, kept, *, training=True):
    """The estimate, what to change, and what is kept; what only training holds helps only there."""
    path = Path("placement/expected.json")
    expected = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    settings = json.loads(Path("placement/settings.json").read_text(encoding="utf-8"))
    lines = [f"error: out of memory: {str(error).splitlines()[0] if str(error) else 'the machine has no more'}"]
    said = [f"{name} {value / 1e9:.1f} GB" for name, value in expected.items() if isinstance(value, int | float)]
    if said:
        lines.append(f"it was expected to take: {', '.join(said)}")
    lines.append("what helps, the first ones without changing the result:")
    micro = settings.get("micro_batch")
    if training:
        lines.append(f"  placement.micro_batch: {max(1, micro // 2) if micro else 1}{f' (now {micro})' if micro else ''}")
    told = settings.get("activation_checkpointing") if training else True
    if told is False or (told is None and settings.get("gpus") == 0):
        lines.append("  placement.activation_checkpointing: true (slower by a third)")
    if settings.get("sharding") in ("none", "ddp", None):
        lines.append("  placement.sharding: fsdp2, on more `gpus`")
    if training:
        lines.append("  a shorter `context`; `method: qlora` or a smaller `lora.rank`: these make another result")
    else:
        lines.append(
            "  a machine with more memory, or less beside this step; `method: qlora` or a smaller base make another result"
        )
    lines.append(
        f"kept: {kept}; after a change of placement the run goes on from there" if kept else "no checkpoint was kept yet"
    )
    return "\n".join(lines)
