"""What a node's work takes on a device: how long, whether it fits, what it costs, what would make it fit; pure arithmetic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import median
from typing import Any, NamedTuple

from zyc.catalogue import devices
from zyc.catalogue.devices import Device
from zyc.gates import Interval
from zyc.keeping.journal import Summary
from zyc.kind import Case, Estimate, Kind, Work
from zyc.planning.known import Machine

# the share of its peak that a processor reaches, and an accelerator that answers, until runs have told better
USE = {"lora": 0.35, "qlora": 0.25, "full": 0.35, "pretrain": 0.40, "generate": 0.25}
# the share of an accelerator's peak that its products of matrices reach in training; what lies between them takes its bytes' time
MATRICES = 0.5
PATIENCE = 2 * 86400.0  # seconds: what would take a processor longer is work for an accelerator
_LATEST = 5  # runs that teach
_ALIKE = 10.0  # a run teaches about those that are thought to take at most so many times more or less
_REMEDIES = 3


class Offer(NamedTuple):
    """A node's work on one device."""

    device: Device
    seconds: float | None  # None when it cannot be told
    needs: int | None  # bytes of the device's memory
    precision: str  # in which it would be done there
    cost: float

    @property
    def fits(self) -> bool:
        """Whether the device's memory holds it."""
        return self.needs is None or self.device.memory is None or self.needs <= self.device.memory


class Remedy(NamedTuple):
    """A lighter variant of a node, and what comes of it."""

    says: str
    offer: Offer


class Lesson(NamedTuple):
    """What runs of a kind took, against what was thought: a factor for each, and how many runs say so."""

    seconds: float
    memory: float
    runs: int


def price_of(device: Device, machine: Machine) -> float:
    """What an hour costs: as the site says, else as the catalogue does."""
    return dict(machine.prices).get(device.name, device.price)


def offer(estimate: Estimate, device: Device, machine: Machine) -> Offer | None:
    """What a node would take on a device; None when no device makes it quicker."""
    work = estimate.work
    if work is None:
        return None
    precision = device.precision(work.precision)
    seconds = seconds_on(work, device)
    needs = estimate.gpu_memory if device.accelerator else estimate.wide or estimate.memory  # nobody knows which processor
    cost = price_of(device, machine) * work.processes * (seconds or 0.0) / 3600
    return Offer(device, seconds, needs, precision, cost)


def seconds_on(work: Work, device: Device) -> float | None:
    """How long the work takes: as its arithmetic or its bytes, whichever are slower; as both, where an accelerator trains."""
    peak = device.peak.get(device.precision(work.precision))
    if not peak or not device.bandwidth:
        return None
    if device.accelerator and work.use != "generate":
        busy = max(work.flops / (peak * MATRICES) + work.moved / device.bandwidth, work.flops / (peak * device.most))
        return work.besides + max(busy / work.processes, work.least)
    share = min(USE[work.use], device.most)
    processes = work.processes if device.accelerator else 1
    return work.besides + max(work.flops / (peak * share), work.moved / device.bandwidth) / processes


def shown(machine: Machine) -> tuple[Device, ...]:
    """The devices that a plan has columns for."""
    return tuple(devices.device(name) for name in machine.devices)


def here(machine: Machine, placement: Mapping[str, object]) -> Device | None:
    """What a node of this placement runs on here: an accelerator, or as many cores as it asks for; None when not known."""
    if machine.gpus and placement.get("gpus") != 0:
        return devices.device(machine.accelerator) if machine.accelerator else None
    cpus = placement.get("cpus") or 1
    return devices.processor(min(cpus, machine.cpus) if isinstance(cpus, int) else 1, machine.memory, machine.price)


def imitated(estimate: Estimate, machine: Machine, placement: Mapping[str, object]) -> str:
    """What a training is to be computed in that the accelerator here only imitates: there it ends before it loads anything."""
    device = here(machine, placement)
    if estimate.work is None or estimate.work.use == "generate" or device is None or not device.accelerator:
        return ""
    return "" if estimate.work.precision in device.peak else estimate.work.precision


