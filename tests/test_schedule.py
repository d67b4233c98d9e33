"""Who goes first, and on what: resources are never exceeded, and nobody waits for what is free."""

import random
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper import Paper

from zyc.hosts import Phase, Report
from zyc.kind import Estimate
from zyc.runner import Build, Options
from zyc.runner.schedule import Need, Room, Ways, need_of

NEEDS = st.builds(Need, st.integers(1, 9), st.integers(0, 90), st.integers(0, 3))
MACHINES = st.tuples(st.integers(1, 6), st.one_of(st.none(), st.integers(1, 60)), st.integers(0, 2), st.integers(0, 8))


@given(MACHINES, st.one_of(st.none(), st.integers(1, 3)), st.lists(st.one_of(NEEDS, st.integers(0, 5)), max_size=30))
def test_no_more_is_given_than_there_is(machine, jobs, acts):
    """Whatever is asked for and given back, in any order; and all of it is there again in the end."""
    cpus, memory, gpus, cores = machine
    room, taken = Room(cpus=cpus, memory=memory, gpus=gpus, cores=range(10, 10 + cores), jobs=jobs), []
    for act in acts:
        if isinstance(act, Need):
            share = room.take(act)
            assert share is not None or taken  # whoever is alone always gets in
            taken += [share] if share is not None else []
        elif act < len(taken):
            room.give(taken.pop(act))
        assert sum(each.need.cpus for each in taken) <= cpus
        assert memory is None or sum(each.need.memory for each in taken) <= memory
        assert len(taken) <= (jobs or 99)
        for numbers, known in (("cores", range(10, 10 + cores)), ("gpus", range(gpus))):
            given = [number for each in taken for number in getattr(each, numbers)]
            assert len(given) == len(set(given))
            assert set(given) <= set(known)
        assert all(len(each.gpus) == each.need.gpus for each in taken)
        assert all(len(each.cores) == each.need.cpus for each in taken) or cores < cpus
        assert room.full == (sum(each.need.cpus for each in taken) == cpus or len(taken) == jobs)
    for share in taken:
        room.give(share)
    whole = room.take(Need(99, 1 << 40, 99))
    assert (whole.need.cpus, whole.need.memory, whole.need.gpus) == (cpus, 1 << 40 if memory is None else memory, gpus)
    assert room.take(Need()) is None


@given(MACHINES, st.lists(NEEDS, max_size=8), NEEDS)
def test_what_fits_is_given(machine, before, need):
    """Nobody waits for what is free."""
    cpus, memory, gpus, _ = machine
    room = Room(cpus=cpus, memory=memory, gpus=gpus)
    taken = [share.need for each in before if (share := room.take(each)) is not None]
    free = [cpus - sum(each.cpus for each in taken), gpus - sum(each.gpus for each in taken)]
    fits = need.cpus <= free[0] and need.gpus <= free[1] and need.memory <= (memory or 1 << 40) - sum(n.memory for n in taken)
    if fits:
        assert room.take(need) is not None


@pytest.mark.parametrize(("gpus", "asked"), [(None, 1), (0, 0), (3, 3)])
def test_an_accelerator_that_is_left_open_is_one(gpus, asked):
    """Two steps that may use an accelerator never get the same one; without any, they share the processor."""
    node = SimpleNamespace(shape=SimpleNamespace(placement=(("cpus", 1), ("gpus", gpus))))
    need = need_of(node, SimpleNamespace(estimate=Estimate()))
    assert need.gpus == asked
    room = Room(cpus=4, memory=None, gpus=1)
    assert [room.take(need) is not None for _ in range(2)] == [True, asked == 0]
    assert Room(cpus=1, memory=None, gpus=0).take(need).gpus == ()


def test_what_is_left_is_its_longest_way_or_all_of_it_shared_out():
    """Whichever is more, with what runs already."""
    ways = Ways({"a": 10.0, "b": 1.0, "c": 1.0, "d": 1.0}, {"a": 0.0, "b": 0.0, "c": 1.0, "d": 0.0}, frozenset())
    assert ways.left(["a", "b", "c", "d"], {}, width=2) == 10
    assert ways.left(["b", "c", "d"], {"a": 4.0}, width=1) == 7
    assert ways.left(["b"], {"c": 0.5}, width=2) == 1.5
    assert ways.left([], {}, width=2) == 0


