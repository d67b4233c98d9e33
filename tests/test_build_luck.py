"""What goes wrong while steps run: inputs that move, results that are gone, odd things left behind."""

import json
import shutil

import pytest

CHAIN = """steps:
  a: {files: {seed: data/seed}, run: cp in/seed out/a}
  b: {inputs: {a: a}, run: cat in/a/a > out/b}
  c: {inputs: {a: a, b: b}, run: cat in/a/a in/b/b > out/c}
"""


@pytest.fixture
def chain(workshop):
    """Three steps, one behind the other, built."""
    workshop.write("data/seed", "1\n")
    workshop.spec(CHAIN)
    workshop.build()
    return workshop


def _drop(workshop, node):
    tree = (workshop.root / "artifacts/nodes" / node).resolve()
    tree.chmod(0o755)
    shutil.rmtree(tree)


def _fates(endings):
    return {name: each.fate.value for name, each in endings.items()}


def test_a_tree_that_is_gone_and_cannot_be_made_again_blocks_what_reads_it(chain):
    """No traceback: the step that failed is named, and everything behind it waits."""
    _drop(chain, "a")
    chain.spec(
        CHAIN.replace("cp in/seed out/a", "cp in/seed out/a && test ! -e ../../../stop").replace("> out/b", "> out/b; true")
    )
    (chain.root / "stop").write_text("")
    assert _fates(chain.build()) == {"a": "failed", "b": "blocked", "c": "blocked"}


def test_a_tree_that_is_made_again_as_another_one_is_built_on(workshop):
    """A step that gives other bytes each time: its readers take the new tree in the same build."""
    workshop.spec("steps:\n  a: date +%s%N > out/a\n  b: {inputs: {a: a}, run: cat in/a/a > out/b}\n")
    workshop.build()
    _drop(workshop, "a")
    workshop.spec("steps:\n  a: date +%s%N > out/a\n  b: {inputs: {a: a}, run: cp in/a/a out/b}\n")
    assert _fates(workshop.build()) == {"a": "ran", "b": "ran"}
    assert (workshop.root / "artifacts/nodes/b/b").read_text() == (workshop.root / "artifacts/nodes/a/a").read_text()
    assert _fates(workshop.build()) == {"a": "kept", "b": "kept"}


def test_a_step_that_changes_its_input_fails_and_the_input_is_put_aside(chain):
    """What it wrote into the tree of another is in no result, now or later."""
    chain.spec(CHAIN.replace("cat in/a/a > out/b", "chmod u+w in/a in/a/a; echo evil >> in/a/a; cp in/a/a out/b"))
    assert _fates(chain.build())["b"] == "failed"
    chain.spec(CHAIN.replace("cat in/a/a in/b/b", "cat in/b/b in/a/a"))
    assert set(_fates(chain.build()).values()) <= {"ran", "kept"}
    assert "evil" not in (chain.root / "artifacts/nodes/c/c").read_text()


def test_a_file_that_appears_in_a_folder_while_a_step_runs_is_noticed(workshop):
    """The key says what the folder held: a result of more than that is not kept."""
    workshop.write("data/d/one", "1\n")
    workshop.spec("steps:\n  a: {files: {d: data/d}, run: echo 2 > in/d/two; cat in/d/* > out/a}\n")
    ending = workshop.build()["a"]
    assert (ending.fate.value, "data/d/two" in ending.reason) == ("failed", True)


def test_a_program_is_not_the_same_as_a_file(workshop):
    """Whether an input may be run is part of the key."""
    workshop.write("data/tool", "#!/bin/sh\necho hi\n")
    (workshop.root / "data/tool").chmod(0o755)
    workshop.spec("steps:\n  a: {files: {tool: data/tool}, run: in/tool > out/a}\n")
    before = workshop.build()["a"].key
    (workshop.root / "data/tool").chmod(0o644)
    assert workshop.plan().decisions["a"].key != before


def test_how_a_project_launches_its_steps_is_part_of_their_keys(workshop):
    """A launch script of the project's own may change what comes out."""
    workshop.spec("steps:\n  a: echo $WHO > out/a\n")
    before = workshop.plan().decisions["a"].key
    workshop.write("templates/step/placement/launch.sh", "export WHO=me\nexec bash recipe/command.sh\n")
    first = workshop.plan().decisions["a"].key
    workshop.write("templates/step/placement/launch.sh", "export WHO=you\nexec bash recipe/command.sh\n")
    assert len({before, first, workshop.plan().decisions["a"].key}) == 3


@pytest.mark.parametrize(
    "left",
    [
        "mkdir measures.json; echo 1 > out/x",
        "mkfifo measures.json; echo 1 > out/x",
        "rmdir out; echo 1 > out",
        "rmdir out; ln -s /etc out",
        'echo \'{"a": {"b": 1}, "a.b": 2}\' > measures.json; echo 1 > out/x',
        "mkfifo out/pipe",
    ],
)
def test_odd_things_that_a_step_leaves_fail_that_step_alone(workshop, left):
    """The others are built, and the build says which one left what."""
    command = json.dumps(left)
    workshop.spec(f"steps:\n  odd: {{run: {command}}}\n  fine: echo 1 > out/x\n")
    endings = workshop.build()
    assert _fates(endings) == {"odd": "failed", "fine": "ran"}
    assert endings["odd"].reason


def test_a_number_that_is_too_large_for_one_fails_every_gate(workshop):
    """It is kept as no number, not as a traceback."""
    workshop.spec(f"steps:\n  a: {{run: 'echo {{\\\"n\\\": 1{'0' * 400}}} > measures.json; echo 1 > out/x', gates: [n > 0]}}\n")
    ending = workshop.build()["a"]
    assert ending.measures["n"] != ending.measures["n"]
    assert [each.verdict.value for each in ending.gates] == ["fails"]
