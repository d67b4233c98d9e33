"""A call over an unchanged project is answered from its memo, and one over a project that moved in any way is not."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from desk import Desk

from zyc import memo
from zyc.world import World

SPEC = """\
vars: {who: world}
steps:
  grain: {files: {raw: data/grain.txt, all: "data/more/*.txt", folder: data/folder}, run: cat in/raw > out/x, env: [CITY]}
  flour: {inputs: {grain: grain}, scripts: {grind.sh: scripts/grind.sh}, run: bash recipe/grind.sh > out/x}
  label: echo "for $ZYC_VARS_WHO" > out/label.txt
"""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A project whose plan is known already; what others write on this disk meanwhile, or compile, is no matter of it."""
    monkeypatch.setattr(World, "disk_free", lambda *_: 61_000_000_000)
    own = [path for path in memo._own_files() if not Path(path).is_dir()]  # a folder moves when modules in it are compiled
    monkeypatch.setattr(memo, "_own_files", lambda: iter(own))
    desk = Desk(tmp_path / "mill", environ={"CITY": "Ulm"})
    for path in ("data/grain.txt", "data/more/a.txt", "data/folder/a.txt", "data/folder/below/b.txt", "data/other.txt"):
        desk.write(path, f"{path}\n")
    desk.write("scripts/grind.sh", "cat in/grain/x\n")
    desk.spec(SPEC)
    desk.zyc("build")
    settle()
    desk.zyc("plan")
    assert desk.zyc("plan").replayed
    return desk


def settle():
    """Wait until what was written is old enough to be believed."""
    time.sleep(0.03)


def test_the_same_call_says_the_same(desk):
    """A replayed answer is what the call had said, on both streams, with its exit code."""
    desk.spec("steps: {page: {rum: 1}}", "other")
    settle()
    words = ("plan", "flour", "--exit-code", "--set", "vars.who=moon")
    first = desk.zyc(*words)
    assert first.err.startswith("warning: ")
    second = desk.zyc(*words)
    assert second.replayed
    assert (second.out, second.err, second.code) == (first.out, first.err, first.code)


def test_a_call_that_fails_is_asked_again(desk):
    """What is wrong is looked at again each time: it may lie outside of what is watched."""
    assert desk.zyc("plan", "flower").code == 2
    assert not desk.zyc("plan", "flower").replayed


def test_a_build_is_known_once_it_did_nothing(desk):
    """A build that ran something is no memo; the one after it, which kept everything, is."""
    settle()
    assert not desk.zyc("build").replayed
    assert desk.zyc("build").replayed
    desk.edit("specs/mill.yml", "world", "moon")
    assert "ran" in desk.zyc("build").out
    settle()
    said = desk.zyc("build")
    assert not said.replayed
    assert said.out == "3 kept\n"
    assert desk.zyc("build").out == "3 kept\n"


@pytest.mark.parametrize("verb", ["render", "lock", "init", "doctor", "schema", "completion"])
def test_what_acts_or_looks_elsewhere_has_no_memo(desk, verb):
    """Verbs that write, or that look at the machine, do so each time."""
    words = {"init": ["init", "new"], "render": ["render", "--force"], "completion": ["completion", "bash"]}.get(verb, [verb])
    settle()
    for _ in range(3):
        assert not desk.zyc(*words).replayed
        shutil.rmtree(desk.root / "new", ignore_errors=True)


# --- what moves ---


def appended(desk, path):
    """A file is longer."""
    with (desk.root / path).open("a") as file:
        file.write("more\n")


