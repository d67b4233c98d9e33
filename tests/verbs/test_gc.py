"""`zyc gc` beside builds and people: it waits for nobody, asks on a terminal, and takes nothing that is at work."""

import os
import pty
import subprocess
import sys

from zyc.keeping.store import Store
from zyc.world import World


def test_nothing_goes_while_a_build_holds_the_store(built):
    """It ends with 2 at once and says who is at work; a dry look may be had at any moment."""
    built.edit("specs/mill.yml", "who: world", "who: moon")
    built.zyc("build")
    with Store.open(World(), built.root / "artifacts/store").sharing():
        said = built.zyc("gc")
        assert (said.code, said.out) == (2, "")
        assert said.err.startswith(f"error: the store is in use (process {os.getpid()} on ")
        assert built.zyc("gc", "--dry-run").code == 0
    assert "freed" in built.zyc("gc").out


def test_what_a_cut_short_step_left_stays_for_as_long_as_its_key_is_wanted(built):
    """The state of an interrupted step, and the log of a failed one, are kept while the spec still asks for that key."""
    built.edit("specs/mill.yml", "run: cat in/flour", "run: touch state/here; false; cat in/flour")
    assert built.zyc("build").code == 1
    log = next(built.root.glob("artifacts/steps/*/state/here"))
    built.zyc("gc")
    assert log.exists()
    built.edit("specs/mill.yml", "sort in/raw", "sort -r in/raw")  # the key of the last one is not known before a build
    built.zyc("gc")
    assert log.exists()
    built.edit("specs/mill.yml", "false; cat", "cat")
    built.zyc("gc")
    assert not log.exists()


def test_on_a_terminal_it_asks_and_nothing_goes_before_yes(built):
    """Whoever says no, or presses return, has lost nothing."""
    built.edit("specs/mill.yml", "who: world", "who: moon")
    built.zyc("build")
    before = {path.name for path in built.root.glob("artifacts/store/trees/*/*")}
    for answer, goes in ((b"\n", False), (b"y\n", True)):
        mine, theirs = pty.openpty()
        call = [sys.executable, "-m", "zyc", "gc"]
        process = subprocess.Popen(call, cwd=built.root, env=built.process_environ(), stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        os.write(mine, answer)
        said = b""
        try:
            while chunk := os.read(mine, 1 << 16):
                said += chunk
        except OSError:
            pass  # how a terminal says that nobody is there any more
        os.close(mine)
        assert process.wait() == (0 if goes else 130)
        assert b"? [y/N]" in said
        assert ({path.name for path in built.root.glob("artifacts/store/trees/*/*")} < before) == goes


def test_the_twin_and_the_real_thing_are_swept_apart(built):
    """A rehearsal that nobody asks for any more goes without harm to the real results, and the other way round."""
    assert built.zyc("build", "--twin").code == 0
    assert "4 results kept" in built.zyc("gc").out
    assert set(built.states().values()) == {"keep"}
    built.edit("specs/mill.yml", "who: world", "who: moon")
    built.zyc("build", "--twin")
    assert "6 results kept" in built.zyc("gc").out
    assert {each["plan"] for each in built.zyc("plan", "--twin", "--json").data["nodes"]} == {"keep"}
    assert all((built.root / "artifacts/twin" / name).exists() for name in ("grain", "flour", "label", "sack"))


def test_a_missing_store_is_nothing_to_free(desk):
    """Before the first build there is nothing, and nothing is made."""
    assert desk.zyc("gc").out == "nothing to free: 0 results kept\n"
    assert not (desk.root / "artifacts/store").exists()
