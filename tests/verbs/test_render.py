"""What is rendered runs without zyc, anywhere, and comes to the same bytes as a build."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FAMILY = """\
vars: {who: "O'Brien said \\"hi\\"\\n$(x) `y` \\\\ $HOME; rm -rf /tmp/nothing 'done'"}
steps:
  data:
    files: {one: specs/data/grain.txt, all: "specs/data/*.txt", folder: specs/data/more}
    run: cat in/one in/all/* in/folder/* > out/data.txt
  quote: printf %s "$ZYC_VARS_WHO" > out/quote.txt
  try:
    matrix: {x: [3, 10, 7], y: {plain: a, odd: "b 'c' \\"d\\""}}
    inputs: {data: data}
    run: |
      printf '%s %s' "$ZYC_MATRIX_X" "$ZYC_MATRIX_Y" > out/x.txt
      echo "{\\"even\\": $((ZYC_MATRIX_X % 2 == 0)), \\"deep\\": {\\"x\\": $ZYC_MATRIX_X}}" > measures.json
    gates: [even = 0]
  next: {inputs: {it: try}, run: cat in/it/x.txt in/it/x.txt > out/x.txt}
  all: {inputs: {these: [next, "try@x=3"]}, run: cat in/these/*/*/x.txt > out/all.txt}
  best: {inputs: {it: {select: {from: try, max: deep.x}}}, run: cp in/it/x.txt out/best.txt}
"""


@pytest.fixture
def family(bare):
    """Files, a glob, a folder, a family along a chain, a group, a choice, and values that hurt."""
    for name in ("grain.txt", "hop.txt", "more/a.txt", "more/b.txt"):
        bare.write(f"specs/data/{name}", f"{name}\n")
    bare.spec(FAMILY)
    return bare


def run_apart(folder):
    """Run a rendered graph where there is no zyc: not on PATH, and not to be imported."""
    environ = {"PATH": os.defpath, "HOME": str(folder)}
    assert shutil.which("zyc", path=environ["PATH"]) is None
    done = subprocess.run(["bash", "run.sh"], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def trees(folder):
    """What each step of a rendered graph left."""
    told = {}
    for out in sorted(folder.glob("*/out")):
        files = sorted(path for path in out.resolve().rglob("*") if path.is_file())
        told[out.parent.name] = {str(path.relative_to(out.resolve())): path.read_bytes() for path in files}
    return told


def built(desk):
    """What each node left in a build."""
    return {path.name: desk.tree(path.name) for path in sorted((desk.root / "artifacts/nodes").iterdir())}


@pytest.mark.slow
def test_what_is_rendered_comes_to_the_same_bytes(family):
    """Files, globs, families, groups, choices, vars with quotes and newlines: by hand and by a build it is the same."""
    assert family.zyc("build").code == 1, "members fail their gates"
    assert family.tree("best")["best.txt"] == family.tree("try--x-7--y-plain")["x.txt"]
    assert family.zyc("build", "best", "quote").code in (0, 1)
    wanted = built(family)
    assert wanted["quote"]["quote.txt"].decode() == "O'Brien said \"hi\"\n$(x) `y` \\ $HOME; rm -rf /tmp/nothing 'done'"
    family.zyc("render", "-o", "by-hand")
    said = run_apart(family.root / "by-hand")
    assert said.splitlines()[0] == "== data"
    told = trees(family.root / "by-hand")
    assert {name: told[name] for name in wanted} == wanted
    assert told["best.select"] == wanted["try--x-7--y-plain"]


def test_a_part_of_a_graph_is_rendered_alone(family):
    """Only what is asked for and what it needs is written, in an order that works."""
    told = family.zyc("render", "next@x=3", "--json").data
    assert told["steps"] == ["data", "try--x-3--y-plain", "try--x-3--y-odd", "next--x-3--y-plain", "next--x-3--y-odd"]
    folder = family.root / "rendered"
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == sorted(told["steps"])
    run_apart(folder)
    assert trees(folder)["next--x-3--y-odd"] == {"x.txt": b"3 b 'c' \"d\"" * 2}


def test_a_copy_can_be_moved(family, tmp_path):
    """With `--copy` nothing leads back to the project: it may be gone."""
    family.zyc("build", "data")
    wanted = family.tree("data")
    family.zyc("render", "data", "--copy", "-o", str(tmp_path / "first"))
    (tmp_path / "first").rename(tmp_path / "second")
    family.root.rename(tmp_path / "elsewhere")
    run_apart(tmp_path / "second")
    assert trees(tmp_path / "second") == {"data": wanted}


def test_without_a_copy_files_are_linked(family):
    """A rendered graph links the user's files: what is large is not written twice."""
    family.zyc("render", "data")
    link = family.root / "rendered/data/in/one"
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == family.root / "specs/data/grain.txt"


def test_what_is_done_is_passed_over(desk):
    """Run again, a rendered graph goes on where it stopped: done steps are kept, and `out/` is deleted to repeat one."""
    desk.zyc("render")
    folder = desk.root / "rendered"
    assert run_apart(folder).splitlines() == ["== grain", "== label", "== flour", "== sack"]
    assert run_apart(folder) == ""
    shutil.rmtree(folder / "flour/out")
    assert run_apart(folder).splitlines() == ["== flour"]


