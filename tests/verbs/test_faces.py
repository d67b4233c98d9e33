"""`zyc render NODE --as ...`: what a notebook and a batch job hold, and that they run where there is no zyc."""

import ast
import json
import re
import runpy
import subprocess
import tarfile

import pytest
from elsewhere import Elsewhere, cells, files_in
from hypothesis import given
from hypothesis import strategies as st

from zyc import kinds
from zyc.craft.training import TrainingPlacement
from zyc.elsewhere.faces import batch, file_literal
from zyc.keeping.store import tree_of
from zyc.kind import Placement
from zyc.world import World

CARRYING = kinds.templates_of("step")[0] / "faces" / "carrying.py"
LETTERS = """\
corpuses: {words: {files: specs/data/words.txt, card: specs/data/card.json}}
counters: {pairs: {base: words, train: {epochs: 3}, about: "pairs of | <b>letters</b> `x`"}}
"""
FAMILY = """\
steps:
  grain: {matrix: {sort: [rye, oats]}, run: echo $ZYC_MATRIX_SORT > out/grain.txt; ln -s grain.txt out/link; mkdir out/empty}
  sack:
    inputs: {all: [grain], one: grain@sort=rye}
    files: {note: specs/data/note.txt, many: "specs/data/m/*.txt", whole: specs/data/m, tool: specs/data/tool.sh}
    run: |
      cat $(find -L in/all -name grain.txt | sort) in/one/link in/note in/many/* in/whole/b.txt > out/sack.txt
      in/tool >> out/sack.txt
      echo '{"bags": 2}' > measures.json
"""


@pytest.fixture
def letters(example, bare):
    """A desk with a corpus that is built, and a counter that is not."""
    bare.write("specs/data/words.txt", "anna banana cabana\ncab scab cannas\nscans bans nab nabs\n")
    bare.write("specs/data/card.json", json.dumps({"words": 10, "alphabet": "abcns", "licence": "cc0-1.0"}))
    bare.spec(LETTERS, "letters")
    assert bare.zyc("build", "words").code == 0
    return bare


@pytest.fixture
def family(bare):
    """A desk with a step that takes a family, links and files of every sort."""
    for name, text in {"note.txt": "a note\n", "m/a.txt": "a\n", "m/b.txt": "b\n", "tool.sh": "#!/bin/sh\necho tool\n"}.items():
        bare.write(f"specs/data/{name}", text)
    (bare.root / "specs/data/tool.sh").chmod(0o755)
    bare.spec(FAMILY)
    assert bare.zyc("build", "grain").code == 0
    return bare


def away(desk, tmp_path, node="pairs"):
    """A machine to which the notebook of a node was carried, with its inputs."""
    said = desk.zyc("render", node, "--as", "notebook", "--force")
    assert said.code == 0, said.text
    there = Elsewhere(tmp_path / "elsewhere")
    there.bring(desk.root / f"{node}.ipynb", *desk.root.glob(f"{node}.inputs.tar"))
    return there


# --- what it holds ---


def test_a_notebook_holds_the_files_of_the_recipe_byte_for_byte(letters):
    """What its cells write is what the key is the digest of, and what a build would run."""
    letters.zyc("render", "pairs", "--as", "notebook")
    found = files_in(letters.root / "pairs.ipynb")
    shown = letters.zyc("show", "pairs", "--json").data
    assert {*shown["files"]} <= {*found}
    for name in shown["files"]:
        assert found[name].decode().rstrip("\n") == letters.zyc("show", "pairs", "--file", name).out.rstrip("\n")
    assert {*found} - {*shown["files"]} == {"carrying.py", "face.json"}


