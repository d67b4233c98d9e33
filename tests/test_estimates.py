"""What a plan promises of a training besides its speed: disk and memory, as the engines take them."""

from types import SimpleNamespace

import pytest

from zyc import catalogue, kinds
from zyc.craft import arch
from zyc.craft.arch.training import SLACK, Run, held, state_bytes
from zyc.craft.estimates import Training, estimated
from zyc.craft.training import TrainingPlacement
from zyc.elsewhere import away
from zyc.errors import Span
from zyc.graph import Node, Shape
from zyc.kind import Case, Estimate, Spec, Work
from zyc.planning import offers
from zyc.planning.known import Machine
from zyc.planning.plan import State
from zyc.preflight import flaws_of_place
from zyc.types import Dataset
from zyc.world import World

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

    def flaws(disk, *states, asks=None):
        told = {str(at): SimpleNamespace(name=str(at), state=state, estimate=each) for at, state in enumerate(states)}
        shape = Shape((), (), "Model", placement=(("disk", asks),))
        graph = SimpleNamespace(vertices={name: Node(name, "finetune", shape, (), Span("s.yml", 1), Spec) for name in told})
        known = SimpleNamespace(machine=Machine(disk=disk * 10**9))
        plan = {"decisions": told, "graph": graph, "fetches": [], "changes": 0, "settlement": SimpleNamespace(known=known)}
        return flaws_of_place(None, SimpleNamespace(**plan))

    assert flaws(280, State.RUN, State.RUN) == []
    (short,) = flaws(270, State.RUN, State.RUN)
    assert "checkpoints" in short.message
    assert "278 GB" in short.message
    assert flaws(100, State.RESUME) == []
    assert flaws(300, State.RUN, asks=40 * 10**9) == []  # whoever writes a placement knows better
    assert "310 GB" in flaws(300, State.RUN, asks=60 * 10**9)[0].message


# --- memory ---


def alignment(method, adapter="none", **told):
    """What is thought of an alignment on preferences, four rows of 1,024 tokens at once."""
    train = {"batch": 8, "precision": "bf16"}
    fields = {"base": "b", "data": "d", "method": method, "adapter": adapter, "engine": {}, "train": train, **told}
    kind = kinds.load("alignment")
    spec = kind.Spec.model_validate({**fields, "placement": {"micro_batch": told.pop("micro_batch", 4)}})
    return kind.estimate(Case(spec, {"base": MISTRAL, "data": Dataset(rows=800, tokens=800_000, format="preference")}))


def test_both_answers_of_a_preference_go_through_at_once():
    """DPO, ORPO and a reward model hold twice the activations of a finetune on as many rows, KTO as many."""
    activations = SLACK * held(Run(MISTRAL, "full", COUNT, 4096, checkpointing=True), accelerator=True).activations
    one = alignment("kto", adapter="lora", group=4).gpu_memory
    both = alignment("dpo", adapter="lora").gpu_memory
    assert both - one == pytest.approx(activations, rel=0.01)


def test_a_model_that_is_all_trained_is_held_against_another_one():
    """DPO without an adapter loads its base again in fp32; ORPO compares with nothing, and GRPO only where it is held back."""
    assert alignment("dpo").gpu_memory - alignment("reward").gpu_memory == pytest.approx(SLACK * 4 * COUNT, rel=0.01)
    free, held_back = (alignment("grpo", beta=beta).gpu_memory for beta in (0, 0.04))
    assert held_back - free == pytest.approx(SLACK * 4 * COUNT, rel=0.01)


