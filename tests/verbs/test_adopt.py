"""`zyc adopt`: what was made elsewhere is taken in whole or not at all, and is seen to be from there."""

import io
import itertools
import json
import tarfile
from contextlib import suppress

import pytest
from elsewhere import Elsewhere
from faulty import Crash, Crashing, Refusing, refusal

from zyc.elsewhere.adoption import Adoption, opened, read_account
from zyc.elsewhere.away import Away
from zyc.elsewhere.parcel import Parcel
from zyc.front import Call, open_front
from zyc.keeping.store import Store
from zyc.keeping.traces import Traces
from zyc.world import World

LETTERS = """\
corpuses: {words: {files: specs/data/words.txt, card: specs/data/card.json}}
counters: {pairs: {base: words, train: {epochs: 3}, gates: [loss < 9]}}
steps: {sack: {inputs: {pairs: pairs}, run: cat in/pairs/table.json > out/sack.txt}}
"""


@pytest.fixture
def made(example, bare, tmp_path):
    """A desk with a counter that was counted elsewhere; `pairs.zyc.tar` is what came home."""
    bare.write("specs/data/words.txt", "anna banana cabana\ncab scab cannas\nscans bans nab nabs\n")
    bare.write("specs/data/card.json", json.dumps({"words": 10, "alphabet": "abcns", "licence": "cc0-1.0"}))
    bare.spec(LETTERS, "letters")
    assert bare.zyc("build", "words").code == 0
    bring_home(bare, tmp_path)
    return bare


def bring_home(desk, tmp_path, node="pairs", *words):
    """Render a node, run it on another machine, and carry home what it made."""
    said = desk.zyc("render", node, "--as", "notebook", "--force", *words)
    assert said.code == 0, said.text
    there = Elsewhere(tmp_path / "elsewhere")
    there.bring(desk.root / f"{node}.ipynb", *desk.root.glob(f"{node}.inputs.tar"))
    done = there.run(f"{node}.ipynb")
    assert done.returncode == 0, done.stderr
    (desk.root / f"{node}.zyc.tar").write_bytes((there.root / f"{node}.zyc.tar").read_bytes())


def kept(desk):
    """Every file and link below artifacts, but for answers of earlier calls and locks."""
    top = desk.root / "artifacts"
    apart = ("memo", "locks", "journal.sqlite", "tick")
    paths = [path for path in sorted(top.rglob("*")) if not {*path.relative_to(top).parts} & {*apart}]
    return {
        str(path.relative_to(top)): path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        for path in paths
    }


def repacked(desk, change):
    """The same file with other members: `change` gets them by name, header and bytes, and gives them back."""
    with tarfile.open(desk.root / "pairs.zyc.tar") as tar:
        members = {each.name: [each, tar.extractfile(each).read() if each.isfile() else b""] for each in tar}
    change(members)
    with tarfile.open(desk.root / "other.zyc.tar", "w") as tar:
        for entry, data in members.values():
            entry.size = len(data) if entry.isfile() else 0
            tar.addfile(entry, io.BytesIO(data))
    return "other.zyc.tar"


def refused(desk, file, *words):
    """What is said of a file that is not taken in; nothing is changed by it."""
    before = kept(desk)
    said = desk.zyc("adopt", file, *words)
    assert said.code == 2, said.text
    assert kept(desk) == before
    return said.err


# --- what is taken in ---


def test_what_came_home_is_kept_like_anything_that_was_built(made):
    """The plan keeps it, what stands on it runs from it, its bytes are those of a build, and nothing is built again."""
    said = made.zyc("adopt", "pairs.zyc.tar", "--json").data
    assert [(each["node"], each["held"]) for each in said["adopted"]] == [("pairs", True)]
    there = made.tree("pairs")
    fates = made.fates()
    assert (fates["words"], fates["pairs"], fates["sack"]) == ("kept", "kept", "ran")
    assert made.zyc("verify").code == 0
    trace = said["adopted"][0]
    made.root.joinpath("artifacts").rename(made.root / "aside")
    made.zyc("build", "pairs")
    assert made.tree("pairs") == there
    shown = made.zyc("show", "pairs", "--json").data
    assert (shown["key"], shown["tree"], shown["measures"]) == (trace["key"], trace["tree"], trace["measures"])


