"""What hostile or careless files, names and texts cannot do: hang zyc, leave its project, move a cursor, become code, leak."""

from __future__ import annotations

import io
import json
import os
import random
import re
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

from zyc.cli import run
from zyc.report.console import safe
from zyc.world import World

UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Said:
    """What a call said, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def text(self) -> str:
        """All of it."""
        return self.out + self.err


@contextmanager
def limit(seconds: int) -> Iterator[None]:
    """A call that takes longer hangs."""

    def ring(*_: object) -> None:
        pytest.fail(f"it took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Place:
    """A project that somebody made to hurt."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "specs").mkdir(parents=True)
        (root / "data").mkdir()

    def write(self, path: str, text: str | bytes) -> Path:
        """A file."""
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(text.encode() if isinstance(text, str) else text)
        return full

    def steps(self, text: str, file: str = "a") -> None:
        """A spec with these steps."""
        self.write(f"specs/{file}.yml", f"zyc: 1\nsteps:\n{text}")

    def zyc(self, *words: str, seconds: int = 20, **environ: str) -> Said:
        """One call, which must end, print nothing that moves a cursor, and answer with a known exit code."""
        out, err = io.StringIO(), io.StringIO()
        before = Path.cwd()
        os.chdir(self.root)
        own = {"PATH": os.environ["PATH"], "HOME": str(self.root), "COLUMNS": "120", **environ}
        try:
            with limit(seconds), patch.dict(os.environ, own, clear=True), redirect_stdout(out), redirect_stderr(err):
                code = run(words)
        finally:
            os.chdir(before)
        said = Said(code, out.getvalue(), err.getvalue())
        assert code in (0, 1, 2, 3)
        assert not UNSAFE.search(said.text), said.text
        assert "Traceback" not in said.text
        return said

    def refused(self, *words: str, **environ: str) -> str:
        """A call that is refused, and why."""
        said = self.zyc(*(words or ("check",)), **environ)
        assert said.code == 2, said.text
        return said.err


@pytest.fixture
def place(tmp_path):
    """A project in a folder of its own, with other things beside it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("the crown jewels\n")
    (tmp_path / "outside" / "spec.yml").write_text("zyc: 1\nabout: the crown jewels\nsteps: {jewels: the crown}\n")
    return Place(tmp_path / "project")


# --- size ---


def bomb(width: int, depth: int) -> str:
    """A text of a few lines that would be enormous."""
    lines = "".join(f"  a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * width)}]\n" for at in range(1, depth))
    return f"zyc: 1\nvars:\n  a0: &a0 [x]\n{lines}"


ENORMOUS = {
    "aliases of aliases": (bomb(9, 60), "aliases repeat more than"),
    "brackets": ("zyc: 1\nabout: " + "[" * 100_000, "nested deeper than"),
    "braces": ("zyc: 1\nabout: " + "{a: " * 100_000, "nested deeper than"),
    "lists of lists": ("zyc: 1\nabout:\n" + "- " * 100_000 + "x\n", "nested deeper than"),
    "an anchor in itself": ("zyc: 1\nabout: &a [*a]\n", "holds itself"),
    "a matrix of 10^12": (
        "zyc: 1\nsteps:\n  a: {run: x, matrix: {a: &v [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "
        + ", ".join(f"{axis}: *v" for axis in "bcdefghijkl")
        + "}}\n",
        "would have 1,000,000,000,000 members",
    ),
    "a join of 10^15": (
        "zyc: 1\nsteps:\n"
        + "".join(f"  f{at}: {{run: x, matrix: {{a{at}: [{', '.join(map(str, range(1_000)))}]}}}}\n" for at in range(5))
        + "  all: {run: x, inputs: {a: f0, b: f1, c: f2, d: f3, e: f4}}\n",
        "`all` would have 1,000,000 members",
    ),
    "a name of a thousand letters": (f"zyc: 1\nsteps:\n  {'x' * 1_000}: make\n", "cannot name a node"),
    "a field of a thousand letters": (f"zyc: 1\nsteps:\n  a:\n    {'x' * 1_000}: make\n", "no field"),
    "a number of a million digits": (
        f"zyc: 1\nsteps: {{a: {{run: x, placement: {{cpus: {'9' * 1_000_000}}}}}}}\n",
        "whole number",
    ),
    "a text of a million lines": ("zyc: 1\nsteps:\n  a:\n    rnu: |\n" + "      x\n" * 1_000_000, "did you mean `run`"),
    "a thousand typos": ("zyc: 1\nsteps:\n" + "".join(f"  n{at}: {{rnu: x}}\n" for at in range(1_000)), "1,000 errors"),
    "a thousand names that nobody has": (
        "zyc: 1\nsteps:\n" + "".join(f"  n{at}: {{run: x, inputs: {{a: m{at}}}}}\n" for at in range(1_000)),
        "1,000 errors",
    ),
    "a cycle of 5,000": (
        "zyc: 1\nsteps:\n" + "".join(f"  n{at}: {{run: x, inputs: {{a: n{(at + 1) % 5_000}}}}}\n" for at in range(5_000)),
        "need each other: `n0` -> `n1` -> `n2`",
    ),
}


@pytest.mark.parametrize("name", ENORMOUS)
def test_what_would_be_enormous_is_refused_at_once(place, name) -> None:
    """Bombs, endless nesting and products that nobody meant are told in a few lines, in seconds."""
    text, told = ENORMOUS[name]
    place.write("specs/a.yml", text)
    said = place.refused()
    assert told in said
    assert len(said) < 60_000


def test_a_spec_of_100_megabytes_is_not_even_read(place) -> None:
    """A file that is too large is refused by its size."""
    with (place.root / "specs" / "a.yml").open("wb") as file:
        file.truncate(100_000_000)
    with patch.object(World, "read", lambda *_: pytest.fail("it was read")):
        assert "has 100,000,000 bytes; a spec may have 32,000,000" in place.refused()


def test_a_chain_of_three_thousand_nodes_is_a_plan(place) -> None:
    """No depth of a graph exhausts Python's stack."""
    place.steps("  n0: x\n" + "".join(f"  n{at}: {{run: x, inputs: {{a: n{at - 1}}}}}\n" for at in range(1, 3_000)))
    assert "3,000 run" in place.zyc("plan").out
    assert place.zyc("why", "n2999").code == 0