# --- whole builds, on paper ---


def on_paper(workshop, host, **options):
    """Build it there: what happened, and the build."""
    front = workshop.front()
    build = Build(front, front.plan, lambda _: None, options=Options(**options), host=host)
    return {name: each.fate.value for name, each in build.run().items()}, build


@pytest.mark.parametrize("seed", range(4))
def test_a_build_stays_within_the_machine(workshop, seed):
    """Cores, memory and accelerators of steps beside each other; each step alone may take all there is, and no more."""
    dice = random.Random(seed)
    steps = []
    for at in range(24):
        inputs = ", ".join(f"i{each}: n{each}" for each in sorted({dice.randrange(at) for _ in range(dice.randrange(3)) if at}))
        cpus, memory, gpus = dice.choice([1, 1, 2, 3]), dice.choice([1, 2, 5]), dice.choice([0, 0, 1])
        place = f"{{cpus: {cpus}, memory: {memory} GB, gpus: {gpus}}}"
        steps.append(f"  n{at}: {{inputs: {{{inputs}}}, placement: {place}, run: ': #n{at}'}}\n")
    workshop.spec(f"steps:\n{''.join(steps)}")
    workshop.write("zyc.yml", "hosts: {local: {cpus: 4, memory: 6 GB, gpus: 2}}\n")
    host = Paper(looks=lambda name: 1 + (seed + int(name[1:])) % 7)
    fates, _ = on_paper(workshop, host)
    assert set(fates.values()) == {"ran"}
    assert len(host.started) == 24
    for jobs in host.beside:
        assert sum(each.cpus for each in jobs) <= 4
        assert sum(each.memory for each in jobs) <= 6_000_000_000
        assert sum(each.gpus for each in jobs) <= 2
        seen = [each.env["CUDA_VISIBLE_DEVICES"] for each in jobs if each.gpus]
        assert len(seen) == len(set(seen))
        assert all(each.env["OMP_NUM_THREADS"] == str(each.cpus) for each in jobs)
    assert max(len(jobs) for jobs in host.beside) > 1


CHAINS = """steps:
  short: {placement: {time: 1 s}, run: ': #short'}
  long: {placement: {time: 90 s}, run: ': #long'}
  head: {placement: {time: 1 s}, run: ': #head'}
  body: {inputs: {head: head}, placement: {time: 60 s}, run: ': #body'}
  tail: {inputs: {body: body}, placement: {time: 60 s}, run: ': #tail'}
"""


def test_the_longest_way_goes_first(workshop):
    """A short step with much behind it comes before a long one with nothing behind it."""
    workshop.spec(CHAINS)
    host = Paper(looks=lambda _: 30)
    on_paper(workshop, host, jobs=1)
    assert host.started[:3] == ["head", "long", "body"]  # while `head` is put away, `body` cannot start yet


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_no_more_steps_side_by_side_than_asked_for(workshop, jobs):
    """And as many, where there is room."""
    workshop.spec("steps:\n" + "".join(f"  s{at}: ': #s{at}'\n" for at in range(9)))
    workshop.write("zyc.yml", "hosts: {local: {cpus: 8}}\n")
    host = Paper(looks=lambda _: 20)
    on_paper(workshop, host, jobs=jobs)
    assert max(len(each) for each in host.beside) == jobs


def test_a_step_that_needs_more_than_there_is_runs_alone(workshop):
    """With all there is, as an estimate may be wrong; nothing runs beside it."""
    workshop.spec(
        "steps:\n"
        + "".join(f"  s{at}: ': #s{at}'\n" for at in range(3))
        + "  huge: {placement: {memory: 5 GB}, run: ': #huge'}\n"
    )
    workshop.write("zyc.yml", "hosts: {local: {cpus: 4, memory: 5 GB}}\n")
    host = Paper(looks=lambda _: 5)
    fates, _ = on_paper(workshop, host)
    assert set(fates.values()) == {"ran"}
    # what asks for nothing takes nothing: it may go beside
    assert [each.memory for each in host.jobs if host.called(each) == "huge"] == [5_000_000_000]


