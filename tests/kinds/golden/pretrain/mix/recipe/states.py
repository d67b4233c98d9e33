"""The state of a run: weights, optimizer, scaler, step and chance, whole in one file however many processes share the model."""

import random
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_state_dict,
)

WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
SHARED_OUT = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)


def share(model, placed, sharding):
    """The model as the processes hold it: each all of it, or each a part of every layer."""
    if placed.world == 1:
        return model
    if not dist.is_initialized():
        dist.init_process_group("nccl" if placed.device == "cuda" else "gloo")
    if sharding in ("none", "ddp"):
        return torch.nn.parallel.DistributedDataParallel(
            model, device_ids=[placed.local_rank] if placed.device == "cuda" else None
        )
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(placed.device, (placed.world,))
    for layer in model.model.layers:
        fully_shard(layer, mesh=mesh, reshard_after_forward=sharding != "zero2")
    return fully_shard(model, mesh=mesh, reshard_after_forward=sharding != "zero2")


def save(path, model, optimizer, scaler, step, first):
    """Gather the state and write it; every process takes part, the first one writes."""
    weights, moments = get_state_dict(model, optimizer, options=WHOLE)
    if first:
        Path(path).mkdir(parents=True, exist_ok=True)
        chance = {"torch": torch.get_rng_state(), "python": random.getstate()}
        told = {"model": weights, "optimizer": moments, "step": step, "chance": chance}
        if scaler.is_enabled():
            told["scaler"] = scaler.state_dict()
        torch.save(told, Path(path) / "state.pt")


def load(path, model, optimizer, scaler):
    """Take up a state; the step that it was left at."""
    told = torch.load(Path(path) / "state.pt", map_location="cpu", weights_only=False, mmap=True)
    shared = dist.is_initialized() and not isinstance(model, torch.nn.parallel.DistributedDataParallel)
    options = SHARED_OUT if shared else StateDictOptions(full_state_dict=True)
    set_state_dict(model, optimizer, model_state_dict=told["model"], optim_state_dict=told["optimizer"], options=options)
    if "scaler" in told:
        scaler.load_state_dict(told["scaler"])
    torch.set_rng_state(told["chance"]["torch"])
    random.setstate(told["chance"]["python"])
    return told["step"]


def weights(model):
    """All weights, on the first process."""
    return get_model_state_dict(model, options=WHOLE)