def test_everybody_sees_where_it_was_made(made):
    """`why`, `show` and `plan` say of the node, and of all that stands on it, that it was adopted and from where."""
    made.zyc("adopt", "pairs.zyc.tar")
    made.zyc("build")
    plan = {each["name"]: each for each in made.zyc("plan", "--json").data["nodes"]}
    assert plan["pairs"]["adopted"] == made.zyc("why", "pairs", "--json").data["adopted"]
    assert plan["pairs"]["adopted"].endswith("+00:00")
    assert (plan["words"]["adopted"], plan["sack"]["adopted"], plan["sack"]["stands_on_adopted"]) == (None, None, ["pairs"])
    assert "made elsewhere (notebook, linux, Python 3." in " ".join(made.zyc("why", "pairs").out.split())
    assert "it stands on `pairs`, which was adopted" in made.zyc("why", "sack").out
    shown = made.zyc("show", "sack", "--json").data
    assert shown["stands_on_adopted"] == ["pairs"]
    assert shown["elsewhere"] is None
    environment = made.zyc("show", "pairs", "--json").data["elsewhere"]
    assert {*environment} >= {"adopted", "host", "machine", "platform", "python", "zyc"}


def test_a_dry_run_checks_all_and_takes_nothing(made):
    """It ends as the call would end, and the next plan is the same."""
    before = kept(made)
    said = made.zyc("adopt", "pairs.zyc.tar", "--dry-run", "--json").data
    assert (said["written"], said["adopted"][0]["measures"]["rows"]) == (False, 27)
    assert kept(made) == before
    assert made.states("pairs")["pairs"] == "run"


def test_a_renamed_node_is_named_in_the_call(made):
    """Names are in no key: what was made of `pairs` is that of the node it is called now."""
    made.edit("specs/letters.yml", "counters: {pairs:", "counters: {couples:")
    made.edit("specs/letters.yml", "pairs: pairs", "pairs: couples")
    assert "nothing is called `pairs`" in refused(made, "pairs.zyc.tar")
    assert "`sack` means 1 nodes" not in refused(made, "pairs.zyc.tar", "sack")
    assert made.zyc("adopt", "pairs.zyc.tar", "couples").code == 0
    assert made.states()["couples"] == "keep"


def test_gates_are_judged_on_what_was_measured_there(made):
    """A bound that its numbers do not keep blocks what stands on it, as after a build."""
    made.edit("specs/letters.yml", "loss < 9", "loss < 0.001")
    assert made.zyc("adopt", "pairs.zyc.tar").code == 0
    assert made.states()["sack"] == "blocked"


def test_a_sweep_never_drops_it_as_an_intermediate(made):
    """It stays, like what was accepted: this machine may not be able to make it again."""
    made.zyc("adopt", "pairs.zyc.tar")
    made.zyc("build")
    gone = {
        each["node"] for each in made.zyc("gc", "--intermediates", "--dry-run", "--json").data["items"] if each["what"] == "tree"
    }
    assert "pairs" not in gone
    assert made.zyc("build").code == 0


def test_it_is_shared_as_what_it_is(made, tmp_path):
    """Who pulls it from a remote sees that it was adopted, too."""
    made.zyc("adopt", "pairs.zyc.tar")
    assert made.zyc("push", "+pairs", "--remote", str(tmp_path / "remote")).code == 0
    made.root.joinpath("artifacts").rename(made.root / "aside")
    assert made.zyc("pull", "pairs", "--remote", str(tmp_path / "remote")).code == 0
    assert made.zyc("why", "pairs", "--json").data["adopted"]


def test_what_people_read_of_a_step_comes_along(made):
    """Its log stands where the log of a step stands."""
    made.zyc("adopt", "pairs.zyc.tar")
    assert made.zyc("logs", "pairs").out == "from epoch 0\n"


def test_a_twin_comes_home_to_the_twin(made, tmp_path):
    """What was made of the rehearsal is refused as the real thing, and the other way round."""
    made.zyc("build", "words", "--twin")
    assert "was made of the real thing, not of its twin" in refused(made, "pairs.zyc.tar", "--twin")
    bring_home(made, tmp_path, "pairs", "--twin")
    assert "was made of the twin, the rehearsal at toy size" in refused(made, "pairs.zyc.tar")
    assert made.zyc("adopt", "pairs.zyc.tar", "--twin").code == 0
    assert made.states("pairs", "--twin")["pairs"] == "keep"
    assert made.states("pairs")["pairs"] == "run"


# --- what is refused ---