def as_here(estimate: Estimate, machine: Machine, placement: Mapping[str, object]) -> Estimate:
    """The estimate of a node that is run on this machine."""
    if estimate.work is None:
        return estimate
    device = here(machine, placement)
    memory = estimate.memory if machine.bf16 else estimate.wide or estimate.memory
    if machine.gpus and placement.get("gpus") != 0:
        memory = estimate.work.host
    if device is None:
        return estimate._replace(memory=memory)
    if imitated(estimate, machine, placement):
        return estimate._replace(seconds=None, memory=memory)
    seconds = seconds_on(estimate.work, device)
    told = Interval(seconds, seconds, estimate.work.says or "by arithmetic") if seconds is not None else None
    return estimate._replace(seconds=told, memory=memory)


def lacks(estimate: Estimate, machine: Machine, placement: Mapping[str, object]) -> str:
    """What this machine lacks for a node; nothing when it can be run here."""
    gpus, cpus = placement.get("gpus") or 0, placement.get("cpus") or 1
    memory = placement.get("memory") or estimate.memory
    if isinstance(gpus, int) and gpus > machine.gpus:
        return "no GPU" if machine.gpus == 0 else f"needs {gpus} GPUs, has {machine.gpus}"
    if isinstance(cpus, int) and cpus > machine.cpus:
        return f"needs {cpus} cores, has {machine.cpus}"
    told = _lacks_a_device(estimate, machine, placement) if estimate.work is not None else ""
    if not told and isinstance(memory, int) and machine.memory is not None and memory > machine.memory:
        return f"needs {memory / 1e9:.3g} GB, has {machine.memory / 1e9:.3g} GB"
    return told


def _lacks_a_device(estimate: Estimate, machine: Machine, placement: Mapping[str, object]) -> str:
    """Why work that an accelerator makes quicker cannot be done here."""
    asked = placement.get("device")
    if placement.get("gpus") == 0:
        return ""
    if machine.gpus:
        device = here(machine, placement)
        needs = estimate.gpu_memory or 0
        if device is not None and device.accelerator and device.memory is not None and needs > device.memory:
            return f"needs {needs / 1e9:.3g} GB of a GPU, has {device.memory / 1e9:.3g} GB"
        return ""
    if isinstance(asked, str) and asked in devices.names() and devices.device(asked).accelerator:
        return f"no {devices.device(asked).says}"
    too_long = estimate.seconds is not None and estimate.seconds.low > PATIENCE
    too_large = machine.memory is not None and (estimate.memory or 0) > machine.memory
    return "no GPU" if too_long or too_large else ""


class Taken(NamedTuple):
    """What a node takes of a disk: its result, and what lies there while it works."""

    result: int
    scratch: int