# --- what is no file, or not the project's ---


def make(what: str, path: Path) -> None:
    """Something that is no file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if what == "pipe":
        os.mkfifo(path)
    elif what == "socket":
        here = Path.cwd()
        os.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
        os.chdir(here)
    elif what == "folder":
        path.mkdir()
    elif what == "endless":
        path.symlink_to("/dev/zero")
    elif what == "loop":
        path.symlink_to(path.name)
    elif what == "outside":
        path.symlink_to(path.parents[len(path.relative_to(path.parents[2]).parts) - 1] / "outside")
    else:
        path.symlink_to("nowhere")


ODD = ("pipe", "socket", "endless", "loop", "nowhere")


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("where", ["specs/b.yml", "specs/profiles/p.yml", "zyc.yml", "zyc.lock", "templates/step/lib/x.py"])
def test_what_is_no_file_is_never_waited_for(place, what, where) -> None:
    """A pipe, socket, device or loop in the place of a file of zyc's is told where it stands, or is not there."""
    place.steps("  page: make html\n")
    make(what, place.root / where)
    said = place.zyc("plan", "--profile", "p") if "profiles" in where else place.zyc("plan")
    absent = what == "nowhere" and where in ("zyc.yml", "zyc.lock")
    assert said.code == (0 if absent else 2)
    assert absent or f" --> {where}:1:1" in said.err


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("field", ["files: {a: data/x}", "files: {a: data}", 'files: {a: "data/*"}', "scripts: {x.py: data/x}"])
def test_an_input_that_is_no_file_is_never_waited_for(place, what, field) -> None:
    """A pipe, socket, device or loop is no input, alone, in a folder or behind a glob: told with its field."""
    place.steps(f"  page: {{run: x, {field}}}\n")
    make(what, place.root / "data" / "x")
    said = place.refused("plan")
    assert "data/x" in said
    assert re.search(r"(files\.a|scripts\.x\.py)`", said)


