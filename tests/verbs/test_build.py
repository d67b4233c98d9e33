"""What a build leaves behind: whole results or none, links to them, pins, and nothing of a secret."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from desk import Desk

from zyc.world import World

SLOW = """\
steps:
  first: echo one > out/first.txt
  second: {inputs: {first: first}, run: 'echo begun; echo half > out/half.txt; sleep 30; echo two > out/second.txt'}
  third: {inputs: {second: second}, run: cat in/second/second.txt > out/third.txt}
"""


def started(desk, line="zyc build --json", *, until="begun", **environ):
    """A build in a process of its own, once a step says that it has begun."""
    process = subprocess.Popen(
        line.split(),
        cwd=desk.root,
        env=desk.process_environ(**environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not any(until in path.read_text() for path in (desk.root / "artifacts/steps").glob("*/log.txt")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def fates(out):
    """What happened to each node, from the events of a build."""
    return {each["node"]: each["fate"] for line in out.splitlines() if (each := json.loads(line))["event"] == "end"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_ends_with_130(bare, number):
    """Ctrl-C while a step runs: what is done is kept, nothing half-done is published, and the next build goes on."""
    bare.spec(SLOW)
    process = started(bare)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert fates(out) == {"first": "ran", "second": "interrupted", "third": "interrupted"}
    assert json.loads(out.splitlines()[-1])["counts"]["interrupted"] == 2
    assert sorted(path.name for path in (bare.root / "artifacts/nodes").iterdir()) == ["first"]
    assert len(list((bare.root / "artifacts/store/traces").glob("*/*.json"))) == 1
    bare.edit("specs/mill.yml", "sleep 30", "sleep 0")
    assert bare.fates() == {"first": "kept", "second": "ran", "third": "ran"}
    assert bare.tree("third") == {"third.txt": b"two\n"}


def test_an_interrupted_step_leaves_nobody_behind(bare):
    """The step that runs ends with the build: no process of its goes on."""
    bare.spec(SLOW.replace("sleep 30", "echo $$ > state/pid; sleep 30"))
    process = started(bare)
    (pid,) = [int(path.read_text()) for path in (bare.root / "artifacts/steps").glob("*/state/pid")]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    deadline = time.monotonic() + 30
    while alive(pid):
        assert time.monotonic() < deadline, "the step outlived the build"
        time.sleep(0.02)


def test_a_step_ends_when_asked_although_its_command_ends_well(bare):
    """A command that takes the signal in its own way is the last one of its step: the rest waits for the next build."""
    bare.spec(SLOW.replace("sleep 30", """bash -c "trap ''exit 0'' INT; while :; do sleep 0.1; done\""""))
    process = started(bare)
    time.sleep(0.3)  # for its trap
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert fates(out) == {"first": "ran", "second": "interrupted", "third": "interrupted"}


def alive(pid):
    """Whether a process is there and is more than a remnant."""
    try:
        return "Z" not in subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout
    except subprocess.CalledProcessError:
        return False


@pytest.mark.slow
def test_a_killed_build_is_gone_on_with(bare):
    """Kill -9 of the driver leaves a store that the next build goes on with, once the orphaned step is over."""
    bare.spec(SLOW.replace("sleep 30", "sleep 1"))
    process = started(bare)
    process.kill()
    process.communicate(timeout=30)
    assert bare.fates() == {"first": "kept", "second": "ran", "third": "ran"}
    assert bare.tree("second") == {"half.txt": b"half\n", "second.txt": b"two\n"}


@pytest.mark.slow
def test_two_builds_at_once_run_each_step_once(bare):
    """The second of two builds waits for a step that the first one runs, says for whom, and takes its result."""
    bare.spec(SLOW.replace("sleep 30", "sleep 6"))
    bare.edit("specs/mill.yml", "echo begun", "echo begun; echo x >> $HOME/begun")
    first = started(bare)
    second = subprocess.run(
        ["zyc", "build", "--json"], cwd=bare.root, env=bare.process_environ(), capture_output=True, text=True, check=True
    )
    out, _ = first.communicate(timeout=30)
    assert fates(out) == {"first": "ran", "second": "ran", "third": "ran"}
    assert fates(second.stdout)["second"] == "kept"
    waits = [each["text"] for line in second.stdout.splitlines() if (each := json.loads(line))["event"] == "wait"]
    assert waits[0].startswith(f"process {first.pid} on ")
    assert bare.read("begun") == "x\n"


