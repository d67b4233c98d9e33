"""Where and how fast this run goes: what placement/ says, what this machine has, and how a batch is cut into pieces."""

import json
import os
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import failing
import keeping
import telling

BF16 = ("avx512_bf16", "amx_bf16", "arm_bf16", "bf16")  # what CPUs that have it call it
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

    def fitting(self, longest):
        """The same, with pieces for rows that are no longer than so many tokens, unless the spec says how large they are."""
        given = self.settings.get("micro_batch")
        micro, accumulation = pieces(self.batch, longest, world=self.world, device=self.device, micro_batch=given)
        return replace(self, micro_batch=micro, accumulation=accumulation)

    @property
    def trackers(self):
        """Those that the spec names, as transformers knows them."""
        return [name for name, told in sorted((self.settings.get("trackers") or {}).items()) if told and self.first] or "none"

    @property
    def project(self):
        """What trackio calls it: the one tracker that transformers tells no name through the environment."""
        return (self.settings.get("trackers") or {}).get("trackio") or "huggingface"

    @property
    def sharded(self):
        """Whether each process holds only a part of the model: then it answers only when every process asks."""
        return self.world > 1 and self.settings.get("sharding") not in ("none", "ddp", None)

    @property
    def has_bf16(self):
        """Whether this CPU or accelerator has bf16 of its own."""
        import torch

        if self.device == "cuda":  # torch itself says yes of those that imitate it
            return torch.cuda.get_device_capability() >= (8, 0)
        told = torch.cpu.get_capabilities()
        return any(told.get(name) for name in BF16)

    def computes(self, precision):
        """What it computes in: what the spec says, but for a CPU that would only imitate bf16, some fifty times slower.

        An accelerator that would do so is refused: what is fast there is another recipe.
        """
        import torch

        if precision != "bf16" or self.has_bf16:
            return self.wanted(precision)
        if self.device == "cpu":
            return torch.float32
        raise SystemExit(
            f"error: {torch.cuda.get_device_name()} has no bf16: it would only imitate it, many times slower\n"
            "  `precision: fp16` trains on it: another recipe, with a key of its own"
        )

    def wanted(self, precision):
        """What the spec says."""
        import torch

        return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision]

    def here(self, dtype):
        """What may move the last bits of a result."""
        return {
            "device": self.device,
            "processes": self.world,
            "micro_batch": self.micro_batch,
            "computes in": str(dtype).removeprefix("torch."),
        }

    def words(self, dtype, precision):
        """For the log."""
        what = f"{self.world} x {self.device}" if self.world > 1 else self.device
        cut = f"batches of {self.batch} = {self.world} x {self.accumulation} x {self.micro_batch}"
        name = str(dtype).removeprefix("torch.")
        told = f"on {what}: {cut}, in {name}"
        return (
            told
            if dtype == self.wanted(precision)
            else f"{told}: this CPU would only imitate {precision}, some fifty times slower"
        )


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


def placed(batch, context, *, micro_batch=None):
    """The process that asks, and its part of each batch; `micro_batch` is given where it is no matter of placement."""
    import torch

    telling.hush()
    failing.watched(lambda: keeping.newest(say=lambda _: None))
    told = settings()
    device = "cuda" if torch.cuda.is_available() and told.get("gpus") != 0 else "cpu"
    if told.get("activation_checkpointing") is None:  # memory of a machine is no match for it, that of an accelerator is
        told["activation_checkpointing"] = device == "cuda"
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    micro, accumulation = pieces(batch, context, world=world, device=device, micro_batch=micro_batch or told.get("micro_batch"))
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", told.get("cpus") or 1)))
    if device == "cuda":
        torch.cuda.set_device(local)
    return Placed(device, world, rank, local, micro, accumulation, batch, told)


# --- among processes ---


def together(placed):
    """Know each other, where there are several."""
    if placed.world > 1:
        import torch.distributed as dist

        if not dist.is_initialized():
            dist.init_process_group("nccl" if placed.device == "cuda" else "gloo")


def meet(placed):
    """Wait for each other."""
    if placed.world > 1:
        import torch.distributed as dist

        dist.barrier()


@contextmanager
def first_alone(placed):
    """What the first process does alone, the others then find done."""
    if not placed.first:
        meet(placed)
    yield
    if placed.first:
        meet(placed)


def summed(placed, *numbers):
    """Numbers, each added up over all processes."""
    if placed.world == 1:
        return numbers
    import torch
    import torch.distributed as dist

    told = torch.tensor(numbers, dtype=torch.float64, device=placed.device)
    dist.all_reduce(told)
    return tuple(told.tolist())


def quiet(placed, model, more):
    """Add up gradients without telling the others, while there is more to come."""
    return model.no_sync() if placed.world > 1 and more and hasattr(model, "no_sync") else nullcontext()