def test_equal_keys_run_once(workshop):
    """However many nodes have one; all of them have its tree, and if it fails each says so."""
    workshop.spec("steps:\n" + "".join(f"  s{at}: ': #same'\n" for at in range(5)))
    host = Paper(looks=lambda _: 5, ends=lambda _: 3)
    fates, _ = on_paper(workshop, host)
    assert (host.started, set(fates.values())) == (["same"], {"failed"})
    host = Paper(looks=lambda _: 5)
    fates, build = on_paper(workshop, host)
    assert (host.started, sorted(fates.values())) == (["same"], ["kept"] * 4 + ["ran"])
    assert len({each.tree for each in build.endings.values()}) == 1


def test_a_failure_stops_what_has_not_started(workshop):
    """What runs goes on; what was not started is told of, and `keep_going` builds all that does not stand on it."""
    workshop.spec(CHAINS)
    bad = Paper(ends=lambda job: 1 if Paper.called(job) == "head" else 0)
    fates, build = on_paper(workshop, bad, jobs=1)
    assert fates == {"head": "failed", "body": "blocked", "tail": "blocked"}
    assert build.left == ["short", "long"]
    bad.started.clear()
    fates, build = on_paper(workshop, bad, jobs=1, keep_going=True)
    assert fates == {"head": "failed", "body": "blocked", "tail": "blocked", "short": "ran", "long": "ran"}
    assert build.left == []
    assert build.endings["tail"].reason == "by `head`: it failed"


def test_a_step_that_fails_is_tried_as_often_as_asked(workshop):
    """No oftener; each attempt is a job of its own, and what stands on it is built once it works."""
    workshop.spec(CHAINS)
    heads: list[str] = []

    def ends(job):
        heads.extend([job.name] if Paper.called(job) == "head" else [])
        return 1 if Paper.called(job) == "head" and len(heads) < 3 else 0

    fates, build = on_paper(workshop, Paper(ends=ends), retries=1, keep_going=True)
    assert (fates["head"], build.endings["head"].attempts, len(heads)) == ("failed", 2, 2)
    heads.clear()
    fates, build = on_paper(workshop, Paper(ends=ends), retries=2)
    assert (set(fates.values()), build.endings["head"].attempts) == ({"ran", "kept"}, 3)
    assert len(set(heads)) == 3


def test_who_waits_for_another_zyc_is_tried_again_while_others_talk(workshop):
    """Steps that say something all the time must not keep the loop from looking."""
    workshop.spec("steps:\n  a: ': #a'\n  b: ': #b'\n")
    workshop.write("zyc.yml", "hosts: {local: {cpus: 2}}\n")
    front = workshop.front()
    key = front.plan.decisions["a"].key
    host = Paper(looks=lambda name: 1 if name == "a" else 700)
    told = []
    build = Build(front, front.plan, lambda event: (told.append(event), lock.release() if len(told) == 50 else None), host=host)
    lock = build.store.lock(key)
    build.run()
    ends = [each.node for each in told if type(each).__name__ == "Ending"]
    assert ends == ["a", "b"]


def test_a_host_that_does_not_answer_loses_no_job(workshop):
    """The step failed for us, but may live: its card stays, so that whoever comes next asks for it first."""

    class Deaf(Paper):
        def poll(self, job, *, seconds):
            raise ConnectionResetError(104, "Connection reset by peer")

    workshop.spec("steps:\n  a: ': #a'\n")
    fates, build = on_paper(workshop, Deaf())
    assert fates == {"a": "failed"}
    assert "Connection reset by peer" in build.endings["a"].reason
    assert list(workshop.root.glob("artifacts/steps/*/job.json"))
    host = Paper()
    on_paper(workshop, host)
    assert not list(workshop.root.glob("artifacts/steps/*/job.json"))


def test_a_large_machine_is_filled(workshop):
    """A hundred steps run side by side where there are a hundred cores."""

    class Patient(Paper):
        def poll(self, job, *, seconds):
            if len(self.started) < 100:
                time.sleep(0.01)
                return Report(Phase.RUNNING)
            return super().poll(job, seconds=seconds)

    workshop.spec(f"steps:\n  s:\n    matrix: {{n: {[*range(100)]}}}\n    run: ': #s $ZYC_MATRIX_N'\n")
    workshop.write("zyc.yml", "hosts: {local: {cpus: 100}}\n")
    host = Patient()
    fates, _ = on_paper(workshop, host)
    assert set(fates.values()) == {"ran"}
    assert len(host.beside[-1]) == 100
