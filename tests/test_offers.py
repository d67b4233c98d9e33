"""What work takes on devices, what would make it fit, and what runs teach: arithmetic over plain values."""

import pytest
from desk import Desk

from zyc import kinds
from zyc.catalogue import devices
from zyc.gates import Interval
from zyc.keeping.journal import Summary
from zyc.keeping.traces import Trace, decode, encode
from zyc.kind import Case, Estimate, Kind, Spec, Work
from zyc.planning import offers
from zyc.planning.known import Machine

LAPTOP = Machine(cpus=8, memory=16 * 10**9, devices=("t4", "a100-40"), label="here")
WORK = Work(flops=4e16, use="qlora", besides=20.0, host=3 * 10**9, says="101 steps")
ESTIMATE = Estimate(memory=30 * 10**9, gpu_memory=9 * 10**9, work=WORK)


def run(predicted, seconds, *, started, kind="finetune", device="here", memory=0):
    """A run that was estimated before."""
    return Summary(
        "", 0, seconds, memory, {}, "", {}, "", kind, started, device, {"seconds": predicted, "memory": 1e9} if predicted else {}
    )


def test_time_is_arithmetic_by_the_share_of_the_peak():
    """Seconds are what no device shortens, and operations by the share of its peak that is reached."""
    a100 = offers.offer(ESTIMATE, devices.device("a100-40"), LAPTOP)
    assert a100.seconds == pytest.approx(20 + 4e16 / (312e12 * 0.5))
    assert a100.cost == pytest.approx(1.1 * a100.seconds / 3600)
    assert a100.precision == "bf16"
    t4 = offers.offer(ESTIMATE, devices.device("t4"), LAPTOP)
    assert (t4.precision, t4.fits) == ("fp16", True)
    assert t4.seconds == pytest.approx(20 + 4e16 / (65e12 * 0.25))
    assert offers.offer(Estimate(seconds=Interval(1, 2)), devices.device("t4"), LAPTOP) is None


def test_bytes_decide_where_they_are_slower():
    """Work that moves more than it computes takes as long as its bytes."""
    work = Work(flops=1e9, use="generate", moved=3.2e12)
    assert offers.seconds_on(work, devices.device("t4")) == pytest.approx(10.0)


def test_several_accelerators_share_the_time_and_add_up_in_money():
    """Two take half the time of the arithmetic, and cost as much together."""
    two = ESTIMATE._replace(work=WORK._replace(processes=2, besides=0.0))
    one = ESTIMATE._replace(work=WORK._replace(besides=0.0))
    both = [offers.offer(each, devices.device("a100-40"), LAPTOP) for each in (one, two)]
    assert both[1].seconds == pytest.approx(both[0].seconds / 2)
    assert both[1].cost == pytest.approx(both[0].cost)


def test_the_site_says_what_an_hour_costs():
    """A price of the site stands before the one of the catalogue."""
    dear = Machine(devices=("a100-40",), prices=(("a100-40", 11.0),))
    told = [offers.offer(ESTIMATE, devices.device("a100-40"), machine).cost for machine in (LAPTOP, dear)]
    assert told[1] == pytest.approx(10 * told[0])


@pytest.mark.parametrize(
    ("machine", "placement", "says"),
    [
        (LAPTOP, {}, "no GPU"),  # more memory than there is
        (Machine(cpus=8, memory=64 * 10**9), {"cpus": 8}, ""),
        (Machine(cpus=1, memory=64 * 10**9), {"cpus": 2}, "needs 2 cores, has 1"),
        (Machine(cpus=8, memory=64 * 10**9), {"device": "a100-40"}, "no A100 40"),
        (LAPTOP, {"gpus": 0}, "needs 30 GB, has 16 GB"),  # the processor was asked for
        (Machine(gpus=1, accelerator="a100-40"), {}, ""),
        (Machine(gpus=1, accelerator=""), {}, ""),
    ],
)
def test_what_a_machine_lacks_is_said(machine, placement, says):
    """A processor may do what it has memory and patience for; an accelerator what its memory holds."""
    thought = offers.as_here(ESTIMATE, machine, placement)
    assert offers.lacks(thought, machine, placement) == says


def test_a_gpu_that_is_here_may_be_too_small():
    """What an accelerator of this machine cannot hold is said with both numbers."""
    large = ESTIMATE._replace(gpu_memory=20 * 10**9)
    assert offers.lacks(large, Machine(gpus=1, accelerator="t4"), {}) == "needs 20 GB of a GPU, has 15 GB"


def test_what_would_take_a_processor_days_is_for_an_accelerator():
    """Nobody waits two days for a processor."""
    machine = Machine(cpus=2, memory=64 * 10**9)
    slow = ESTIMATE._replace(work=WORK._replace(flops=1e18))
    assert offers.lacks(offers.as_here(slow, machine, {}), machine, {}) == "no GPU"


class Weighty(Kind[Spec]):
    """A kind whose nodes need as many gigabytes as their words say."""

    Spec = Spec

    def estimate(self, case):
        """By the number in `about`."""
        return Estimate(gpu_memory=int(float(case.spec.about) * 1e9), work=WORK)

    def lighter(self, case):
        """Two of one field, two of others."""
        sizes = {"micro_batch: 4": "20", "micro_batch: 2": "14", "micro_batch: 1": "12", "method: qlora": "9", "context: 8": "16"}
        return [(words, Spec(about=size)) for words, size in sizes.items()]


def test_three_remedies_are_the_least_changes_that_fit():
    """Of each field only the first that fits is told; a larger device comes last."""
    told = offers.remedies(Weighty(), Case(Spec(about="30")), devices.device("t4"), LAPTOP)
    assert [each.says for each in told] == ["micro_batch: 2", "method: qlora", "on an A100 40"]
    assert all(each.offer.fits for each in told)