@pytest.mark.parametrize(
    "path",
    ["../outside/secret.txt", "data/../../outside/secret.txt", "/etc/passwd", "~/secret.txt", "~root/x", "C:\\x", "//x/y", ".."],
)
@pytest.mark.parametrize("field", ["files: {{a: {}}}", "scripts: {{x.py: {}}}"])
def test_no_path_leaves_the_project(place, path, field) -> None:
    """`..`, absolute paths and homes are refused by what is written, before anything is looked at."""
    place.steps(f"  page: {{run: x, {field.format(json.dumps(path))}}}\n")
    assert "expected a path inside the project" in place.refused("plan")


@pytest.mark.parametrize(
    "paths",
    [["data/x"], ["data"], ["data/*"], ["data/**"], ["data/x/*"], ["data/x/secret.txt"], ["data/x/passwd", "data/x/secrt.txt"]],
)
def test_no_link_leaves_the_project(place, paths) -> None:
    """A link out of the project is refused, alone, on the way, in a folder or behind a glob; what lies there is not listed."""
    (place.root / "data" / "x").symlink_to("../../outside")
    place.steps("".join(f"  page{at}: {{run: x, files: {{a: {json.dumps(path)}}}}}\n" for at, path in enumerate(paths)))
    said = place.refused("plan")
    assert said.count("leads out of the project") == len(paths)
    assert "jewels" not in said
    assert "did you mean" not in said


@pytest.mark.parametrize("where", ["specs/b.yml", "specs/profiles/p.yml", "zyc.lock", "templates/step/lib/x.py"])
def test_no_file_of_zycs_is_taken_from_outside(place, where) -> None:
    """A spec, profile, lock or template that is a link out of the project is refused, and no line of it is shown."""
    place.steps("  page: make html\n")
    (place.root / where).parent.mkdir(parents=True, exist_ok=True)
    (place.root / where).symlink_to(place.root.parent / "outside" / ("spec.yml" if where.endswith("yml") else "secret.txt"))
    said = place.refused("plan", "--profile", "p") if "profiles" in where else place.refused("plan")
    assert f"`{where}` is a link that leads out of the project" in said
    assert "jewels" not in said


def test_a_folder_of_templates_is_not_taken_from_outside(place) -> None:
    """A `templates` that is a link to a whole disk is not walked."""
    place.steps("  page: make html\n")
    (place.root / "templates").symlink_to("/")
    assert "`templates` is a link that leads out of the project" in place.refused("plan")


@pytest.mark.parametrize("target", [".", "..", "/", "../../outside", "more"])
def test_a_link_to_a_folder_of_specs_is_told(place, target) -> None:
    """Specs behind a link to a folder would be missing without a word, and a loop of links would have no end."""
    place.steps("  page: make html\n")
    (place.root / "specs" / "more").symlink_to(target)
    assert " --> specs/more:1:1" in place.refused()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("where", ["specs/a.yml", "data/x", "data", "specs/deep"])
def test_what_may_not_be_read_is_told(place, where) -> None:
    """A file or folder without permission is an error with its name."""
    place.steps("  page: {run: x, files: {a: data/x, b: data}}\n")
    place.write("data/x", "x")
    place.write("specs/deep/b.yml", "zyc: 1\n")
    (place.root / where).chmod(0)
    try:
        assert f"`{where}" in place.refused("plan")
    finally:
        (place.root / where).chmod(0o700)


@pytest.mark.parametrize("where", ["specs/a.yml", "data/x"])
def test_what_the_disk_does_not_give_is_told(place, where) -> None:
    """A file that cannot be read is an error at its place, whoever asks."""
    place.steps("  page: {run: x, files: {a: data/x}}\n")
    place.write("data/x", "x")

    def guarded(real):
        def reading(self, path):
            if os.fspath(path).endswith(where):
                raise PermissionError(13, "Permission denied", os.fspath(path))
            return real(self, path)

        return reading

    with patch.object(World, "read", guarded(World.read)), patch.object(World, "digest", guarded(World.digest)):
        said = place.refused("plan")
    assert f"cannot read `{where}`: Permission denied" in said
    assert " --> specs/a.yml:" in said


# --- names and texts that would move a cursor ---