def test_another_key_is_told_line_by_line(made):
    """A field, an input or a script that moved since is named, as `why` names it."""
    made.edit("specs/letters.yml", "epochs: 3", "epochs: 4")
    assert refused(made, "pairs.zyc.tar").splitlines()[-3:] == [
        "help: what it was made of, and what is there now:",
        "  `train.epochs` 3 -> 4",
        "undo that, or render the face again and run it",
    ]
    made.edit("specs/letters.yml", "epochs: 4", "epochs: 3")
    made.edit("specs/data/words.txt", "banana", "banban")
    assert "the key of `pairs` is not known before `words` is built" in refused(made, "pairs.zyc.tar")
    made.zyc("build", "words")
    assert "  `words` is another tree now" in refused(made, "pairs.zyc.tar")


def test_what_is_kept_is_not_taken_in_twice(made):
    """A second time there is nothing to adopt; what was built here is not replaced."""
    assert made.zyc("adopt", "pairs.zyc.tar").code == 0
    assert "`pairs` is up to date: there is nothing to adopt" in refused(made, "pairs.zyc.tar")


def test_who_makes_it_at_this_moment_goes_first(made):
    """While a build holds the key, nothing is taken in."""
    key = made.zyc("plan", "pairs", "--json").data["nodes"]
    key = next(each["key"] for each in key if each["name"] == "pairs")
    with Store.open(World(), made.root / "artifacts/store").lock(key):
        assert "`pairs` is being made here at this moment" in refused(made, "pairs.zyc.tar")


def add(name, *, kind=tarfile.REGTYPE, target="", data=b"x"):
    """Put one more member in."""

    def change(members):
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, target
        members[f"{name} once more"] = [entry, data]

    return change


def account(**facts):
    """Let it say something else of itself."""

    def change(members):
        told = json.loads(members["adopt.json"][1])
        members["adopt.json"][1] = json.dumps({**told, **facts}).encode()

    return change


def replaced(name, data):
    """Other bytes in one of its files."""

    def change(members):
        members[name][1] = data

    return change


def without(name):
    """One file less."""

    def change(members):
        for each in [each for each in members if each == name or each.startswith(f"{name}/")]:
            del members[each]

    return change