def test_what_nothing_makes_fit_is_told_with_what_helps_most():
    """Where no variant fits, a device that does is named, and the lightest variants with what they need."""
    tight = Machine(devices=("t4",))

    class Heavy(Weighty):
        def lighter(self, case):
            return [("context: 8", Spec(about="90")), ("rank: 8", Spec(about="50"))]

    told = offers.remedies(Heavy(), Case(Spec(about="100")), devices.device("t4"), tight)
    assert [each.says for each in told] == ["on a DGX Spark", "rank: 8", "context: 8"]
    assert [each.offer.fits for each in told] == [True, False, False]


def test_a_node_that_one_of_its_devices_holds_is_no_misfit():
    """Only what no device holds that it is planned for is told apart; a placement narrows them to one."""
    large = ESTIMATE._replace(gpu_memory=20 * 10**9)
    assert offers.misfit(large, LAPTOP, {}) is None
    assert offers.misfit(large, LAPTOP, {"device": "t4"}).device.name == "t4"
    assert offers.misfit(large._replace(gpu_memory=10**12), LAPTOP, {}).device.name == "a100-40"


def test_runs_of_a_kind_correct_what_is_thought():
    """The median of the latest runs of a like size on this machine, whatever one odd run says."""
    runs = [run(100, 200, started="1"), run(100, 200, started="2"), run(100, 5000, started="3"), run(0, 9, started="4")]
    thought = Estimate(seconds=Interval(60, 60, "by arithmetic"))
    told = offers.lessons([*runs, run(100, 1, started="9", device="there"), run(100, 1, started="9", kind="pretrain")], "here")
    assert set(told) == {"finetune", "pretrain"}
    learned = offers.learned(thought, offers.lesson(told["finetune"], thought))
    assert learned.seconds == Interval(120, 120, "learned from 3 runs")


def test_runs_of_another_size_teach_nothing():
    """A run of a second says nothing about one of a day."""
    runs = offers.lessons([run(1, 9, started="1")], "here")
    assert offers.lesson(runs["finetune"], Estimate(seconds=Interval(86400, 86400))) is None
    assert offers.lesson((), Estimate(seconds=Interval(1, 1))) is None
    assert offers.lesson(runs["finetune"], Estimate()) is None


def test_memory_is_learned_beside_time():
    """What runs held corrects what they are thought to hold."""
    runs = offers.lessons([run(100, 100, started="1", memory=2 * 10**9)], "here")
    thought = Estimate(seconds=Interval(50, 50), memory=10**9)
    assert offers.learned(thought, offers.lesson(runs["finetune"], thought)).memory == 2 * 10**9


def test_a_trace_keeps_what_was_thought_and_old_ones_are_read():
    """An estimate is kept with the run; a trace without one has the bytes that it had before there were any."""
    key = "a" * 64
    plain = Trace(key=key, kind="step", tree=key, bytes=1)
    told = Trace(key=key, kind="step", tree=key, bytes=1, predicted=offers.predicted(Estimate(Interval(1, 3), memory=5, disk=7)))
    assert told.predicted == {"seconds": 2.0, "memory": 5.0, "bytes": 7.0}
    assert decode(encode(told), key=key) == told
    assert b"predicted" not in encode(plain)
    assert offers.predicted(Estimate(memory=5)) == {}


@pytest.mark.parametrize(("word", "article"), [("A100 40", "an"), ("H200", "an"), ("T4", "a"), ("V100", "a"), ("DGX Spark", "a")])
def test_articles_are_those_of_speech(word, article):
    """A device in a sentence."""
    assert devices.article(word) == article


COUNTERS = """
corpuses: {words: {files: data/words.txt, card: data/card.json}}
counters:
  first: {base: words, order: 2}
  second: {base: words, order: 3}
"""


def test_a_build_teaches_the_next_plan(workshop):
    """What a run took corrects what is thought of another node of its kind, and the plan says from how many runs."""
    workshop.spec(COUNTERS)
    before = workshop.plan().decisions["second"]
    assert before.estimate.seconds.because == ""
    took = workshop.build("first")["first"].seconds
    after = workshop.plan().decisions["second"]
    assert after.estimate.seconds.because == "learned from 1 run"
    assert offers.middle(after.estimate) == pytest.approx(took)
    assert after.thought == before.thought  # what arithmetic says stays beside it
    assert workshop.plan(twin=True).decisions["second"].estimate.seconds.because == ""  # a rehearsal is another thing


def test_a_run_is_shown_beside_what_was_thought_of_it(workshop):
    """The trace of a run keeps both, for `zyc show` and for the next plan."""
    workshop.spec(COUNTERS)
    workshop.build("first")
    desk = Desk(workshop.root)
    told = desk.zyc("show", "first", "--json").data
    assert told["predicted"]["seconds"] == pytest.approx(0.055)
    assert told["took"]["seconds"] > 0
    said = desk.zyc("show", "first")
    assert "expected 55 ms" in said.out


def test_more_of_the_same_is_thought_to_take_as_much_more(workshop, monkeypatch):
    """A node that ran and changed is judged by its own last run, scaled by what arithmetic says of the change."""
    workshop.spec(COUNTERS)
    took = workshop.build("first")["first"].seconds
    counter = kinds.load("counter")
    thought = counter.estimate
    monkeypatch.setattr(
        type(counter), "estimate", lambda _, case: thought(case)._replace(seconds=Interval(0.02, 0.2)), raising=True
    )
    workshop.spec(COUNTERS.replace("order: 2", "order: 4"))
    after = workshop.front().plan.decisions["first"]
    assert after.estimate.seconds.because == "learned from its last run"
    assert offers.middle(after.estimate) == pytest.approx(2 * took)