def test_a_notebook_is_one_that_every_reader_of_notebooks_takes(letters):
    """It keeps the schema of nbformat 4.5: ids of their own, sources in lines, no outputs."""
    letters.zyc("render", "pairs", "--as", "notebook")
    told = json.loads(letters.read("pairs.ipynb"))
    assert (told["nbformat"], told["nbformat_minor"], told["metadata"]["kernelspec"]["name"]) == (4, 5, "python3")
    ids = [each["id"] for each in told["cells"]]
    assert len({*ids}) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", each) for each in ids)
    for each in told["cells"]:
        wanted = {"cell_type", "id", "metadata", "source"} | (
            {"outputs", "execution_count"} if each["cell_type"] == "code" else set()
        )
        assert {*each} == wanted
        assert all(line.endswith("\n") for line in each["source"][:-1])
    assert list(cells(letters.root / "pairs.ipynb"))[-1] == "pack"


def test_the_same_node_gives_the_same_notebook(letters):
    """It tells neither when nor where it was rendered."""
    letters.zyc("render", "pairs", "--as", "notebook", "-o", "one.ipynb")
    letters.root = letters.root.rename(letters.root.parent / "moved")
    letters.zyc("render", "pairs", "--as", "notebook", "-o", "other/two.ipynb")
    assert letters.read("one.ipynb") == letters.read("other/two.ipynb")
    assert str(letters.root.parent) not in letters.read("one.ipynb")
    assert (letters.root / "pairs.inputs.tar").read_bytes() == (letters.root / "other/pairs.inputs.tar").read_bytes()


def test_what_a_user_says_of_a_node_stays_text(letters):
    """Words of a spec are no markup in the first cell, and no code in any."""
    letters.zyc("render", "pairs", "--as", "notebook")
    first = "".join(json.loads(letters.read("pairs.ipynb"))["cells"][0]["source"])
    assert r"pairs of \| \<b\>letters\</b\> \`x\`" in first


@given(st.text(st.characters(codec="utf-8")))
def test_any_file_stands_in_a_cell_as_a_literal(text):
    """Whatever a file holds, the cell gives back its bytes and runs nothing of it."""
    (told,) = [each for each in ast.walk(ast.parse(file_literal(text), mode="eval")) if isinstance(each, ast.Constant)]
    assert told.value == text


@pytest.mark.parametrize(
    "text", ["''' + boom() + '''", "ends in '", "a\\", "\r\n", "\x00\x1b[2J", "%%bash\nrm", "é\u2028x", '"""', "'''\"\"\""]
)
def test_no_file_leaves_its_quotes(text):
    """Quotes, ends of lines and what cannot be seen are escaped where they must be."""
    assert eval(file_literal(text), {"__builtins__": {}}) == text


def test_a_batch_job_asks_for_what_the_placement_says(letters):
    """Numbers of the placement become lines of the job; the rest of it is the same for every node."""
    placed = "placement: {cpus: 4, memory: 6 GB, gpus: 2, timeout: 90 min}"
    letters.edit("specs/letters.yml", "train: {epochs: 3}", f"train: {{epochs: 3}}, {placed}")
    assert letters.zyc("render", "pairs", "--as", "sbatch", "-o", "job").code == 0
    lines = letters.read("job/job.sbatch").splitlines()
    asked = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH ")]
    wanted = ["--job-name=pairs", "--nodes=1", "--ntasks-per-node=1", "--cpus-per-task=4", "--gpus-per-node=2"]
    assert asked[:7] == [*wanted, "--mem=6000M", "--time=90"]
    assert "--requeue" in asked
    assert subprocess.run(["bash", "-n", "job.sbatch"], cwd=letters.root / "job", check=False).returncode == 0
    letters.edit("specs/letters.yml", placed, "placement: {cpus: 1}")
    letters.zyc("render", "pairs", "--as", "sbatch", "-o", "other")
    body = [re.sub("#SBATCH .*\n", "", letters.read(f"{name}/job.sbatch")) for name in ("job", "other")]
    assert body[0] == body[1]


