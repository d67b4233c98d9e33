"""Hubs: what is pinned, what is asked and when, and what is said when there is no answer."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import hubs
import pytest

from zyc.front import Call
from zyc.kind import Hub, HubNeed
from zyc.place.hub import by_hand, cache_of, folder_of, is_offline, look
from zyc.world import World

MODEL = "models: {my-model: {hub: me/model%s}}\n"
MAIN, V1 = hubs.COMMITS["main"], hubs.COMMITS["v1"]


@pytest.fixture
def place(workshop, monkeypatch):
    """A project, and a hub cache of its own."""
    for name in ("HF_HUB_OFFLINE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(workshop.root / "hub"))
    hubs.folder(workshop.root / "theirs")
    return workshop


@pytest.mark.parametrize(
    ("environ", "where"),
    [
        ({"HOME": "/h"}, "/h/.cache/huggingface/hub"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x", "HF_HOME": "/f"}, "/f/hub"),
        ({"HOME": "/h", "HF_HOME": "/f", "HF_HUB_CACHE": "/c"}, "/c"),
    ],
)
def test_the_cache_is_where_every_tool_has_it(environ, where):
    """The same variables lead to the same folder as in the hub's own client."""
    assert str(cache_of(environ)) == where


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("true", True), ("ON", True), ("0", False), ("", False)])
def test_offline_is_what_the_user_says(value, offline):
    """One variable keeps zyc from asking."""
    assert is_offline({"HF_HUB_OFFLINE": value}) == offline
    assert not is_offline({})


def test_a_cache_tells_commit_texts_and_sizes(place):
    """What was fetched is known without asking: the commit of a revision, the text of small files, the size of all."""
    cache = place.root / "hub"
    hubs.hub(cache, "me/model", place.root / "theirs")
    need = HubNeed("me/model", "hub", texts=("config.json", "none.json"))
    told = look(World(), cache, need, "")
    assert (told.commit, sorted(told.texts)) == (MAIN, ["config.json"])
    assert told.files["model.safetensors"] == len(b"weights")
    assert look(World(), cache, HubNeed("me/model", "hub", "v1"), "").commit == V1
    assert look(World(), cache, need, V1).commit == V1  # a pin comes before what a branch is
    assert look(World(), cache, HubNeed("me/model", "hub", V1), "").commit == V1  # a commit is its own pin
    assert look(World(), cache, HubNeed("me/other", "hub"), "") == Hub()
    assert look(World(), cache, HubNeed("me/model", "hub", type="dataset"), "") == Hub()
    assert folder_of(cache, HubNeed("me/rows", "hub", type="dataset")).name == "datasets--me--rows"


def test_the_commit_is_the_key(place):
    """A revision under another name that is the same commit moves nothing; another commit moves the key."""
    keys = []
    for more, commits in (
        ("", {"main": MAIN}),
        (", revision: v1", {"v1": MAIN}),
        (", revision: v1", {"v1": V1}),
    ):
        hubs.hub(place.root / "hub", "me/model", place.root / "theirs", commits=commits)
        place.spec(MODEL % more)
        keys.append(place.front().settlement.nodes["my-model"].own_digest)
    assert keys[0] == keys[1] != keys[2]


def test_a_pin_stays_where_it_is(place):
    """The lock says the commit, whatever the cache's branch has become."""
    hubs.hub(place.root / "hub", "me/model", place.root / "theirs")
    place.write("zyc.lock", f'zyc-lock: 1\npins:\n  "hub:me/model@main": "{V1}"\n')
    place.spec(MODEL % "")
    known = place.front().settlement.known
    assert known.hubs["hub:me/model@main"].commit == V1
    assert "hub:me/model@main" not in known.unpinned


def test_frozen_adds_no_pin(place):
    """A build in CI ends where a pin is missing."""
    from zyc.preflight import hindrances

    hubs.hub(place.root / "hub", "me/model", place.root / "theirs")
    place.spec(MODEL % "")
    front = place.front(frozen=True)
    assert "unpinned" in {each.code for each in hindrances(front, front.plan)}
    assert Call(frozen=True).frozen


# --- with a hub on loopback, asked by its own client ---