ESCAPES = "\x1b[31mred\x1b]0;title\x07\r\x08\u202eabc\u2066\u200f\x9b31m"


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2Jb", "a\u202eb", "a\x7fb", "a\u2028b", "\udcff"])
def test_a_spec_with_an_unseen_name_is_refused(place, name) -> None:
    """A spec whose name holds a line end, an escape or what turns the line around is refused, and told on one line."""
    place.steps("  page: make html\n")
    (place.root / "specs" / f"{name}.yml").write_text("zyc: 1\nsteps: {other: {rnu: x}}\n")
    for words in (["check"], ["plan"], ["check", "--format", "github"], ["check", "--json"], ["plan", "page"]):
        said = place.zyc(*words)
        assert said.code == (0 if words == ["plan", "page"] else 2)
        assert "has a character that cannot be seen" in said.text
    assert json.loads(place.zyc("check", "--json").out)["errors"][0]["places"][0]["file"] == f"specs/{name}.yml"


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2Jb", "a\u202eb", "\udcff", "-rf", "$(touch gone)", "a'b\"c", "a b", "*", "\\"])
def test_an_input_may_be_called_anything(place, name) -> None:
    """A file of the user's may have any name, alone in a folder or behind a glob: it reaches the step, nothing else happens."""
    place.write("data/plain", "")
    (place.root / "data" / name).write_text("it is here\n")
    place.steps("  page: {run: cat in/a/* in/b/* > out/x, files: {a: data, b: 'data/*'}}\n")
    assert place.zyc("build").code == 0
    assert (place.root / "artifacts" / "nodes" / "page" / "x").read_text() == "it is here\n" * 2
    assert not list(place.root.rglob("gone"))
    for words in (["plan"], ["show", "page"], ["why", "page"], ["plan", "--json"]):
        assert place.zyc(*words).code == 0


def test_what_a_step_says_moves_no_cursor(place) -> None:
    """A log, a measure's name and a file of a result with escapes in them are shown without."""
    told = json.dumps({f"m{ESCAPES}\n": 1, "deep": {ESCAPES: 2}})
    place.write("data/told.json", told)
    place.write("data/log", ESCAPES)
    place.steps(
        '  good: {run: cp in/told measures.json; touch out/x, files: {told: data/told.json}, about: "rtl \\u202e"}\n'
        "  bad: {run: cat in/log; exit 1, files: {log: data/log}, gates: [x < 1]}\n"
    )
    assert place.zyc("build").code == 1
    for words in (["show", "good"], ["show", "good", "--json"], ["build", "--json"], ["ls", "-l"], ["plan"], ["why", "bad"]):
        place.zyc(*words)


# --- texts that would be code ---

PIECES = (
    "'", '"', "`", "\\", "$(touch gone)", "${x}", "$x", ";", "&&", "|", "\n", "\r\n", "\t", "#", "--", "{{ x }}", "{% x %}",
    "%s", "{0}", "é", "日本", "\U0001f600", "a\u0301", "\u00a0", "\u2028", "\u202e", "\ufeff", "EOF", "__import__('os')",
    "</script>", "\\n", "\\u0000", "!!", "~", "*", "null", "1e9", " ", "  ", "x", "$'\\n'", "$((1))", "<(x)", "\\\n", "%", "^",
    "[", "]", "\x85", "ÿ", "\u200b", "-", "=", "export",
)  # fmt: skip