@pytest.mark.parametrize(("placed", "asks"), [({"cpus": 1}, ["1"]), ({"gpus": 0}, []), ({"gpus": 8}, ["8"])])
def test_a_training_that_leaves_its_accelerator_open_asks_a_cluster_for_one(placed, asks):
    """A cluster gives what it is asked for: open is one, none is none, and what has no placement asks for nothing."""
    job = batch(dict(TrainingPlacement(**placed)), "", name="tuned")
    assert re.findall(r"--gpus-per-node=(\d+)", job) == asks
    assert "gpus" not in batch(dict(Placement()), "", name="rows") + batch({}, "", name="letters")


# --- what is refused ---


def test_what_cannot_leave_yet_is_told(letters):
    """Inputs that are not built, several nodes, `--copy` and files that are there end the call, and nothing is written."""
    letters.write("specs/data/other.txt", "ana\n")
    letters.spec(
        LETTERS.replace("words.txt", "other.txt")
        .replace("words:", "other:")
        .replace("base: words", "base: other")
        .replace("pairs:", "later:"),
        "other",
    )
    before = sorted(letters.root.rglob("*"))
    for words, code in {
        ("later",): "`later` cannot be carried away before `other` is built: its key and its inputs are not known",
        ("words", "pairs"): "`--as notebook` is the face of one node, and the call means 2",
        ("pairs", "--copy"): "`--as notebook` and `--copy` say different things",
    }.items():
        said = letters.zyc("render", *words, "--as", "notebook")
        assert (said.code, said.err.splitlines()[0]) == (2, f"error: {code}")
    assert [each for each in letters.root.rglob("*") if each not in before and "artifacts" not in each.parts] == []
    letters.zyc("render", "pairs", "--as", "notebook")
    assert letters.zyc("render", "pairs", "--as", "notebook").code == 2
    assert letters.zyc("render", "pairs", "--as", "notebook", "--force").code == 0


# --- that it runs elsewhere ---


def test_a_notebook_runs_where_there_is_no_zyc(letters, tmp_path):
    """Cell by cell, with nothing but what was carried there; its last cell leaves one file."""
    there = away(letters, tmp_path)
    done = there.run("pairs.ipynb")
    assert done.returncode == 0, done.stderr
    assert "0 packages as pinned" in done.stdout
    assert (there.root / "pairs.zyc.tar").is_file()
    again = there.run("pairs.ipynb")
    assert again.returncode == 0, again.stderr


def test_links_groups_and_files_of_every_sort_come_along(family, tmp_path):
    """A family, a link in a result, an empty folder, globs and a program of the user's are there as at home."""
    there = away(family, tmp_path, "sack")
    done = there.run("sack.ipynb")
    assert done.returncode == 0, done.stderr
    assert family.zyc("build", "sack").code == 0
    made = next(there.root.glob("sack-*/out/sack.txt")).read_text()
    assert made == family.tree("sack")["sack.txt"].decode() == "oats\nrye\nrye\na note\na\nb\nb\ntool\n"


def test_inputs_that_are_missing_or_damaged_are_told(letters, tmp_path):
    """A parcel that is not there, and one that lost bits on its way, end the cell before anything runs."""
    there = away(letters, tmp_path)
    parcel = there.root / "pairs.inputs.tar"
    whole = parcel.read_bytes()
    parcel.unlink()
    done = there.run("pairs.ipynb")
    assert "1 inputs are missing: put pairs.inputs.tar beside this notebook" in done.stderr
    parcel.write_bytes(whole.replace(b"banana", b"bananA"))
    done = there.run("pairs.ipynb")
    assert "pairs.inputs.tar is damaged" in done.stderr
    assert not list(there.root.glob("pairs-*/out"))
    parcel.write_bytes(whole)
    assert there.run("pairs.ipynb").returncode == 0


def test_a_step_that_changes_its_input_is_not_packed(letters, tmp_path):
    """What was made of something else than was carried there does not come home."""
    there = away(letters, tmp_path)
    assert there.run("pairs.ipynb", "pack").returncode == 0
    target = next(there.root.glob("pairs-*/trees/*/*/words.txt"))
    target.chmod(0o644)
    target.write_text("other\n")
    carrying = next(there.root.glob("pairs-*"))
    done = subprocess.run([there.python, "carrying.py", "pack"], cwd=carrying, capture_output=True, text=True, check=False)
    assert done.stderr == "error: an input changed while the step ran: begin again in a fresh folder\n"


