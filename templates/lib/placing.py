"""Where and how fast this run goes: what placement/ says, what this machine has, and how a batch is cut into pieces."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import telling

AT_ONCE = {"cpu": 2048, "cuda": 8192}  # tokens of a piece when nobody says: larger ones gain nothing on a CPU


@dataclass
class Placed:
    """One process of a run."""

    device: str
    world: int
    rank: int
    local_rank: int
    micro_batch: int
    accumulation: int
    batch: int
    settings: dict = field(default_factory=dict)

    @property
    def first(self):
        """Whether this process writes what there is to write."""
        return self.rank == 0

    @property
    def trackers(self):
        """Those that the spec names, as transformers knows them."""
        return [name for name, told in sorted((self.settings.get("trackers") or {}).items()) if told and self.first] or "none"

    def words(self):
        """For the log."""
        what = f"{self.world} x {self.device}" if self.world > 1 else self.device
        return f"on {what}: batches of {self.batch} = {self.world} x {self.accumulation} x {self.micro_batch}"


def settings():
    """What the spec says under `placement`."""
    return json.loads(Path("placement/settings.json").read_text(encoding="utf-8"))


def pieces(batch, context, *, world, device, micro_batch=None):
    """A batch as so many rows at once, so many times, in each process: together they are the batch, whatever the placement."""
    if batch % world:
        raise SystemExit(f"error: a batch of {batch} cannot be shared by {world} processes: change `batch`, `gpus` or `nodes`")
    share = batch // world
    if micro_batch:
        if share % micro_batch:
            raise SystemExit(f"error: {share} rows a process are no multiple of placement.micro_batch, which is {micro_batch}")
        return micro_batch, share // micro_batch
    most = max(1, AT_ONCE[device] // context)
    micro = max(each for each in range(1, share + 1) if share % each == 0 and (each <= most or each == 1))
    return micro, share // micro


def placed(batch, context):
    """The process that asks, and its part of each batch."""
    import torch

    telling.hush()

    told = settings()
    device = "cuda" if torch.cuda.is_available() and told.get("gpus") != 0 else "cpu"
    if told.get("activation_checkpointing") is None:  # memory of a machine is no match for it, that of an accelerator is
        told["activation_checkpointing"] = device == "cuda"
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    micro, accumulation = pieces(batch, context, world=world, device=device, micro_batch=told.get("micro_batch"))
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", told.get("cpus") or 1)))
    if device == "cuda":
        torch.cuda.set_device(local)
    return Placed(device, world, rank, local, micro, accumulation, batch, told)