def strings(seed: int, count: int) -> list[str]:
    """Texts that end quotes, start commands, or look like another language; what YAML refuses is left out."""
    rng = random.Random(seed)
    made = [*PIECES, *("".join(rng.choice(PIECES) for _ in range(rng.randrange(2, 9))) for _ in range(count - len(PIECES)))]
    return [each for each in made if not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", each)]


def written(text: str) -> str:
    """A text as YAML may hold it: JSON, but that YAML writes an emoji in one escape."""
    return "".join(
        char if " " <= char <= "~" or char.isprintable() else f"\\U{ord(char):08x}"
        for char in json.dumps(text, ensure_ascii=False)
    )


def hostile(place: Place, texts: Sequence[str]) -> None:
    """Every text, through vars and a matrix, arrives in a step as it was written, and runs nothing."""
    names = [f"v{at}" for at in range(len(texts))]
    lines = "".join(f"  {name}: {written(text)}\n" for name, text in zip(names, texts, strict=True))
    labels = ", ".join(f"l{at}: {written(text.replace('$(', '$$('))}" for at, text in enumerate(texts[:20]))
    command = " ".join(f'"$ZYC_VARS_V{at}"' for at in range(len(texts)))
    place.write(
        "specs/a.yml",
        f"zyc: 1\nvars:\n{lines}steps:\n  all:\n    run: |\n      printf '%s\\0' {command} > out/all\n"
        f'  each:\n    run: printf %s "$ZYC_MATRIX_TEXT" > out/one\n    about: $(matrix.text)\n'
        f"    matrix: {{text: {{{labels}}}}}\n",
    )
    said = place.zyc("build", seconds=120)
    assert said.code == 0, said.text
    nodes = place.root / "artifacts" / "nodes"
    assert (nodes / "all" / "all").read_bytes().decode().split("\0")[:-1] == list(texts)
    for at, text in enumerate(texts[:20]):
        assert (nodes / f"each--text-l{at}" / "one").read_bytes().decode() == text
    assert not list(place.root.rglob("gone"))
    for words in (
        ["plan", "--all"],
        ["show", "each@text=l0"],
        ["ls", "-l"],
        ["graph", "--format", "mermaid"],
        ["plan", "--json"],
    ):
        assert place.zyc(*words).code == 0


def test_three_hundred_hostile_texts_reach_a_step_as_they_are(place) -> None:
    """No text of a spec becomes code: quotes, expansions, heredocs and line ends arrive letter for letter."""
    hostile(place, strings(1, 300))


def test_a_rendered_graph_holds_hostile_texts_as_they_are(place) -> None:
    """What `render` writes parses, runs by itself, and runs nothing that a text says."""
    texts = strings(2, 60)
    hostile(place, texts)
    assert place.zyc("render", "-o", "rendered").code == 0
    subprocess.run(["bash", "rendered/run.sh"], cwd=place.root, check=True, capture_output=True, timeout=60)
    assert (place.root / "rendered" / "all" / "out" / "all").read_bytes().decode().split("\0")[:-1] == texts
    for path in (place.root / "rendered").rglob("*.sh"):
        subprocess.run(["bash", "-n", path], check=True, timeout=20)
    assert not list(place.root.rglob("gone"))


BAD_SCRIPTS = (
    "command.sh", "Command.sh", "values.sh", "./command.sh", "a/../command.sh", "command.sh/x", "/x", "../x", "a/../../x", "",
    ".", "a//b", "a/", "a\nb", "a\tb", "a b", "$(x)", "..", "a/./b", "é.py", "-x/../../y", "a\\b", "recipe/../../x", "x" * 300,
)  # fmt: skip


@pytest.mark.parametrize("name", BAD_SCRIPTS)
def test_no_script_stands_where_it_should_not(place, name) -> None:
    """A script's name is a plain path below `recipe/` that nothing else has."""
    place.write("data/x.sh", "echo stolen > out/x\n")
    place.steps(f"  page: {{run: echo mine > out/x, scripts: {{{written(name)}: data/x.sh}}}}\n")
    place.refused("build")
    assert not (place.root / "artifacts" / "steps").exists()


# --- secrets ---

SECRET = "hunter2-0815-sésame"


def test_a_planted_secret_appears_nowhere(place) -> None:
    """A secret that steps use, print and fail with is in no file of the project and in nothing that is said."""
    place.steps(
        "  use: {run: 'echo $KEY; echo $KEY >&2; test -n \"$KEY\" && echo ok > out/x', secrets: [KEY]}\n"
        "  fail: {run: 'echo $KEY; printf %s $KEY; false', secrets: [KEY], inputs: {use: use}}\n"
        "  retry: {run: 'echo $KEY > state/.x; rm state/.x; exit 3', secrets: KEY, placement: {resume: true}}\n"
        "  never: {run: 'true', secrets: [KEY, OTHER_KEY]}\n"
    )
    said = [place.zyc("plan", KEY=SECRET), place.zyc("build", KEY=SECRET)]
    said += [
        place.zyc(*words, KEY=SECRET, OTHER_KEY=SECRET)
        for words in (["build"], ["build", "--json"], ["plan", "--json"], ["render"])
    ]
    for verb in ("show", "why"):
        said += [place.zyc(verb, node, *form, KEY=SECRET) for node in ("use", "fail") for form in ([], ["--json"])]
    assert [each.code for each in said[:4]] == [0, 2, 1, 1]
    for each in said:
        assert SECRET not in each.text
    for path in place.root.rglob("*"):
        assert SECRET not in str(path)
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    "how",
    [
        "echo $KEY > out/x",
        "mkdir out/a; printf a%sb $KEY > out/a/x",
        "touch out/$KEY",
        "touch out/x; echo '{\"'$KEY'\": 1}' > measures.json",
    ],
)
def test_a_result_that_holds_a_secret_is_not_kept(place, how) -> None:
    """A step that writes its secret into its result fails, and the store has nothing of it."""
    place.steps(f"  leak: {{run: {json.dumps(how)}, secrets: [KEY]}}\n")
    said = place.zyc("build", KEY=SECRET)
    assert said.code == 1
    assert "holds a secret" in said.text
    assert SECRET not in said.text
    for path in (place.root / "artifacts" / "store").rglob("*"):
        assert SECRET not in str(path)
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