WRONG = {
    "a path that leads out": (add("out/../../x"), "`out/../../x` leads out of it"),
    "an absolute path": (add("/out/x"), "leads out of it"),
    "a path of nothing": (add("out//x"), "leads out of it"),
    "a name that is too long": (add(f"out/{'x' * 300}"), "is too long"),
    "a path that is too long": (add("out/" + "x/" * 3_000 + "x"), "is too long"),
    "a link that leads out": (add("out/x", kind=tarfile.SYMTYPE, target="../../x"), "leads out of the result"),
    "an absolute link": (add("out/x", kind=tarfile.SYMTYPE, target="/etc/passwd"), "leads out of the result"),
    "a link in place of the result": (add("out", kind=tarfile.SYMTYPE, target="recipe"), "leads out of the result"),
    "a link beside the result": (add("report/x", kind=tarfile.SYMTYPE, target="y"), "leads out of the result"),
    "a hard link": (add("out/x", kind=tarfile.LNKTYPE, target="out/table.json"), "neither a file, a folder nor a link"),
    "a device": (add("out/x", kind=tarfile.CHRTYPE), "neither a file, a folder nor a link"),
    "a pipe": (add("out/x", kind=tarfile.FIFOTYPE), "neither a file, a folder nor a link"),
    "what no step makes": (add("state/x"), "no step makes `state/x`"),
    "a file twice": (add("out/table.json"), "it holds `out/table.json` twice"),
    "a file below a file": (add("out/table.json/x"), "which is no folder"),
    "a result with other bytes": (replaced("out/table.json", b"{}"), "its result is not what was packed"),
    "a file more in the result": (add("out/more"), "its result is not what was packed"),
    "no result": (without("out"), "it holds no result"),
    "other measures": (replaced("measures.json", b'{"loss": 0}'), "its `measures.json` is not what was packed"),
    "no measures": (without("measures.json"), "its `measures.json` is not what was packed"),
    "another script": (replaced("recipe/count.py", b"print()\n"), "its `recipe/count.py` was changed there"),
    "a script less": (without("recipe/grams.py"), "its `recipe/grams.py` is missing"),
    "a script more": (add("recipe/more.py"), "its `recipe/more.py` is none of its key's"),
    "no account": (without("adopt.json"), "it has no `adopt.json`"),
    "an account that is no JSON": (replaced("adopt.json", b"{"), "its `adopt.json` is no JSON"),
    "an account of another zyc": (account(format="zyc-parcel 9"), "it was packed as `zyc-parcel 9`"),
    "an account with a word more": (account(more=1), "`more`"),
    "an account of the wrong types": (account(seconds="long"), "`seconds`"),
    "a key that is not its manifest's": (account(key="0" * 64), "its key is not that of its manifest"),
    "a tree that it does not hold": (account(tree="0" * 64), "its result is not what was packed"),
    "another kind": (account(kind="corpus"), "holds what a corpus gave; `pairs` is a counter"),
    "a node that nobody has": (account(node="*"), "nothing is called `*`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_is_not_what_was_packed_is_refused(made, case):
    """Whatever is wrong with it is told, nothing of it is published, and nothing is written outside the project."""
    change, wanted = WRONG[case]
    around = sorted(made.root.parent.iterdir())
    said = refused(made, repacked(made, change))
    assert wanted in " ".join(said.split())
    assert sorted(made.root.parent.iterdir()) == around
    assert made.states("pairs")["pairs"] == "run"


def bad_measures(members):
    """Measures that no step may leave, packed as they are."""
    import hashlib

    data = b'{"loss": "low"}'
    members["measures.json"][1] = data
    account(measures=hashlib.sha256(data).hexdigest())(members)


def test_measures_that_are_no_numbers_are_refused(made):
    """They are held to what a step of ours may measure."""
    assert "`measures.json` cannot be kept: `loss` is not a number" in refused(made, repacked(made, bad_measures))


@pytest.mark.parametrize("data", [b"", b"zyc", b"\0" * 10_240, b"\x1f\x8b\x08" + b"x" * 600, b"x" * 10_000])
def test_what_is_no_parcel_is_refused(made, data):
    """An empty file, text, compressed bytes: it is told in words."""
    (made.root / "other.zyc.tar").write_bytes(data)
    assert "`other.zyc.tar` cannot be adopted" in refused(made, "other.zyc.tar")


def test_a_parcel_that_was_cut_off_is_refused(made):
    """At whatever byte its way home ended."""
    whole = (made.root / "pairs.zyc.tar").read_bytes()
    end = len(whole.rstrip(b"\0"))
    for size in range(0, end, 997):
        (made.root / "other.zyc.tar").write_bytes(whole[:size])
        assert "cannot be adopted" in refused(made, "other.zyc.tar")


def test_a_header_that_asks_for_all_memory_is_refused(made):
    """A name is short: a header that says otherwise is not read."""
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    (made.root / "other.zyc.tar").write_bytes(entry.tobuf(tarfile.GNU_FORMAT) + b"x" * 1024)
    assert "cannot be adopted" in refused(made, "other.zyc.tar")


def test_a_file_that_is_not_there_is_told(made):
    """And so is a folder in its place."""
    assert "there is no file `none.zyc.tar`" in refused(made, "none.zyc.tar")
    assert "there is no file `specs`" in refused(made, "specs")


def test_a_secret_of_this_machine_is_not_taken_in(bare, tmp_path):
    """A result in which the value of a secret stands is refused, as it would be after a build."""
    bare.spec("steps: {post: {run: 'echo $KEY > out/x', secrets: [KEY]}}")
    assert bare.zyc("render", "post", "--as", "notebook", KEY="sesame-0815").code == 0
    there = Elsewhere(tmp_path / "elsewhere")
    there.bring(bare.root / "post.ipynb")
    assert there.run("post.ipynb", KEY="sesame-0815").returncode == 0
    (bare.root / "post.zyc.tar").write_bytes((there.root / "post.zyc.tar").read_bytes())
    said = bare.zyc("adopt", "post.zyc.tar", KEY="sesame-0815")
    assert (said.code, "`out/x` holds a secret of this machine's" in said.err) == (2, True)


# --- durable like a build ---


def adopted(desk, world):
    """Adopt in this process, on a world of its own."""
    front = open_front(World(), desk.root, Call(("pairs",)))
    parcel = opened(World(), desk.root / "pairs.zyc.tar", shown="pairs.zyc.tar")
    adoption = Adoption(front, Parcel(world, parcel.path, parcel.shown, parcel.members), read_account(parcel))
    found = adoption.find()
    front.world = world
    return adoption.take_in(found)


def forget(desk):
    """As if it had never been adopted."""
    parcel = opened(World(), desk.root / "pairs.zyc.tar", shown="pairs.zyc.tar")
    Traces(Store.open(World(), desk.root / "artifacts/store")).path(read_account(parcel).key).unlink(missing_ok=True)


@pytest.mark.slow
def test_a_crash_at_any_effect_leaves_it_taken_in_or_not(made):
    """After each effect the store is whole, the node is kept or would run, and adopting again ends it."""
    for at in itertools.count():
        forget(made)
        world = Crashing(at)
        with suppress(Crash):
            adopted(made, world)
        assert made.zyc("verify").code == 0
        if made.states("pairs")["pairs"] != "keep":
            assert made.zyc("adopt", "pairs.zyc.tar").code == 0
        assert made.states("pairs")["pairs"] == "keep"
        if not world.dead:
            break
    assert at > 20


@pytest.mark.slow
def test_a_full_disk_at_any_effect_is_told(made):
    """Nothing half-written is ever taken for a result."""
    for at in itertools.count():
        forget(made)
        world = Refusing(at)
        told = refusal(lambda world=world: adopted(made, world))
        assert told is None or [each.code for each in told.problems] == ["disk-full"]
        assert made.zyc("verify").code == 0
        if not world.refused:
            break
    assert at > 10


# --- what only a hub has ---

HUB = """\
steps:
  grain: cat /proc/sys/kernel/random/uuid > out/grain.txt
  flour: {inputs: {grain: grain}, run: tr a-f A-F < in/grain/grain.txt > out/flour.txt}
  bran: {inputs: {grain: grain}, run: cut -c 1 in/grain/grain.txt > out/bran.txt}
"""


@pytest.fixture
def hub(bare, monkeypatch):
    """A desk with a node that is fetched wherever it is needed, as a model of a hub is."""
    monkeypatch.setattr(Away, "_is_fetched", lambda _, source: source.name == "grain")
    bare.spec(HUB)
    return bare


def test_what_was_fetched_there_is_known_from_then_on(hub, tmp_path):
    """Its key gave that tree: what was made of it is kept, though its bytes are not here; nothing needs them yet."""
    told = hub.zyc("render", "flour", "--as", "notebook", "--json").data
    assert (told["key"], told["inputs"][0]["how"], told["parcel"]) == (None, "made here", None)
    bring_home(hub, tmp_path, "flour")
    said = hub.zyc("adopt", "flour.zyc.tar", "--json").data
    assert [(each["node"], each["held"]) for each in said["adopted"]] == [("grain", False), ("flour", True)]
    assert hub.states("flour") == {"grain": "keep", "flour": "keep"}
    assert hub.zyc("build", "flour").code == 0
    assert "it stands on `grain`, which was adopted" in hub.zyc("why", "flour").out
    assert hub.zyc("verify").code == 0
    assert hub.states()["grain"] == "run", "bran needs its bytes"


def test_what_comes_out_otherwise_there_is_told(hub, tmp_path):
    """A node that was built here must be fetched to the same tree there; it is not run with something else."""
    hub.zyc("build", "grain")
    hub.zyc("render", "flour", "--as", "notebook")
    there = Elsewhere(tmp_path / "elsewhere")
    there.bring(hub.root / "flour.ipynb")
    done = there.run("flour.ipynb")
    assert "in/grain came out as" in done.stderr
    assert not list(there.root.glob("flour-*/out"))


def test_what_was_fetched_here_meanwhile_must_be_the_same(hub, tmp_path):
    """What was made of another tree than the one that is here is refused, and the input is named."""
    bring_home(hub, tmp_path, "flour")
    hub.zyc("build", "grain")
    assert "  `grain` is another tree now" in refused(hub, "flour.zyc.tar")


def test_what_cannot_be_fetched_there_is_told(hub, tmp_path):
    """The cell ends with the words of whoever fetches."""
    hub.edit("specs/mill.yml", "grain: cat", "grain: echo no hub here; exit 3; cat")
    hub.zyc("render", "flour", "--as", "notebook")
    there = Elsewhere(tmp_path / "elsewhere")
    there.bring(hub.root / "flour.ipynb")
    done = there.run("flour.ipynb")
    assert ("no hub here" in done.stdout, "in/grain could not be fetched" in done.stderr) == (True, True)
