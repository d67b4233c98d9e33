"""Reasons: read off the same manifest as the key, field by field, with their places."""

import shutil

import pytest
from desk import Desk
from hypothesis import given
from hypothesis import strategies as st

from zyc.kinds.step import Step
from zyc.planning.digest import changes, key_of
from zyc.planning.why import apart

SPEC = """\
vars: {who: world, size: 3}
steps:
  grain:
    files: {raw: data/grain.txt}
    run: cat in/raw > out/x
  flour:
    inputs: {grain: grain}
    scripts: {grind.sh: scripts/grind.sh}
    env: [CITY]
    secrets: [KEY]
    run: |
      bash recipe/grind.sh in/grain/x > out/x
      echo $ZYC_VARS_WHO >> out/x
  bread: {matrix: {form: {long: 1, round: 2}}, inputs: {flour: flour}, run: echo $ZYC_MATRIX_FORM > out/x}
"""


@pytest.fixture
def desk(tmp_path):
    """A built project with something of everything."""
    desk = Desk(tmp_path / "mill", environ={"CITY": "Ulm", "KEY": "sesame-0815"})
    desk.write("data/grain.txt", "rye\n")
    desk.write("scripts/grind.sh", 'tr a-z A-Z < "$1"\n')
    desk.spec(SPEC.replace(", size: 3", ""))
    assert desk.zyc("build").code == 0
    return desk


def why(desk, node, *words, **environ):
    """What is told of a node, and where: `(what, before, after, place)`."""
    told = desk.zyc("why", node, "--json", *words, **environ)
    assert told.code == 0, told.text
    return [(each["what"], each["before"], each["after"], each["place"]) for each in told.data["reasons"] if each["node"] == node]


@pytest.mark.parametrize("node", ["grain", "flour", "bread@form=long"])
def test_the_key_is_the_digest_of_what_is_shown(desk, node):
    """The manifest of a kept node is the whole of its key: nothing else is in it."""
    told = desk.zyc("why", node, "--json").data
    assert told["why"] == "kept"
    assert key_of([(each["label"], each["digest"]) for each in told["manifest"]]) == told["key"]


CHANGES = [  # what is done, the node that is asked for, and what is told
    (
        lambda desk: desk.edit("specs/mill.yml", "world", "moon"),
        "flour",
        [("ZYC_VARS_WHO", "world", "moon", "specs/mill.yml:2:8")],
    ),
    (
        lambda desk: desk.edit("specs/mill.yml", "cat in/raw", "cat -n in/raw"),
        "grain",
        [("run", "cat in/raw > out/x", "cat -n in/raw > out/x", "specs/mill.yml:6:10")],
    ),
    (
        lambda desk: desk.edit("specs/mill.yml", "long: 1", "long: 7"),
        "bread@form=long",
        [("ZYC_MATRIX_FORM", "1", "7", "specs/mill.yml:15:10")],
    ),
    (lambda desk: desk.write("data/grain.txt", "oats\n"), "grain", [("the file data/grain.txt changed", "...", "...", "")]),
    (lambda desk: desk.write("scripts/grind.sh", "cat $1\n"), "flour", [("the script scripts/grind.sh changed", "", "", "")]),
    (lambda desk: desk.environ.update(CITY="Bern"), "flour", [("the variable CITY has another value", "", "", "")]),
    (
        lambda desk: desk.edit("specs/mill.yml", "env: [CITY]", "env: [CITY, HOME]"),
        "flour",
        [("the variable HOME is new", "", "", "")],
    ),
    (
        lambda desk: desk.edit("specs/mill.yml", "    env: [CITY]\n", ""),
        "flour",
        [("the variable CITY is no longer passed", "", "", "")],
    ),
    (
        lambda desk: desk.edit("specs/mill.yml", "    secrets: [KEY]\n", ""),
        "flour",
        [("the secret KEY is no longer passed", "", "", "")],
    ),
    (
        lambda desk: desk.edit("specs/mill.yml", "inputs: {grain: grain}", "inputs: {corn: grain}"),
        "flour",
        [("grain is a new input", "", "", ""), ("the input in/grain is gone", "", "", "")],
    ),
    (
        lambda desk: desk.edit(
            "specs/mill.yml", "inputs: {grain: grain}", "inputs: {grain: grain}\n    files: {more: data/grain.txt}"
        ),
        "flour",
        [("files.more", "", "data/grain.txt", "specs/mill.yml:9:19")],
    ),
]