def in_secret(desk, path):
    """Other bytes, the same length, the same time."""
    seen = (desk.root / path).stat()
    desk.write(path, desk.read(path).swapcase())
    os.utime(desk.root / path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert (desk.root / path).stat().st_mtime_ns == seen.st_mtime_ns
    assert (desk.root / path).stat().st_size == seen.st_size


def replaced(desk, path):
    """Another file in its place, as old and as long as the first."""
    seen = (desk.root / path).stat()
    desk.write("other", desk.read(path).swapcase())
    os.utime(desk.root / "other", ns=(seen.st_atime_ns, seen.st_mtime_ns))
    (desk.root / "other").rename(desk.root / path)


def relinked(desk, path):
    """A link to another file of the same bytes."""
    (desk.root / path).unlink()
    (desk.root / path).symlink_to(desk.root / "data/other.txt")


def folder_of_links(desk, path):
    """The folder was moved out of the project, and a link to it stands in its place: all files are the same ones."""
    folder = (desk.root / path).parent
    away = desk.root.parent / f"away-{folder.name}"
    folder.rename(away)
    folder.symlink_to(away)


CHANGES = {
    "a spec is edited": lambda desk: desk.edit("specs/mill.yml", "world", "moon"),
    "a spec is edited in secret": lambda desk: in_secret(desk, "specs/mill.yml"),
    "a spec is added": lambda desk: desk.spec("steps: {more: echo > out/x}", "more"),
    "a spec is added in a new folder": lambda desk: desk.spec("steps: {more: echo > out/x}", "deep/down/more"),
    "a spec is removed": lambda desk: (desk.root / "specs/mill.yml").unlink(),
    "a file is edited": lambda desk: appended(desk, "data/grain.txt"),
    "a file is edited in secret": lambda desk: in_secret(desk, "data/grain.txt"),
    "a file is replaced in secret": lambda desk: replaced(desk, "data/grain.txt"),
    "a file is gone": lambda desk: (desk.root / "data/grain.txt").unlink(),
    "a file is a link now": lambda desk: relinked(desk, "data/grain.txt"),
    "a file is a folder now": lambda desk: ((desk.root / "data/grain.txt").unlink(), (desk.root / "data/grain.txt").mkdir()),
    "a file cannot be entered": lambda desk: (desk.root / "data/grain.txt").chmod(0o000),
    "a glob finds one more": lambda desk: desk.write("data/more/b.txt", "b\n"),
    "a glob finds one less": lambda desk: (desk.root / "data/more/a.txt").unlink(),
    "a folder has one more": lambda desk: desk.write("data/folder/below/c.txt", "c\n"),
    "a folder has a folder more": lambda desk: desk.write("data/folder/new/c.txt", "c\n"),
    "a folder lost a file deep down": lambda desk: (desk.root / "data/folder/below/b.txt").unlink(),
    "a folder was moved out and linked": lambda desk: folder_of_links(desk, "data/grain.txt"),
    "a script is edited": lambda desk: appended(desk, "scripts/grind.sh"),
    "a template is shadowed": lambda desk: desk.write("templates/step/lib/words.py", "WORD = 1\n"),
    "a lock appears": lambda desk: desk.write("zyc.lock", "zyc-lock: 1\npins: {}\n"),
    "a site appears": lambda desk: desk.write("zyc.yml", "hosts: {local: {cpus: 1}}\n"),
    "a machine's site appears": lambda desk: desk.write("zyc.local.yml", "hosts: {local: {cpus: 1}}\n"),
    "a variable has another value": lambda desk: desk.environ.update(CITY="Bern"),
    "a variable is gone": lambda desk: desk.environ.pop("CITY"),
    "a terminal is narrower": lambda desk: desk.environ.update(COLUMNS="60"),
    "colours are wanted": lambda desk: desk.environ.update(FORCE_COLOR="1"),
    "a trace is gone": lambda desk: next((desk.root / "artifacts/store/traces").glob("*/*.json")).unlink(),
    "a tree is gone": lambda desk: removed(desk, next((desk.root / "artifacts/store/trees").iterdir())),
    "the roots are gone": lambda desk: shutil.rmtree(desk.root / "artifacts/store/roots"),
    "the store is gone": lambda desk: removed(desk, desk.root / "artifacts/store"),
    "a step was cut short": lambda desk: desk.write("artifacts/steps/0123/state/half", "half"),
    "another project begins below": lambda desk: (desk.write("data/specs/x.yml", "zyc: 1\n"), setattr(desk, "here", "data")),
}


def removed(desk, path):
    """A folder that is read-only goes."""
    subprocess.run(["chmod", "-R", "u+w", path], check=True)
    shutil.rmtree(path)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(desk, change):
    """Whatever moved of all that an answer depends on: the call is made again."""
    CHANGES[change](desk)
    assert not desk.zyc("plan").replayed


def test_a_change_elsewhere_is_of_no_matter(desk):
    """A file that no node names and no spec is, and a variable that nobody asks for, move nothing."""
    desk.write("README.md", "hello\n")
    desk.write("data/unknown.txt", "hello\n")
    desk.environ["NOISE"] = "loud"
    assert desk.zyc("plan").replayed


@pytest.mark.parametrize("path", ["specs/mill.yml", "data/grain.txt", "data/more/a.txt", "scripts/grind.sh"])
def test_what_moved_a_moment_ago_is_not_believed(desk, path, monkeypatch):
    """A file that was written just before a call may be written again within the same tick of its clock."""
    desk.write(path, desk.read(path) + "\n")
    moved = (desk.root / path).stat().st_ctime_ns
    monkeypatch.setattr(memo, "clock", lambda: (moved + 10_000_000) / 1e9)
    desk.zyc("plan")
    assert not desk.zyc("plan").replayed
    monkeypatch.setattr(memo, "clock", lambda: (moved + 30_000_000) / 1e9)
    desk.zyc("plan")
    assert desk.zyc("plan").replayed


def test_a_file_that_moves_while_it_is_looked_at_is_not_believed(desk, monkeypatch):
    """What changes during a call is seen by the next one, however little it changes."""
    read = memo.Watching.read

    def slowly(self, path):
        text = read(self, path)
        if str(path).endswith("mill.yml"):
            in_secret(desk, "specs/mill.yml")
            in_secret(desk, "specs/mill.yml")
        return text

    desk.edit("specs/mill.yml", "world", "moon")
    settle()
    with monkeypatch.context() as patched:
        patched.setattr(memo.Watching, "read", slowly)
        desk.zyc("plan")
    assert not desk.zyc("plan").replayed


def test_what_another_program_says_is_asked_each_time(desk):
    """A plan that asks a tool for its version, or git for a revision, is made again each time."""
    desk.tool("stone", "1.2")
    desk.spec("steps: {mill: {run: stone > out/x, tools: [stone]}}", "other")
    settle()
    desk.zyc("plan")
    assert not desk.zyc("plan").replayed
    desk.tool("stone", "1.3")
    told = desk.zyc("why", "mill", "--json").data["manifest"]
    assert {"label": "pin/tool:stone", "digest": "1.3"} in told
    desk.zyc("lock")
    settle()
    desk.zyc("plan")
    assert desk.zyc("plan").replayed, "a pin is a file"


def test_zyc_itself_is_watched(desk, monkeypatch):
    """Another zyc is asked again: its modules and templates count as inputs."""
    own = list(memo._own_files())
    assert any(path.endswith("plan.py") for path in own)
    assert any(path.endswith("launch.sh") for path in own)
    monkeypatch.setattr(memo, "_own_files", lambda: iter([*own, str(desk.root / "new-module.py")]))
    desk.edit("specs/mill.yml", "world", "moon")
    settle()
    desk.zyc("plan")
    assert desk.zyc("plan").replayed
    desk.write("new-module.py", "")
    assert not desk.zyc("plan").replayed


# --- the file ---


@pytest.mark.parametrize("at", [0, 5, 12, 25, 100, -1])
def test_a_damaged_memo_is_none(desk, at):
    """A memo with one flipped bit is as good as absent, and so is one that is cut off or empty."""
    wanted = desk.zyc("plan").out
    (path,) = (desk.root / "artifacts/memo/calls").iterdir()
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[at] ^= 4
    for damaged in (bytes(flipped), whole[: at % len(whole)]):
        path.write_bytes(damaged)
        said = desk.zyc("plan")
        assert (said.replayed, said.out) == (False, wanted)


def test_two_calls_with_one_name_are_told_apart(desk, monkeypatch):
    """A memo holds its whole question: a collision of names answers nobody wrongly."""
    place = memo._place
    monkeypatch.setattr(memo, "_place", lambda words: (str(desk.root / "artifacts/memo/same"), place(words)[1]))
    plan = desk.zyc("plan")
    assert not plan.replayed
    assert desk.zyc("plan").replayed
    names = desk.zyc("ls")
    assert names.out != plan.out
    assert not names.replayed


def test_memos_hold_no_secret(desk):
    """The value of a variable is in no memo."""
    desk.spec("steps: {post: {run: 'echo > out/x', secrets: [KEY]}}", "other")
    settle()
    for words in (("plan",), ("build",), ("why", "post"), ("show", "post")):
        desk.zyc(*words, KEY="sesame-0815")
    files = [path for path in (desk.root / "artifacts").rglob("*") if path.is_file()]
    assert [path for path in files if b"sesame-0815" in path.read_bytes()] == []


def test_a_memo_that_cannot_be_written_costs_time_only(desk):
    """A file in the place of the folder of memos is no error."""
    shutil.rmtree(desk.root / "artifacts/memo")
    desk.write("artifacts/memo", "in the way")
    assert desk.zyc("plan").code == 0
    assert desk.zyc("plan").code == 0