def test_a_run_that_was_cut_short_goes_on(letters, tmp_path):
    """The same cell, and the same job submitted again, go on from the state that was kept."""
    letters.edit("specs/letters.yml", "train: {epochs: 3}", "train: {epochs: 3}, placement: {stop_after: 2}")
    there = away(letters, tmp_path)
    done = there.run("pairs.ipynb")
    assert "the step ended with 1" in done.stderr
    assert there.run("pairs.ipynb").returncode == 0
    log = next(there.root.glob("pairs-*/log.txt")).read_text()
    assert log.splitlines() == ["from epoch 0", "switched off", "from epoch 2"]
    assert letters.zyc("render", "pairs", "--as", "sbatch", "-o", "job").code == 0
    folder = letters.root / "job"
    assert there.job(folder).returncode == 1
    assert there.job(folder).returncode == 0
    assert (folder / "log.txt").read_text().splitlines() == ["from epoch 0", "switched off", "from epoch 2"]


CLUSTER = {
    "srun": 'while [ "${1#--}" != "$1" ]; do shift; done\nexec "$@"\n',
    "scontrol": 'echo "$*" >> "$LOG"\n[ "$1" = show ] && echo node-1\nexit 0\n',
}


def test_where_nothing_can_be_installed_a_job_may_run_with_what_is_there(letters, tmp_path):
    """It halts on another version unless it is told to go on; then everybody sees with what it was made."""
    there = away(letters, tmp_path)
    assert letters.zyc("render", "pairs", "--as", "sbatch", "-o", "job").code == 0
    folder = letters.root / "job"
    face = folder / "face.json"
    face.write_text(json.dumps({**json.loads(face.read_text()), "pins": ["pytest==0.1", "nowhere==2"]}))
    done = there.job(folder)
    assert done.returncode == 1
    assert "packages are missing: python -m pip install pytest==0.1 nowhere==2" in done.stderr
    assert "ZYC_PACKAGES=here" in done.stderr
    done = there.job(folder, ZYC_PACKAGES="here")
    assert done.returncode == 0
    assert "with the packages that are here, not pytest==0.1 nowhere==2" in done.stdout
    said = letters.zyc("adopt", "pairs.zyc.tar")
    assert f"with pytest {pytest.__version__}, nowhere none in place of pytest==0.1, nowhere==2" in said.out
    there = letters.zyc("show", "pairs", "--json").data["elsewhere"]
    assert (there["not as pinned"], there["package:pytest"]) == ("pytest==0.1 nowhere==2", pytest.__version__)


def test_a_job_whose_time_is_over_is_queued_again(bare, tmp_path):
    """Asked to stop, a step keeps a state and ends with 130: the job is queued again, and goes on from there."""
    run = "if [ -e state/half ]; then echo $MASTER_ADDR > out/x; else touch state/half; sleep 2; exit 130; fi"
    bare.spec(f"steps: {{post: {{run: '{run}', placement: {{resume: true}}}}}}")
    assert bare.zyc("render", "post", "--as", "sbatch", "-o", "job/post").code == 0
    for name, text in CLUSTER.items():
        bare.write(f"bin/{name}", f"#!/bin/bash\n{text}")
        (bare.root / "bin" / name).chmod(0o755)
    there, folder = Elsewhere(tmp_path / "elsewhere"), bare.root / "job/post"
    path = f"{bare.root / 'bin'}:{there.environ()['PATH']}"
    slurm = {"PATH": path, "SLURM_JOB_ID": "17", "SLURM_JOB_NODELIST": "node-[1-2]", "SLURM_SUBMIT_DIR": str(folder)}
    log = bare.root / "log"
    assert there.job(folder, **slurm, LOG=str(log)).returncode == 0
    assert log.read_text().splitlines() == ["show hostnames node-[1-2]", "requeue 17"]
    assert not (bare.root / "job/post.zyc.tar").exists()
    done = there.job(folder, **slurm, LOG=str(log))
    assert done.returncode == 0, done.stderr
    assert (folder / "out/x").read_text() == "node-1\n"
    (adopted,) = bare.zyc("adopt", "job/post.zyc.tar", "--json").data["adopted"]
    assert adopted["environment"]["host"] == "slurm"
    with tarfile.open(bare.root / "job/post.zyc.tar") as tar:
        assert json.load(tar.extractfile("adopt.json"))["seconds"] > 2, "both parts count"