def test_logits_that_an_engine_builds_whole_are_counted_whole():
    """ORPO builds those of both answers; learning from a teacher's, those of student and teacher."""
    rows = 2 * 4 * 1024 * MISTRAL.vocabulary
    assert alignment("orpo").gpu_memory - alignment("reward").gpu_memory == pytest.approx(SLACK * 14 * rows, rel=0.03)
    kind = kinds.load("distillation")
    fields = {"student": "s", "teachers": [{"node": "t"}], "prompts": "d", "engine": {}, "placement": {"micro_batch": 4}}
    inputs = {"student": MISTRAL, "teachers.0.node": MISTRAL, "prompts": Dataset(rows=800, tokens=800_000, format="messages")}
    specs = [kind.Spec.model_validate({**fields, "mode": each}) for each in ("responses", "logits")]
    said, sure = (kind.estimate(Case(each, inputs)) for each in specs)
    assert sure.gpu_memory - said.gpu_memory > SLACK * 49 * 4 * 1024 * MISTRAL.vocabulary + 2 * COUNT


def test_a_machine_beside_accelerators_holds_what_each_process_widens():
    """Weights that all learn are read as fp32 by every process of a node; an adapter's base is mapped from its file."""
    told = {gpus: estimated(training(gpus=gpus, sharding="fsdp2")).work.host for gpus in (1, 4)}
    assert told == {gpus: 3 * 10**9 + 4 * COUNT * gpus for gpus in (1, 4)}
    assert estimated(training("lora", learned=RANK_16)).work.host == round(3e9 + COUNT / 2)


def test_a_processor_that_only_imitates_bf16_holds_a_base_in_32_bits():
    """An adapter's base takes 4 bytes a parameter there; where the processor has bf16, or an accelerator is asked, it takes 2."""
    told = estimated(training("lora", learned=RANK_16))
    there, plain = (offers.as_here(told, Machine(bf16=each), {}).memory for each in (True, False))
    assert plain - there == pytest.approx(SLACK * 2 * COUNT, rel=0.001)
    same = estimated(training("lora", learned=RANK_16, precision="fp32"))
    assert same.wide == same.memory
    assert estimated(training()).memory - estimated(training()).wide == pytest.approx(SLACK * 2 * COUNT, rel=0.001)  # no copy
    four_bits = estimated(training("qlora", learned=RANK_16))
    rest = 2 * (COUNT - arch.linear_values(MISTRAL)) + 8 * RANK_16
    assert four_bits.wide - four_bits.memory == pytest.approx(SLACK * rest, rel=0.001)


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 amx_tile\n", True),
        ("Features\t: fp asimd bf16 i8mm\n", True),
        ("flags\t\t: fpu avx2\nbugs\t\t: bf16\n", False),
        ("", False),
    ],
)
def test_a_processor_says_whether_it_has_bf16(text, has):
    """The kernel lists what a processor can do; what it lists elsewhere is no feature."""

    class Told(World):
        def exists(self, path):
            return True

        def read_text(self, path):
            return text

    assert Told().has_bf16() is has


# --- precision ---


def test_time_on_an_accelerator_that_imitates_bf16_is_not_told():
    """A T4 at hand runs a bf16 recipe far slower than fp16, and nobody measured how much; fp16 has its time."""
    machine = Machine(gpus=1, accelerator="t4")
    for precision, says in (("bf16", "bf16"), ("fp16", "")):
        told = estimated(training("lora", learned=RANK_16, precision=precision))
        assert offers.imitated(told, machine, {}) == says
        assert (offers.as_here(told, machine, {}).seconds is None) == bool(says)
    assert offers.imitated(told, Machine(gpus=1, accelerator="a100-40"), {}) == ""


@pytest.mark.parametrize(
    ("method", "precision", "wanted"), [("qlora", "fp16", "T4"), ("qlora", "bf16", "L4"), ("full", "bf16", "A100")]
)
def test_a_notebook_asks_for_an_accelerator_that_computes_its_recipe(method, precision, wanted):
    """A T4 for what it has the precision and memory for; what only answers runs there, too."""
    learned = COUNT if method == "full" else RANK_16
    assert away._accelerator(estimated(training(method, precision=precision, learned=learned))) == wanted
    assert away._accelerator(Estimate(work=Work(1.0, "generate"))) == "T4"