STEP_FIELDS = (
    "about: {}", "tags: [{}]", "gates: [{}]", "twin: {}", "inputs: {{a: {}}}", "inputs: {{a: [{}]}}", "files: {{a: {}}}",
    "scripts: {{a.py: {}}}", "env: [{}]", "secrets: [{}]", "tools: [{}]", "packages: [{}]", "placement: {}",
    "placement: {{cpus: {}}}", "placement: {{memory: {}}}", "placement: {{resume: {}}}",
    "inputs: {{a: {{select: {{from: {}, max: x}}}}}}", "inputs: {}", "files: {}", "matrix: {{a: [{}]}}", "matrix: {}",
    "search: {}", "search: {{over: {{a: [0 .. 1]}}, max: {}, runs: 3}}", "about: x {} y",
)  # fmt: skip


@pytest.mark.parametrize("field", STEP_FIELDS)
def test_the_environment_is_only_for_secrets(place, field) -> None:
    """`$(env.NAME)` in any field that is no secret is refused, and its value is nowhere."""
    place.steps(f"  page: {{run: x, {field.format('$(env.KEY)')}}}\n")
    said = place.refused("plan", KEY=SECRET)
    assert "error: `$(env.KEY)` is only for fields that are secrets" in said
    assert SECRET not in said


def test_the_environment_reaches_no_var_profile_or_override(place) -> None:
    """Neither a var nor a profile nor `--set` brings a value of the environment into a field."""
    place.write("specs/a.yml", "zyc: 1\nvars: {v: $(env.KEY)}\nsteps: {page: {run: x, about: $(vars.v)}}\n")
    assert "nothing is expanded in vars" in place.refused("plan", KEY=SECRET)
    place.steps("  page: {run: x}\n")
    place.write("specs/profiles/p.yml", "steps: {page: {about: $(env.KEY)}}\n")
    for words in (["--profile", "p"], ["--set", "page.about=$(env.KEY)"]):
        said = place.refused("plan", *words, KEY=SECRET)
        assert "is only for fields that are secrets" in said
        assert SECRET not in said


def test_a_secret_in_a_spec_is_not_shown(example, place) -> None:
    """A text that stands where a secret belongs is starred out in what the error shows."""
    place.write("specs/a.yml", f"zyc: 1\nscorers: {{s: {{model: m, tasks: {{}}, token: '{SECRET}'}}}}\n")
    for words in (["check"], ["check", "--json"], ["check", "--format", "github"]):
        said = place.zyc(*words)
        assert said.code == 2
        assert SECRET not in said.text
        assert "takes a secret" in said.text


def test_a_plan_runs_nothing_of_the_projects(place) -> None:
    """A tool is looked up on the PATH, never in the project; a template computes nothing."""
    place.write("evil", "#!/bin/sh\ntouch gone\n").chmod(0o755)
    place.steps("  page: {run: x, tools: [./evil, evil, ../project/evil]}\n")
    place.zyc("plan")
    assert not (place.root / "gone").exists()


def test_what_is_escaped_can_be_told_apart() -> None:
    """Two texts that differ only in what cannot be seen are shown differently."""
    assert safe("a\u202eb") != safe("a\u202db") != safe("ab")
    assert safe("\x1b[31m") == "\\x1b[31m"
