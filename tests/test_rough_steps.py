"""Steps that are rough with their own folders and inputs: the rest of the build goes on."""

import inspect
import shutil
import sys

import pytest

from zyc.planning.plan import Why
from zyc.runner import Build, Options

CALM = "  calm: {run: 'until [ -e ../../../rough ]; do sleep 0.02; done; sleep 0.3; echo calm > out/it'}\n"
BIG = "9" * 400


def made(shop, *select, **options):
    """Build it, and what happened."""
    front = shop.front(*select)
    return Build(front, front.plan, lambda _: None, options=Options(**options)).run()


def fates(endings):
    """In words."""
    return {name: each.fate.value for name, each in endings.items()}


@pytest.mark.parametrize(
    "line",
    ["import sys; print('[' * 60_000)", f"""print('{{"step": {BIG}}}')""", "print('{' * 60_000)", "print('[1]'); print('null')"],
)
def test_no_line_that_a_step_says_of_itself_ends_the_build(workshop, line):
    """Nested without end, or a number that is none: it is passed over, and the step beside it is not killed."""
    workshop.write("say.py", f"{line}\n")
    workshop.spec(
        f"steps:\n{CALM}  rough: python ../../../say.py > events.jsonl; touch ../../../rough; sleep 0.5; echo 1 > out/it\n"
    )
    workshop.write("zyc.yml", "hosts: {local: {cpus: 2}}\n")
    assert fates(made(workshop)) == {"calm": "ran", "rough": "ran"}


@pytest.mark.parametrize(
    "made_of", ["mkfifo state/progress.json", "mkdir state/progress.json", "cp ../../../deep state/progress.json"]
)
def test_a_plan_is_told_whatever_a_step_made_of_its_notes(workshop, made_of):
    """A pipe would be read for ever, and what is nested without end is a bug of the reader: it is no note."""
    workshop.write("deep", "[" * 100_000)
    workshop.spec(f"steps:\n  rough: {{placement: {{resume: true}}, run: '{made_of}; touch state/it; exit 1'}}\n")
    assert fates(made(workshop)) == {"rough": "failed"}
    assert workshop.plan().decisions["rough"].cause.why is Why.FAILED


def test_a_long_chain_that_is_gone_is_made_again(workshop):
    """However long it is: a plan cannot know that it is needed before the build knows what changed."""
    length = 300
    chain = "".join(f"  k{at}: {{inputs: {{p: k{at - 1}}}, run: echo {at} > out/it}}\n" for at in range(1, length))
    text = (
        f"steps:\n  y: echo 1 > out/it\n  k0: echo 0 > out/it\n{chain}"
        f"  z: {{inputs: {{p: k{length - 1}, y: y}}, run: cat in/p/it in/y/it > out/it}}\n"
    )
    workshop.spec(text)
    made(workshop)
    ends = {workshop.tree(name).resolve() for name in ("y", "z")}
    for tree in {*workshop.root.glob("artifacts/store/trees/*/*")} - ends:
        tree.chmod(0o755)
        shutil.rmtree(tree)
    workshop.spec(text.replace("echo 1 > out/it\n  k0", "echo 2 > out/it\n  k0"))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 200)
    try:
        endings = made(workshop)
    finally:
        sys.setrecursionlimit(limit)
    assert set(fates(endings).values()) <= {"ran", "kept"}
    assert (workshop.tree("z") / "it").read_text() == f"{length - 1}\n2\n"


EVIL = "chmod -R u+w in/a/; echo evil > in/a/it; echo 1 > out/it; touch ../../../spoiled"
WAIT = "until [ -e ../../../spoiled ]; do sleep 0.02; done; sleep 0.3"
TWICE = f"""steps:
  a: echo 1 > out/it
  evil: {{inputs: {{a: a}}, run: '{EVIL}'}}
  late: {{inputs: {{a: a}}, run: '{WAIT}; cat in/a/it > out/it || true; echo 1 >> out/it'}}
  later: {{inputs: {{a: a}}, placement: {{cpus: 2}}, run: 'cat in/a/it > out/it || true; echo 2 >> out/it'}}
"""


def test_an_input_that_was_spoiled_beside_a_step_is_in_no_result(workshop):
    """A step that starts, or ends, when its input was put aside has read nothing that its key names."""
    workshop.spec(TWICE)
    workshop.write("zyc.yml", "hosts: {local: {cpus: 2}}\n")
    assert fates(made(workshop, keep_going=True)) == {"a": "ran", "evil": "failed", "late": "failed", "later": "failed"}
    workshop.spec(TWICE.replace(EVIL, "echo 1 > out/it"))
    assert fates(made(workshop, keep_going=True))["later"] == "ran"
    assert (workshop.tree("later") / "it").read_text() == "1\n2\n"


def test_measures_beyond_measure_are_refused(workshop):
    """Every plan reads the numbers of all nodes: a log belongs into `out/`."""
    write = "import json; print(json.dumps({str(at): at for at in range(400_000)}))"
    workshop.write("say.py", f"{write}\n")
    workshop.spec("steps:\n  rough: python ../../../say.py > measures.json; echo 1 > out/it\n")
    ending = made(workshop)["rough"]
    assert (ending.fate.value, "4 MB are the most" in ending.reason) == ("failed", True)
