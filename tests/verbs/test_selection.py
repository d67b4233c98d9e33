"""Every verb that takes nodes understands the same words for them."""

import json

import pytest

SHOP = """\
steps:
  till: {run: echo 0 > out/till.txt, tags: [white]}
  bread: {matrix: {size: [1, 2]}, inputs: {flour: flour}, run: echo $ZYC_MATRIX_SIZE > out/bread.txt}
  sale: {inputs: {till: till, breads: [bread]}, run: cat in/till/till.txt > out/sale.txt}
"""
BREAD = {"bread@size=1", "bread@size=2"}
WORDS = [  # what is typed, and the nodes that it is
    (["flour"], {"flour"}),
    (["flour", "till"], {"flour", "till"}),
    (["fl*"], {"flour"}),
    (["specs/shop/till.yml"], {"till", "sale"} | BREAD),
    (["specs/shop"], {"till", "sale"} | BREAD),
    (["+flour"], {"grain", "flour"}),
    (["flour+"], {"flour", "sack", "sale"} | BREAD),
    (["+sack+"], {"grain", "flour", "label", "sack"}),
    (["bread"], BREAD),
    (["bread@size=2"], {"bread@size=2"}),
    (["kind:step,label"], {"label"}),
    (["tag:white"], {"till"}),
    (["tag:nightly", "tag:white"], {"flour", "till"}),
    (["+sale,specs/mill.yml"], {"grain", "flour"}),
    (["specs/shop", "--exclude", "bread"], {"till", "sale"}),
    (["specs/shop", "--exclude", "bread@size=1", "--exclude", "t*"], {"sale", "bread@size=2"}),
    (["state:new,tag:white"], {"till"}),
]


@pytest.fixture
def shop(desk):
    """The mill and a shop, not built."""
    desk.spec(SHOP, "shop/till")
    return desk


def closed(desk, names):
    """The nodes and all that they need."""
    told = json.loads(desk.zyc("graph", "--json").out)
    sources = {}
    for edge in told["edges"]:
        sources.setdefault(edge["to"], []).append(edge["from"])
    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += sources.get(name, [])
    kinds = {each["name"]: each["kind"] for each in told["nodes"]}
    return {name for name in found if kinds[name] == "step"}


@pytest.mark.parametrize(("words", "nodes"), WORDS, ids=lambda each: " ".join(each) if isinstance(each, list) else "")
def test_a_list_names_what_is_meant(shop, words, nodes):
    """`zyc ls` lists exactly the nodes that its words mean."""
    assert {*shop.zyc("ls", *words).lines} == nodes


@pytest.mark.parametrize(("words", "nodes"), WORDS, ids=lambda each: " ".join(each) if isinstance(each, list) else "")
def test_every_verb_understands_the_same_words(shop, words, nodes, tmp_path):
    """What is planned, drawn, checked and rendered are the nodes that are meant, and all that they need."""
    wanted = closed(shop, nodes)
    assert {each["name"] for each in shop.zyc("plan", *words, "--json").data["nodes"]} == wanted
    drawn = {each["name"] for each in shop.zyc("graph", *words, "--json").data["nodes"] if each["kind"] == "step"}
    assert drawn == wanted
    assert shop.zyc("check", *words, "--json").data["nodes"] == len(wanted)
    rendered = shop.zyc("render", *words, "--json", "-o", str(tmp_path / "rendered")).data["steps"]
    assert rendered == [name.replace("@", "--").replace("=", "-") for name in shop.states(*words)]


def test_a_build_is_of_what_is_meant(shop):
    """A build runs the nodes of its words and all that they need, and nothing else."""
    assert shop.fates("bread@size=1").keys() == {"grain", "flour", "bread@size=1"}
    assert shop.fates("tag:white") == {"till": "ran"}
    assert shop.fates("specs/shop", "--exclude", "sale") == {
        "grain": "kept", "flour": "kept", "till": "kept", "bread@size=1": "kept", "bread@size=2": "ran",
    }  # fmt: skip


@pytest.mark.parametrize("verb", ["why", "show"])
def test_a_family_is_told_member_by_member(shop, verb):
    """Where one node is asked for, a family or a part of one stands for its members."""
    told = shop.zyc(verb, "bread", "--json").data
    assert {each.get("node") or each["name"] for each in told} == BREAD
    told = shop.zyc(verb, "bread@size=1", "--json").data
    assert (told.get("node") or told["name"]) == "bread@size=1"


def test_states_are_those_of_the_plan(shop):
    """`state:` means what the plan says now: new, changed, missing, and each of its words."""
    assert {*shop.zyc("ls", "state:new").lines} == {*shop.states()}
    shop.zyc("build", "sack", "till")
    assert {*shop.zyc("ls", "state:new").lines} == {"sale"} | BREAD
    shop.edit("specs/mill.yml", "world", "moon")
    assert shop.zyc("ls", "state:changed").lines == ["label", "sack"]
    assert shop.zyc("ls", "state:run,specs/mill.yml").lines == ["label"]
    assert shop.zyc("ls", "state:maybe").lines == ["sack"]
    assert shop.fates("state:changed") == {"grain": "kept", "flour": "kept", "label": "ran", "sack": "ran"}
    assert shop.zyc("ls", "state:changed").lines == []


def test_what_is_excluded_may_still_be_needed(shop):
    """`--exclude` takes nodes away from what is asked for, never from what that needs."""
    assert shop.fates("sack", "grain", "--exclude", "grain").keys() == {"grain", "flour", "label", "sack"}


def test_trouble_elsewhere_is_a_warning(shop):
    """A file that is broken and not asked for is told on standard error, and the rest goes on."""
    shop.write("specs/other.yml", "zyc: 1\nsteps: {page: {rum: 1}}\n")
    said = shop.zyc("plan", "flour")
    assert said.code == 0
    assert said.err.startswith("warning: no field `rum` in step `page`\n")
    assert shop.zyc("plan").code == 2
    assert shop.zyc("plan", "page").code == 2
    assert shop.zyc("plan", "specs/other.yml").code == 2