def test_a_step_that_reads_what_nobody_types_takes_no_other_step_away(bare):
    """It reads nothing, as in a build; what comes after it runs."""
    bare.spec("steps:\n  asks: cat > out/said\n  next: {inputs: {it: asks}, run: wc -c < in/it/said > out/count}\n")
    bare.zyc("render")
    run_apart(bare.root / "rendered")
    assert (bare.root / "rendered/asks/out/said").read_text() == ""
    assert (bare.root / "rendered/next/out/count").read_text().strip() == "0"


def test_what_an_attempt_that_failed_left_is_no_part_of_the_result(bare):
    """The next one begins with nothing in out/, as in a build; what it keeps in state/ stays."""
    step = "[ -e state/tried ] && cp state/tried out/whole || { touch state/tried out/half; exit 3; }"
    bare.spec(f"steps:\n  one: {{run: '{step}', placement: {{resume: true}}}}\n")
    bare.zyc("render")
    folder = bare.root / "rendered"
    assert subprocess.run(["bash", "run.sh"], cwd=folder, capture_output=True, check=False).returncode == 3
    assert [path.name for path in (folder / "one/out").iterdir()] == ["half"]
    run_apart(folder)
    assert [path.name for path in (folder / "one/out").iterdir()] == ["whole"]


def test_a_step_that_fails_stops_the_run(desk):
    """The script ends with an error at the first step that fails, and nothing behind it runs."""
    desk.edit("specs/mill.yml", "bash recipe/grind.sh", "exit 3; bash recipe/grind.sh")
    desk.zyc("render")
    done = subprocess.run(["bash", "rendered/run.sh"], cwd=desk.root, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stdout.splitlines()[-1] == "== flour"
    assert not (desk.root / "rendered/sack/out").exists()


def test_the_same_text_renders_to_the_same_bytes(desk, tmp_path):
    """What is rendered tells neither where nor when: two projects with one text give one set of files."""
    desk.zyc("render", "-o", str(tmp_path / "one"))
    shutil.copytree(desk.root, tmp_path / "other-mill")
    desk.root = tmp_path / "other-mill"
    desk.zyc("render", "-o", str(tmp_path / "two"))

    def files(folder):
        return {
            path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file() and "in" not in path.parts
        }

    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert str(tmp_path) not in b"".join(files(tmp_path / "one").values()).decode()


def test_nobody_is_overwritten(desk):
    """A folder that is not empty is left alone; `--force` replaces one that zyc rendered, and no other."""
    assert desk.zyc("render").code == 0
    said = desk.zyc("render")
    assert (said.code, said.err.splitlines()[1]) == (2, "help: `--force` replaces a folder that zyc rendered")
    stale = desk.root / "rendered/stale.txt"
    stale.write_text("old")
    assert desk.zyc("render", "grain", "--force").code == 0
    assert not stale.exists()
    assert not (desk.root / "rendered/sack").exists()
    desk.write("mine/thesis.txt", "years of work")
    for words in (["-o", "mine"], ["-o", "mine", "--force"], ["-o", ".", "--force"], ["-o", "specs", "--force"]):
        assert desk.zyc("render", *words).code == 2
    assert desk.read("mine/thesis.txt") == "years of work"
    assert desk.zyc("render", "-o", "specs/mill.yml").code == 2
    desk.write("empty/x", "")
    (desk.root / "empty/x").unlink()
    assert desk.zyc("render", "-o", "empty").code == 0


def test_what_was_rendered_stays_until_there_is_something_else(desk, monkeypatch):
    """A spec that became wrong takes no folder away; one that was cut short may be replaced."""
    assert desk.zyc("render").code == 0
    with monkeypatch.context() as patched:
        patched.setattr("zyc.verbs.render.write_graph", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            desk.zyc("render", "--force")
    assert [each.name for each in (desk.root / "rendered").iterdir()] == [".zyc-rendered"]
    assert desk.zyc("render", "--force").code == 0
    assert desk.zyc("render", "--force", "--set", "grain.inptus=sack").code == 2
    assert (desk.root / "rendered/run.sh").exists()


def test_a_rendered_folder_is_no_part_of_the_project(desk):
    """What is rendered into the project changes no plan, and no node."""
    desk.zyc("build")
    desk.zyc("render", "-o", "specs/data/rendered")
    assert set(desk.states().values()) == {"keep"}


def test_secrets_and_variables_are_not_written(desk):
    """A rendered step names the variables that it needs; their values are in no file."""
    desk.spec('steps: {post: {run: \'test -n "$KEY" -a -n "$CITY" && echo > out/x\', secrets: [KEY], env: [CITY]}}', "post")
    assert desk.zyc("render", "post", KEY="sesame-0815", CITY="Ulm-on-the-river").code == 0
    texts = [path.read_bytes() for path in (desk.root / "rendered").rglob("*") if path.is_file()]
    assert not [text for text in texts if b"sesame-0815" in text or b"Ulm-on-the-river" in text]
    environ = {"PATH": os.defpath, "KEY": "sesame-0815", "CITY": "Ulm"}
    subprocess.run(["bash", "rendered/run.sh"], cwd=desk.root, env=environ, check=True, capture_output=True)


def test_every_script_is_a_script(family):
    """Each shell file that is rendered passes `bash -n`."""
    family.zyc("render")
    scripts = sorted(Path(family.root / "rendered").rglob("*.sh"))
    assert len(scripts) > 20
    for script in scripts:
        assert subprocess.run(["bash", "-n", script], check=False).returncode == 0, script
