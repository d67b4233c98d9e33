"""What ends a run early, in words: a loss that is no number, memory that is not enough, somebody who asks it to stop."""

import contextlib
import json
import math
import signal
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
    where = f"the last good checkpoint is {kept}" if kept else "there was no checkpoint yet"
    return (
        f"error: the {what} is {value} at step {step} of {of}: stopped; {where}. A lower `learning_rate`, a longer `warmup`, "
        "`clip: 1`, or `precision: bf16` in place of fp16 usually helps; so does a look at the rows of that step"
    )


@contextlib.contextmanager
def told(kept=lambda: None):
    """Errors that have a next step are told with it; a stop that was asked for ends with 130."""
    try:
        yield
    except Interrupted:
        print(f"stopped as asked; kept {kept()}", flush=True)
        raise SystemExit(130) from None
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and not any(words.lower() in str(error).lower() for words in NO_MEMORY):
            raise
        raise SystemExit(out_of_memory(error, kept())) from None


def out_of_memory(error, kept):
    """The estimate, what to change, and what is kept."""
    path = Path("placement/expected.json")
    expected = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    settings = json.loads(Path("placement/settings.json").read_text(encoding="utf-8"))
    lines = [f"error: out of memory: {str(error).splitlines()[0] if str(error) else 'the machine has no more'}"]
    said = [f"{name} {value / 1e9:.1f} GB" for name, value in expected.items() if isinstance(value, int | float)]
    if said:
        lines.append(f"it was expected to take: {', '.join(said)}")
    lines.append("what helps, the first ones without changing the result:")
    micro = settings.get("micro_batch")
    lines.append(f"  placement.micro_batch: {max(1, micro // 2) if micro else 1}{f' (now {micro})' if micro else ''}")
    told = settings.get("activation_checkpointing")
    if told is False or (told is None and settings.get("gpus") == 0):
        lines.append("  placement.activation_checkpointing: true (slower by a third)")
    if settings.get("sharding") in ("none", "ddp", None):
        lines.append("  placement.sharding: fsdp2, on more `gpus`")
    lines.append("  a shorter `context`; `method: qlora` or a smaller `lora.rank`: these make another result")
    lines.append(
        f"kept: {kept}; after a change of placement the run goes on from there" if kept else "no checkpoint was kept yet"
    )
    return "\n".join(lines)