def taken(estimate: Estimate, placement: Mapping[str, object], *, resumed: bool = False) -> Taken:
    """What a node would take, as its placement says or by arithmetic; one that goes on lacks only its next checkpoint."""
    asked = placement.get("disk")
    return Taken(asked if isinstance(asked, int) else estimate.disk or 0, estimate.scratch // 3 if resumed else estimate.scratch)


def room(nodes: Iterable[Taken]) -> Taken:
    """What nodes take together: all of their results, and the checkpoints of the one that has most: others go when it ends."""
    told = list(nodes)
    return Taken(sum(each.result for each in told), max((each.scratch for each in told), default=0))


def wanted(machine: Machine, placement: Mapping[str, object]) -> tuple[Device, ...]:
    """The devices that a node is planned for: the one that its placement names, else those that the plan shows."""
    asked = placement.get("device")
    return (devices.device(asked),) if isinstance(asked, str) and asked in devices.names() else shown(machine)


def misfit(estimate: Estimate, machine: Machine, placement: Mapping[str, object]) -> Offer | None:
    """The largest device that a node is planned for, when not even that one holds it."""
    offers = [each for each in (offer(estimate, device, machine) for device in wanted(machine, placement)) if each is not None]
    if not offers or any(each.fits for each in offers):
        return None
    return max(offers, key=lambda each: each.device.memory or 0)


def remedies(kind: Kind[Any], case: Case[Any], device: Device, machine: Machine) -> tuple[Remedy, ...]:
    """Three lighter variants of a node that a device holds; where none is, the lightest, and a device that holds the node."""
    found: list[Remedy] = []
    for says, spec in kind.lighter(case):
        told = offer(kind.estimate(replace(case, spec=spec)), device, machine)
        if told is not None:
            found.append(Remedy(says, told))
    fitting: dict[str, Remedy] = {}
    for each in found:
        if each.offer.fits:  # of the same field only the least change
            fitting.setdefault(re.sub(r": [^,{}]+", "", each.says), each)
    chosen = list(fitting.values())[:_REMEDIES]
    larger = sorted((devices.device(name) for name in devices.names()), key=lambda each: each.memory or 0)
    for other in larger if len(chosen) < _REMEDIES else ():
        told = offer(kind.estimate(case), other, machine)
        if other.accelerator and told is not None and told.fits and told.seconds is not None:
            chosen.append(Remedy(f"on {devices.article(other.says)} {other.says}", told))
            break
    lightest = sorted((each for each in found if not each.offer.fits), key=lambda each: each.offer.needs or 0)
    return tuple([*chosen, *lightest][:_REMEDIES])


# --- what runs teach ---


def classroom(machine: Machine, *, twin: bool) -> str:
    """What runs have in common that teach each other: the machine, and whether they are rehearsals."""
    return f"{machine.label}{', twin' if twin else ''}"


def lessons(traces: Iterable[Summary], device: str) -> Mapping[str, tuple[Summary, ...]]:
    """The runs on this device that were estimated before, by kind, the latest first."""
    told: dict[str, list[Summary]] = {}
    for each in traces:
        if each.predicted and each.device == device:
            told.setdefault(each.kind, []).append(each)
    return {kind: tuple(sorted(them, key=lambda each: each.started, reverse=True)) for kind, them in told.items()}


def middle(estimate: Estimate) -> float:
    """The seconds that are thought likeliest; nothing when they are not known."""
    return (estimate.seconds.low + estimate.seconds.high) / 2 if estimate.seconds is not None else 0.0


def lesson(runs: Iterable[Summary], estimate: Estimate) -> Lesson | None:
    """What the latest runs of a like size say of an estimate; None when there are none."""
    now = middle(estimate)
    if now <= 0:
        return None
    near = [each for each in runs if each.seconds > 0 and 1 / _ALIKE <= each.predicted.get("seconds", 0.0) / now <= _ALIKE]
    near = near[:_LATEST]
    if not near:
        return None
    memory = [each.peak_memory / each.predicted["memory"] for each in near if each.peak_memory and each.predicted.get("memory")]
    factor = median(each.seconds / each.predicted["seconds"] for each in near)
    return Lesson(factor, median(memory) if memory else 1.0, len(near))


def learned(estimate: Estimate, told: Lesson | None) -> Estimate:
    """The estimate as runs correct it; it says so."""
    if told is None or estimate.seconds is None:
        return estimate
    words = f"learned from {told.runs} run{'s' * (told.runs != 1)}"
    time = Interval(estimate.seconds.low * told.seconds, estimate.seconds.high * told.seconds, words)
    return estimate._replace(seconds=time, memory=round(estimate.memory * told.memory) if estimate.memory else estimate.memory)


def as_before(estimate: Estimate, last: Summary) -> Estimate:
    """What was measured comes before what was thought; of a node that asks for more or less now, as much more or less."""
    took, now, then = last.seconds, middle(estimate), last.predicted.get("seconds", 0.0)
    more = now / then if now and then else 1.0
    if not 0.99 < more < 1.01:
        return estimate._replace(seconds=Interval(took * more, took * more, "learned from its last run"))
    return estimate._replace(
        seconds=Interval(took, took, "last time"), memory=last.peak_memory or estimate.memory, disk=last.bytes
    )


def predicted(estimate: Estimate) -> Mapping[str, float]:
    """What is kept of an estimate beside what was measured; nothing when the time was not estimated."""
    now = middle(estimate)
    if now <= 0:
        return {}
    told = {"seconds": now}
    if estimate.memory:
        told["memory"] = float(estimate.memory)
    if estimate.disk:
        told["bytes"] = float(estimate.disk)
    return told