def test_a_second_build_does_nothing(built):
    """Nothing runs twice: no step, and no trace, tree or link is written again."""

    def state():
        kept = [built.root / "artifacts" / name for name in ("nodes", "steps", "store/trees", "store/traces", "store/roots")]
        paths = [path for folder in kept for path in (folder, *folder.rglob("*"))]
        return {path: (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in paths}

    before = state()
    assert set(built.fates().values()) == {"kept"}
    assert state() == before


def test_files_are_linked_and_never_moved(built):
    """A file of the user's is where it was, as it was; the step has read it through one link, and a script is a copy."""
    assert built.read("specs/data/grain.txt") == "rye\noats\nbarley\n"
    assert not (built.root / "specs/data/grain.txt").is_symlink()
    assert (built.root / "specs/data/grain.txt").stat().st_nlink == 1
    assert os.access(built.root / "specs/data/grain.txt", os.W_OK)
    store = built.root / "artifacts/store"
    assert not [path for path in store.rglob("*") if path.is_file() and path.read_bytes() == b"rye\noats\nbarley\n"]


def test_a_kept_result_is_one_link(built):
    """`artifacts/nodes/NAME` is one relative link to a read-only tree: the whole of artifacts/ may be moved."""
    link = built.root / "artifacts/nodes/flour"
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert not [path for path in link.rglob("*") if path.stat().st_mode & 0o222]
    built.root.rename(built.root.parent / "moved")
    moved = Desk(built.root.parent / "moved")
    assert moved.tree("sack") == {"sack.txt": b"BARLEY\nOATS\nRYE\nfor world\n"}
    assert set(moved.fates().values()) == {"kept"}


def test_links_follow_names(built):
    """After a rename the new name leads to the same tree, and after an edit each name leads to its latest one."""
    before = (built.root / "artifacts/nodes/flour").resolve()
    built.edit("specs/mill.yml", "  flour:\n", "  meal:\n")
    built.edit("specs/mill.yml", "flour: flour", "flour: meal")
    assert set(built.fates().values()) == {"kept"}
    assert (built.root / "artifacts/nodes/meal").resolve() == before
    built.edit("scripts/grind.sh", "A-Z", "B-ZA")
    built.fates()
    assert (built.root / "artifacts/nodes/meal").resolve() != before
    built.edit("scripts/grind.sh", "B-ZA", "A-Z")
    assert set(built.fates().values()) == {"kept"}
    assert (built.root / "artifacts/nodes/meal").resolve() == before


def test_two_names_for_one_recipe_run_once(bare):
    """Nodes with equal keys are one step; each of the names leads to it."""
    bare.spec("steps:\n  one: &it 'echo x >> $HOME/ran; echo > out/x'\n  two: *it\n")
    assert bare.fates() == {"one": "ran", "two": "kept"}
    assert bare.read("ran") == "x\n"
    assert (bare.root / "artifacts/nodes/one").resolve() == (bare.root / "artifacts/nodes/two").resolve()


def test_an_input_that_is_read_twice_counts_once(bare):
    """A step that reads one node in two places still waits for the slower node beside it."""
    bare.spec(
        "steps:\n  quick: echo a > out/x\n  slow: sleep 0.3; echo b > out/x\n"
        "  both: {inputs: {one: quick, two: quick, three: slow}, run: cat in/*/x > out/x}\n"
    )
    assert bare.fates() == {"quick": "ran", "slow": "ran", "both": "ran"}
    assert bare.tree("both") == {"x": b"a\nb\na\n"}


def test_what_a_failed_step_left_is_no_result(bare):
    """A step that wrote half of its output and failed has no result, no link and no trace; its folder shows what it did."""
    bare.spec("steps: {flour: 'echo half > out/flour.txt; exit 3'}")
    assert bare.fates() == {"flour": "failed"}
    assert not list((bare.root / "artifacts/store").glob("traces/*/*"))
    assert not (bare.root / "artifacts/nodes").exists() or not list((bare.root / "artifacts/nodes").iterdir())
    (half,) = (bare.root / "artifacts/steps").glob("*/out/flour.txt")
    assert half.read_text() == "half\n"
    assert bare.fates() == {"flour": "failed"}, "a failure is not kept"


def test_a_failed_step_can_be_run_by_hand(bare):
    """The folder of a failed step shows what ran: `bash run.sh` does the same again."""
    bare.spec("steps: {grain: echo rye > out/grain.txt, flour: {inputs: {grain: grain}, run: 'cat in/grain/grain.txt; exit 3'}}")
    bare.fates()
    (folder,) = (path.parent.parent for path in (bare.root / "artifacts/steps").glob("*/in/grain"))
    done = subprocess.run(["bash", "run.sh"], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "rye\n")


def test_the_environment_of_a_step_is_scrubbed(bare):
    """A step sees none of the caller's variables but those that its spec names, and a clock and language that are fixed."""
    bare.spec("steps: {look: {run: 'env -u KEY | sort > out/env.txt', env: [CITY], secrets: [KEY]}}")
    said = bare.zyc("build", CITY="Ulm", KEY="sesame-0815", NOISE="loud", LANG="de_DE.UTF-8", PYTHONPATH="/somewhere")
    assert said.code == 0
    told = dict(line.split("=", 1) for line in bare.tree("look")["env.txt"].decode().splitlines())
    assert told["CITY"] == "Ulm"
    assert (told["LANG"], told["TZ"], told["PYTHONHASHSEED"]) == ("C.UTF-8", "UTC", "0")
    assert not {"NOISE", "PYTHONPATH", "COLUMNS"} & told.keys()


def test_a_secret_is_in_no_file_of_ours(bare):
    """What a step says of a secret is starred out, on the screen and in the log, whole or cut in two writes."""
    bare.spec("steps: {say: {run: 'echo $KEY; printf sesame; sleep 0.1; printf -- -0815; exit 1', secrets: [KEY]}}")
    said = bare.zyc("build", KEY="sesame-0815")
    assert said.code == 1
    assert "| ***" in said.text
    assert "0815" not in said.text
    files = [path for path in bare.root.rglob("*") if path.is_file()]
    assert [path for path in files if b"sesame-0815" in path.read_bytes()] == []


@pytest.mark.slow
def test_a_file_that_moved_while_it_was_read_spoils_the_result(desk):
    """The result of a step whose input changed under it is not published, whatever the step made of it."""
    desk.edit("specs/mill.yml", "sort in/raw", "sleep 0.5; sort in/raw")
    process = subprocess.Popen(
        ["zyc", "build", "grain"], cwd=desk.root, env=desk.process_environ(), stdout=subprocess.PIPE, text=True
    )
    while not list((desk.root / "artifacts/steps").glob("*/in/raw")):
        time.sleep(0.02)
    desk.write("specs/data/grain.txt", "rice\n")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "`specs/data/grain.txt` changed while the step ran" in " ".join(out.split())
    assert desk.fates("grain") == {"grain": "ran"}
    assert desk.tree("grain") == {"grain.txt": b"rice\n"}


def test_pins_are_added_once_and_never_moved(bare):
    """A build pins what has no pin, leaves others where they are, and adds none when frozen."""
    bare.tool("stone", "1.2")
    bare.tool("sieve", "0.9")
    bare.spec("steps: {flour: {run: stone > out/flour.txt, tools: [stone]}}")
    assert bare.zyc("build", "--frozen").code == 2
    assert not (bare.root / "zyc.lock").exists()
    assert bare.zyc("build").code == 0
    lock = bare.read("zyc.lock")
    assert '"tool:stone": "1.2"' in lock
    bare.tool("stone", "1.3")
    assert bare.fates() == {"flour": "kept"}, "the pin says what is wanted, not what is here"
    assert bare.zyc("build", "--set", "flour.run=stone > out/x").code == 2
    assert bare.read("zyc.lock") == lock
    bare.edit("specs/mill.yml", "tools: [stone]", "tools: [stone, sieve]")
    assert bare.zyc("build").code == 2, "the pinned stone is not here"
    bare.tool("stone", "1.2")
    assert bare.zyc("build").code == 0
    assert bare.read("zyc.lock").splitlines()[3:] == ['  "tool:sieve": "0.9"', '  "tool:stone": "1.2"']


def test_a_lock_that_is_no_lock_is_told(bare):
    """A lock file that somebody broke stops every plan, with its place."""
    bare.spec("steps: {flour: echo > out/flour.txt}")
    bare.write("zyc.lock", "pins: [a]\n")
    said = bare.zyc("plan")
    assert said.code == 2
    assert "zyc.lock" in said.err


def test_equal_work_of_another_profile_is_kept(built):
    """Only what a profile or `--set` changes runs, and going back runs nothing."""
    built.write("specs/profiles/moon.yml", "zyc: 1\nvars: {who: moon}\n")
    assert built.fates("--profile", "moon") == {"grain": "kept", "label": "ran", "flour": "kept", "sack": "ran"}
    assert built.tree("sack")["sack.txt"].endswith(b"for moon\n")
    assert set(built.fates().values()) == {"kept"}
    assert built.tree("sack")["sack.txt"].endswith(b"for world\n")


def test_a_result_with_a_link_out_of_it_is_refused(bare):
    """A tree that would lead out of the store is not published, and says which link it is."""
    bare.spec("steps: {flour: ln -s /etc/hostname out/host}")
    said = bare.zyc("build")
    assert said.code == 1
    assert "host" in said.out
    assert bare.states() == {"flour": "run"}


def test_artifacts_may_be_deleted_at_any_time(built):
    """Without artifacts/ a project is as it was at first, and its build comes to the same bytes."""
    before = {name: built.tree(name) for name in ("grain", "flour", "label", "sack")}
    built.zyc("plan")
    for path in (built.root / "artifacts").rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(built.root / "artifacts")
    assert set(built.states().values()) == {"run"}
    assert set(built.fates().values()) == {"ran"}
    assert {name: built.tree(name) for name in before} == before


def test_a_store_that_may_not_be_written_is_planned_from_and_refuses_to_build_at_once(built, monkeypatch):
    """What is kept there is kept; what would run is refused before anything starts, with a path of the project's own."""
    built.edit("specs/mill.yml", "sort in/raw", "sort -r in/raw")
    monkeypatch.setattr(World, "may_write", lambda _, path: "artifacts" not in str(path))
    said = built.zyc("build")
    assert said.code == 2
    assert said.err.startswith("error: `artifacts/store` may not be written, so nothing can be built into it")
    assert str(built.root) not in said.text
    assert built.states() == {"grain": "run", "flour": "maybe", "label": "keep", "sack": "maybe"}
    built.edit("specs/mill.yml", "sort -r in/raw", "sort in/raw")
    assert set(built.states().values()) == {"keep"}


def test_a_store_on_another_disk_is_built_into_and_kept_from(desk, tmp_path):
    """`artifacts/store` may be a link to a folder of another disk: results are carried over, and kept the next time."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as there:
        if Path(there).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("one disk only")
        (desk.root / "artifacts").mkdir()
        (desk.root / "artifacts/store").symlink_to(there)
        assert set(desk.fates().values()) == {"ran"}
        assert desk.tree("sack")["sack.txt"] == b"BARLEY\nOATS\nRYE\nfor world\n"
        assert not (desk.root / "artifacts/nodes/sack").readlink().is_absolute()
        assert set(desk.fates().values()) == {"kept"}
        World().remove_tree(Path(there) / "trees")  # read-only: nobody else could