def test_a_bar_shows_how_far_a_run_is(tmp_path, monkeypatch):
    """What a step says of itself is shown while it runs; what it does not say is not."""
    carrying = runpy.run_path(str(CARRYING))
    monkeypatch.chdir(tmp_path)
    assert carrying["told_bar"]() == ""
    (tmp_path / "events.jsonl").write_text('{"step": 1, "of": 4}\n{"step": 2, "of": 4, "loss": 0.5, "note": "x"}\n')
    assert carrying["told_bar"]() == "████████████░░░░░░░░░░░░  step 2/4  loss 0.5"
    (tmp_path / "events.jsonl").write_text('{"step": 2, "of"')
    assert carrying["told_bar"]() == ""


def test_variables_that_the_key_counts_must_be_the_same_there(bare, tmp_path):
    """A variable with another value is refused, a secret only has to be there, and no value stands in the notebook."""
    bare.spec("steps: {post: {run: 'echo $CITY > out/x', secrets: [KEY], env: [CITY]}}")
    assert bare.zyc("render", "post", "--as", "notebook", KEY="sesame-0815", CITY="Ulm-on-the-river").code == 0
    assert not {"sesame-0815", "Ulm-on-the-river"} & {*re.findall(r"[\w-]+", bare.read("post.ipynb"))}
    there = Elsewhere(tmp_path / "elsewhere")
    there.bring(bare.root / "post.ipynb")
    assert "set the variable CITY first" in there.run("post.ipynb").stderr
    assert "the variable CITY has another value" in there.run("post.ipynb", CITY="Bonn").stderr
    assert "set the variable KEY first" in there.run("post.ipynb", CITY="Ulm-on-the-river").stderr
    done = there.run("post.ipynb", CITY="Ulm-on-the-river", KEY="another")
    assert done.returncode == 0, done.stderr


def test_trees_are_named_there_as_the_store_names_them(tmp_path, desk):
    """Names, links, programs, empty folders, no times: one digest, here and in the notebook."""
    top = tmp_path / "tree"
    for name, text in {"a/b.txt": "b", "a/ü.txt": "", "run.sh": "#!/bin/sh\n", "a.b/c": "c"}.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    (top / "run.sh").chmod(0o755)
    (top / "empty/inside").mkdir(parents=True)
    (top / "a/link").symlink_to("..//a.b/./c")
    carrying = runpy.run_path(str(CARRYING))
    assert carrying["tree_digest"](top) == tree_of(World(), top).digest


def test_packages_that_satisfy_their_pin_are_left_alone(monkeypatch):
    """Another build of the same version will do; another version, and none, will not."""
    carrying = runpy.run_path(str(CARRYING))
    metadata = carrying["metadata"]
    here = {"torch": "2.13.0+cu128", "peft": "0.20.0"}

    def version(name):
        if name not in here:
            raise metadata.PackageNotFoundError(name)
        return here[name]

    monkeypatch.setattr(metadata, "version", version)
    assert carrying["lacking"](["torch==2.13.0", "peft==0.21.0", "datasets[audio]==5.2.0"]) == [
        "peft==0.21.0",
        "datasets[audio]==5.2.0",
    ]
