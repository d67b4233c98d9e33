"""What a plan promises of a training besides its speed: disk and memory, as the engines take them."""

from types import SimpleNamespace

import pytest

from zyc import catalogue
from zyc.craft import arch
from zyc.craft.arch.training import Run, state_bytes
from zyc.craft.estimates import Training, estimated
from zyc.craft.training import TrainingPlacement
from zyc.kind import Estimate
from zyc.known import Machine
from zyc.plan import State
from zyc.preflight import flaws_of_place

MISTRAL = catalogue.model("mistralai/Mistral-7B-v0.3")
COUNT = arch.parameters(MISTRAL)
RANK_16 = 41_943_040


def training(method="full", *, steps=100, precision="bf16", optimizer="adamw", learned=COUNT, more=None, **place):
    """A run of a model of 7 B."""
    placed = TrainingPlacement(**place)
    return Training(
        MISTRAL, method, learned, 1024, 8, steps, 1024, optimizer, precision, placed, round(2.0 * learned), **(more or {})
    )


# --- disk ---


def test_a_checkpoint_holds_what_is_trained_and_its_optimizer_but_no_gradient():
    """All weights with AdamW are 12 bytes each, an adapter's too, and nothing of a paged optimizer is paged on a disk."""
    for method in ("full", "lora"):
        assert state_bytes(Run(MISTRAL, method, RANK_16, 1)) == 12 * RANK_16
    assert state_bytes(Run(MISTRAL, "qlora", RANK_16, 1)) == 6 * RANK_16
    assert state_bytes(Run(MISTRAL, "full", 1, 1, optimizer="paged-adamw-8bit")) == 6


@pytest.mark.parametrize(
    ("steps", "place", "count"),
    [(100, {}, 3), (None, {}, 3), (100, {"checkpoint_every": 40}, 2), (100, {"checkpoint_every": 200}, 1), (1, {}, 1)],
)
def test_a_plan_counts_the_checkpoints_that_lie_there_at_once(steps, place, count):
    """Two that are kept and the next one; fewer where the run is too short to make as many."""
    assert estimated(training(steps=steps, **place)).scratch == count * 12 * COUNT


def test_a_disk_that_holds_the_result_and_no_checkpoints_is_too_small():
    """Results of all nodes count, and the checkpoints of the largest; of a run that goes on only the next checkpoint."""
    each = Estimate(disk=14 * 10**9, scratch=250 * 10**9)

    def flaws(disk, *states):
        told = {str(at): SimpleNamespace(state=state, estimate=each) for at, state in enumerate(states)}
        known = SimpleNamespace(machine=Machine(disk=disk * 10**9))
        return flaws_of_place(
            None, SimpleNamespace(decisions=told, fetches=[], changes=0, settlement=SimpleNamespace(known=known))
        )

    assert flaws(280, State.RUN, State.RUN) == []
    (short,) = flaws(270, State.RUN, State.RUN)
    assert "checkpoints" in short.message
    assert "278 GB" in short.message
    assert flaws(100, State.RESUME) == []