def zyc(place, *words, hub=None, **environ):
    """A call in a process of its own; what it answered."""
    env = {**os.environ, "HF_HUB_CACHE": str(place.root / "hub"), "HF_ENDPOINT": hub or "http://127.0.0.1:9", **environ}
    env["PYTHONPATH"] = str(Path(__file__).parents[1])
    ran = subprocess.run(
        [sys.executable, "-m", "zyc", *words], cwd=place.root, env=env, capture_output=True, text=True, check=False
    )
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.slow
def test_a_commit_is_asked_for_once(place):
    """`zyc lock` asks the hub and writes the commit down; from then on nobody asks, and the texts are here for plans."""
    place.spec(MODEL % "")
    with hubs.Hub({"me/model": place.root / "theirs"}) as hub:
        code, told = zyc(place, "lock", hub=hub.url)
        assert code == 0, told
        asked = len(hub.asked)
        assert zyc(place, "lock", hub=hub.url)[0] == 0
        assert len(hub.asked) == asked
        assert zyc(place, "lock", "--upgrade", "hub:me/model@main", hub=hub.url)[0] == 0
        assert len(hub.asked) > asked
    assert f'"hub:me/model@main": "{MAIN}"' in (place.root / "zyc.lock").read_text()
    facts = place.front().settlement.nodes["my-model"].facts
    assert (facts.family, facts.layers) == ("llama", 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "gated", "environ", "says"),
    [
        (", revision: v9", (), {}, "`me/model` has no revision `v9`"),
        ("", ("me/model",), {}, "`me/model` is gated"),
        (", token: $(env.LETTER_TOKEN)", ("me/model",), {"LETTER_TOKEN": "bad"}, "set `LETTER_TOKEN` to a token of yours"),
        ("", (), {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set, so no hub is asked"),
    ],
)
def test_what_a_hub_refuses_is_told(place, more, gated, environ, says):
    """A revision that is not there, terms that were not accepted, a token that is none: each with the next step."""
    place.spec(MODEL % more)
    with hubs.Hub({"me/model": place.root / "theirs"}, gated=gated) as hub:
        code, told = zyc(place, "lock", hub=hub.url, **environ)
    assert code == 2, told
    assert says in told
    assert "Traceback" not in told


@pytest.mark.slow
def test_one_hub_that_says_no_keeps_nothing_from_its_pin(place):
    """What can be pinned is, and the others are told; a check asks nobody."""
    place.spec("models: {mine: me/model, theirs: me/gone}\n")
    with hubs.Hub({"me/model": place.root / "theirs"}) as hub:
        code, told = zyc(place, "lock", "--check", hub=hub.url)
        assert (code, hub.asked) == (1, [])
        assert re.search(r"hub:me/gone@main +- +-> +no pin yet", told)
        assert not (place.root / "zyc.lock").exists()
        code, told = zyc(place, "lock", hub=hub.url)
        assert code == 2
        assert "the hub has no model `me/gone`" in told
        assert f'"hub:me/model@main": "{MAIN}"' in (place.root / "zyc.lock").read_text()
        code, told = zyc(place, "lock", "--json", hub=hub.url)
        data = json.loads(told)
        assert (code, data["pins"]["hub:me/model@main"], data["changes"]) == (2, MAIN, [])
        assert [each["code"] for each in data["errors"]] == ["hub-unreached"]
        assert zyc(place, "lock", "--check", hub=hub.url)[0] == 1
    before = (place.root / "zyc.lock").read_text()
    code, told = zyc(place, "lock", "--upgrade", "all", HF_HUB_OFFLINE="1")
    assert (code, "HF_HUB_OFFLINE is set" in told) == (2, True)
    assert (place.root / "zyc.lock").read_text() == before, "a pin that could not be moved stays"


@pytest.mark.slow
def test_a_token_opens_what_is_gated(place):
    """The variable that a spec names is handed to the hub, and its value is written nowhere."""
    place.spec(MODEL % ", token: $(env.LETTER_TOKEN)")
    with hubs.Hub({"me/model": place.root / "theirs"}, gated=("me/model",)) as hub:
        code, told = zyc(place, "lock", hub=hub.url, LETTER_TOKEN="good")
    assert code == 0, told
    assert "good" not in (place.root / "zyc.lock").read_text()


@pytest.mark.slow
def test_a_name_that_no_hub_knows(place):
    """A repository that is not there is told with its name, before anything is started."""
    place.spec(MODEL % "")
    with hubs.Hub({}) as hub:
        code, told = zyc(place, "build", hub=hub.url)
    assert code == 2, told
    assert "the hub has no model `me/model`" in told


@pytest.mark.slow
def test_a_hub_that_cannot_be_reached(place):
    """Nothing is started: what was needed, and how it gets here by hand."""
    place.spec(MODEL % "")
    code, told = zyc(place, "build")
    assert code == 2, told
    assert "`me/model`: the hub cannot be reached" in told
    assert "hf download me/model" in " ".join(told.split())
    assert not (place.root / "artifacts/steps").exists()
    code, told = zyc(place, "plan")  # and a plan asks nobody
    assert code == 0, told
    assert "unpinned: hub:me/model@main" in told


@pytest.mark.slow
def test_a_repository_is_fetched_and_built(place):
    """Only what is needed is fetched, into the user's own cache; pickles that lie beside the weights are left where they are."""
    import numpy as np
    from safetensors.numpy import save_file

    theirs = place.root / "theirs"
    (theirs / "model.safetensors").unlink()
    (theirs / "pytorch_model.bin").write_bytes(b"a pickle")
    save_file({"model.embed_tokens.weight": np.zeros((512, 64), "float32")}, theirs / "model.safetensors")
    place.spec(MODEL % "")
    with hubs.Hub({"me/model": theirs}) as hub:
        code, told = zyc(place, "build", "my-model", hub=hub.url)
        asked = " ".join(hub.asked)
    # its tokenizer is no tokenizer: the weights were taken, the rest is told
    assert "model.safetensors" in asked
    assert "pytorch_model.bin" not in asked
    assert (place.root / "hub/models--me--model/snapshots" / MAIN / "model.safetensors").exists()
    assert code == 1, told


@pytest.mark.parametrize(("kind", "field"), [("model", "`path:`"), ("dataset", "`from:`")])
def test_what_is_fetched_by_hand_is_named_by_a_field_that_is_there(kind, field):
    """A model of a folder is `path`, rows of a file are `from`."""
    need = HubNeed("me/it", "hub", "main", (), ("*",), "", kind)
    assert field in by_hand(need)