@pytest.mark.parametrize(("change", "node", "told"), CHANGES, ids=range(len(CHANGES)))
def test_a_change_is_told_in_the_words_of_the_spec(desk, change, node, told):
    """Each thing that moves a key is told by its field or file, with what it was and is, and where it stands."""
    change(desk)

    def digests(text):
        return "..." if len(text) == 12 and all(each in "0123456789abcdef" for each in text) else text

    assert [(what, digests(old), digests(new), place) for what, old, new, place in why(desk, node)] == told


def test_only_what_moved_is_told(desk):
    """A var that a node does not name, a gate, a note and a placement are no reasons, for they move no key."""
    desk.edit("specs/mill.yml", "vars: {who: world", "vars: {size: 3, who: world")
    desk.edit(
        "specs/mill.yml",
        "  grain:\n",
        "  grain:\n    about: Rye at $(vars.size)\n    gates: [x > 1]\n    placement: {memory: 1 GB}\n",
    )
    assert why(desk, "grain") == []
    assert desk.states() == {"grain": "keep", "flour": "blocked", "bread@form=long": "blocked", "bread@form=round": "blocked"}


def test_a_secret_is_no_reason_and_is_not_shown(desk):
    """Another value of a secret moves nothing, and no reason, field or file shows it."""
    assert why(desk, "flour", KEY="mellon-4711") == []
    for words in (("why", "flour"), ("show", "flour"), ("why", "flour", "--json"), ("show", "flour", "--json")):
        assert "mellon" not in desk.zyc(*words, KEY="mellon-4711").text


def test_another_zyc_is_a_reason(desk, monkeypatch):
    """A kind whose revision was raised says so."""
    monkeypatch.setattr(Step, "revision", 2)
    shutil.rmtree(desk.root / "artifacts/memo")  # another zyc has other memos
    assert ("this version of zyc builds its kind differently", "step 1", "step 2", "") in why(desk, "grain")


def test_a_change_for_one_call_is_a_reason(desk):
    """What `--set` and a profile change is told as if it stood in the spec."""
    desk.write("specs/profiles/moon.yml", "zyc: 1\nsteps: {grain: {run: echo moon > out/x}}\n")
    assert why(desk, "grain", "--set", "grain.run=echo sun > out/x")[0][:3] == ("run", "cat in/raw > out/x", "echo sun > out/x")
    assert why(desk, "grain", "--profile", "moon")[0][:3] == ("run", "cat in/raw > out/x", "echo moon > out/x")


def test_the_chain_leads_to_the_root(desk):
    """Of a node that may run, the reasons go on to the node where it began."""
    desk.write("data/grain.txt", "oats\n")
    told = desk.zyc("why", "bread@form=long", "--json").data
    assert (told["plan"], told["chain"]) == ("maybe", ["bread@form=long", "grain"])
    assert [each["node"] for each in told["reasons"]] == ["bread@form=long", "grain"]
    assert told["unknown"] == ["in/flour"]


def test_a_lost_trace_is_told(desk):
    """When the trace of the last build is gone there is nothing to compare with, and that is what is said."""
    desk.edit("specs/mill.yml", "cat in/raw", "cat -n in/raw")
    traces = {path.stem: path for path in (desk.root / "artifacts/store/traces").glob("*/*.json")}
    desk.zyc("plan", "grain")
    for path in traces.values():
        path.unlink()
    assert why(desk, "grain") == [("it was never built here", "", "", "")]


lines = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("0123"), max_size=6)


@given(lines, lines)
def test_changes_are_told_exactly_when_keys_differ(before, after):
    """Two manifests have one key exactly when there is nothing to tell between them, and what is told is what moved."""
    old, new = sorted(before.items()), sorted(after.items())
    found = changes(old, new)
    assert (key_of(old) == key_of(new)) == (not found)
    moved = {label for label in before.keys() | after.keys() if before.get(label) != after.get(label)}
    assert {each.label for each in found} == moved
    assert all((each.before, each.after) == (before.get(each.label, ""), after.get(each.label, "")) for each in found)


@given(st.text(max_size=200), st.text(max_size=200), st.integers(8, 60))
def test_two_texts_are_shown_where_they_differ(before, after, limit):
    """Both are short enough for a line, in one line, and short ones are shown whole."""
    old, new = apart(before, after, limit)
    assert max(len(old), len(new)) <= limit
    assert "\n" not in old + new
    if max(len(before), len(after)) <= limit and "\n" not in before + after:
        assert (old, new) == (before.strip(), after.strip())


@given(
    st.text("ab ", max_size=120),
    st.text("cd", min_size=1, max_size=4),
    st.text("ef", min_size=1, max_size=4),
    st.text("ab ", max_size=120),
)
def test_what_differs_is_in_sight(start, old, new, end):
    """However long what is alike, the letters that differ are among those that are shown."""
    before, after = apart(start + old + end, start + new + end, 30)
    assert old in before
    assert new in after
