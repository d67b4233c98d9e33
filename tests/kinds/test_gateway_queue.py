"""The queue of the gateway: who leaves it at any moment is sent away in words, and takes no slot along."""

import asyncio
import sys
import time

import gateways
import pytest

sys.path.insert(0, str(gateways.TEMPLATES / "deployment/parts"))
from gateway import faults, limits

sys.path.pop(0)


async def _lined_up(slots, answered):
    """One with the patience of the slots, and another with more, who wait in line for the only slot."""

    async def asks(name):
        async with slots.taken():
            answered.append(name)

    await slots._take()
    tasks = []
    for name in ("one", "other"):
        tasks.append(asyncio.create_task(asks(name)))
        await asyncio.sleep(0)
        slots.patience = 60
    return tasks


@pytest.mark.parametrize("first", ["leaves", "is given"])
def test_who_leaves_as_a_slot_is_given_on_takes_none(first):
    """Both in one tick, in either order: the leaving is what comes of it, and the next in line is answered."""

    async def story():
        slots, answered = limits.Slots(1, 5, 60), []
        one, other = await _lined_up(slots, answered)
        for step in (one.cancel, slots._give) if first == "leaves" else (slots._give, one.cancel):
            step()
        found, _ = await asyncio.gather(one, other, return_exceptions=True)
        return type(found), answered, slots.busy, slots.waiting

    assert asyncio.run(story()) == (asyncio.CancelledError, ["other"], 0, 0)


def test_whose_patience_ends_as_a_slot_is_given_on_is_told_when_to_come_back():
    """A 429, not an error of ours: a turn that was over is passed over, and stands in no line any more."""

    async def story():
        slots, answered = limits.Slots(1, 5, 0.02), []
        one, other = await _lined_up(slots, answered)
        asyncio.get_running_loop().call_later(0.03, slots._give)
        time.sleep(0.05)  # noqa: ASYNC251  # both are due in the next tick, the patience first
        found, _ = await asyncio.gather(one, other, return_exceptions=True)
        return found, answered, slots.busy, slots.waiting

    found, *rest = asyncio.run(story())
    assert isinstance(found, faults.Fault)
    assert (found.status, rest) == (429, [["other"], 0, 0])
