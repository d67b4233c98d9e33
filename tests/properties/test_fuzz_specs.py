"""Broken specs of every shape through the whole front half: problems with places, never an exception, never a hang."""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import pytest

from zyc import kinds, source
from zyc.cli import run
from zyc.errors import WORDING, Problem, ZycError
from zyc.front import Call, Front
from zyc.graph import Node
from zyc.kept import Kept
from zyc.place.project import Project
from zyc.planning.digest import key_of, of_text
from zyc.report import forms as report_forms
from zyc.report import plan as report_plan
from zyc.report import problems as report
from zyc.report.console import Console
from zyc.world import World

LONGEST = 5.0  # seconds for one mutant, on a machine that is busy with others

# --- a project with something of everything ---

PROJECT = {
    "specs/letters.yml": """\
# Letters, counted
zyc: 1
about: How letters follow each other
use: research
vars: {epochs: 3, keep: 50%}

corpuses:
  words: {files: data/words.txt, card: data/card.json, words: 40, gates: [words >= 10, letters > 1e1]}
  more:
    files: [data/words.txt, 'data/*.txt']
    card: data/card.json
    lower: false
    tags: [nightly, draft]

counters:
  pairs:
    base: words
    order: $(matrix.order)
    train: {epochs: $(vars.epochs), seed: 0x1f}
    matrix: {order: [1, 2, 3]}
    placement: {shards: 2, cpus: 1, memory: 1.5 GB}
    gates: [rows > 1, loss < 9]
  third: {base: more, order: 3, smoothing: 1e-3, train: {epochs: 2}}

pruners:
  small: {base: pairs, keep: $(vars.keep), gates: [contexts > 1, divergence < 0.5], twin: [contexts > 0]}
""",
    "specs/scores.yml": """\
zyc: 1
about: |
  What the letters are worth
vars:
  who: world

scorers:
  scores: &scores
    model: pairs
    title: for $(vars.who) and others
    tasks:
      known: {words: [anna, ban]}
      other:
        words:
          - nana
          - cab
    rivals: [third, small]
    token: $(env.LETTER_TOKEN)
    requires: [words]
    gates: [bits < 9, known.bits <= bits + 2, rivals = 4]
  last: {model: third, tasks: {one: {words: ana}}}

pruners:
  best: {base: {select: {from: scores, min: bits, take: pairs}}, keep: 10%}
""",
    "specs/pages/steps.yml": """\
zyc: 1
vars: {name: world, my-level: "3"}
steps:
  greeting: echo "hello, $ZYC_VARS_NAME" > out/greeting.txt
  page:
    about: A page of $(vars.my-level) things
    tags: nightly
    inputs: {greeting: greeting, scores: last, all: [pairs, small@order=2, scores]}
    files: {style: site/style.css, data: data, words: "data/w*.txt"}
    scripts: {make.py: scripts/make.py}
    env: [LETTER_LANGUAGE]
    secrets: [LETTER_TOKEN]
    packages: [zyc]
    run: |
      python3 recipe/make.py "$ZYC_VARS_NAME" > out/page.html
    gates: [lines >= 1, size < 4 MB, time <= 15 s, share >= 10%, lines != 7]
    placement: {cpus: 1, time: 2 min, memory: 0.5 GiB, resume: true}
  sizes:
    run: make $ZYC_MATRIX_SIZE
    inputs: {it: $(matrix.kind)}
    matrix: {size: [1, 2], kind: {first: greeting, second: page}}
  marks:
    run: mark $ZYC_MATRIX_SIZE $ZYC_MATRIX_COLOUR
    matrix:
      - {size: 1, colour: red}
      - {size: 2, colour: blue}
  book: {run: bind, inputs: {pages: [sizes, marks], one: sizes@size=1@kind=first}}
""",
    "specs/searches.yml": """\
zyc: 1
counters:
  blend: {base: words, smoothing: $(search.weight), search: {over: {weight: [0.5 .. 2]}, min: loss, runs: 4}}
""",
    "specs/profiles/a100.yml": """\
vars: {epochs: 9}
counters:
  pairs: {placement: {cpus: 1, shards: 4}}
steps:
  page: {about: On the large machine, placement: {memory: 1 GB}}
""",
    "zyc.yml": "hosts:\n  local: {cpus: 4, memory: 8 GB, price: 1.5}\n",
    "zyc.lock": 'zyc-lock: 1\npins:\n  "package:zyc": "0.1"\n',
    "data/words.txt": "anna\nana\nbanana\n",
    "data/card.json": '{"words": 60, "alphabet": "abcns", "licence": "cc0-1.0"}',
    "site/style.css": "body {}\n",
    "scripts/make.py": "print(ZYC_MATRIX_NOTHING)\n",
}
SPECS = tuple(name for name in PROJECT if name.endswith((".yml", ".lock")))


class Memory:
    """The files of a project that is on no disk."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def kind(self, path: str) -> str | None:
        """`file`, `folder`, or nothing."""
        if path in self.files:
            return "file"
        return "folder" if path == "." or any(name.startswith(f"{path}/") for name in self.files) else None

    def names(self, folder: str) -> list[str]:
        """What a folder holds."""
        return sorted({name.split("/")[0] for name in self.below(folder)})

    def below(self, folder: str) -> list[str]:
        """Every file below a folder."""
        start = "" if folder in (".", "") else f"{folder}/"
        return sorted(name[len(start) :] for name in self.files if name.startswith(start))

    def size(self, path: str) -> int:
        """How many bytes a file has."""
        return len(self.read(path))

    def digest(self, path: str) -> tuple[str, int]:
        """The sha256 and size of a file."""
        return of_text(self.read(path)), self.size(path)

    def lines(self, path: str) -> int:
        """How many lines of a file hold something."""
        return sum(map(bool, self.read(path).replace(b"\r", b"").split(b"\n")))

    def head(self, path: str, most: int) -> bytes:
        """The first bytes of a file."""
        return self.read(path)[:most]

    def runs(self, path):
        """Nothing here is a program."""
        return False

    def read(self, path: str) -> bytes:
        """All of a file."""
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self.files[path]

    def leaves(self, path: str) -> bool:
        """Nothing leads out of memory."""
        return False


class Quiet(World):
    """A world without programs, and with an environment of its own."""

    def environ(self) -> Mapping[str, str]:
        """The variables that the project asks for."""
        return {"LETTER_LANGUAGE": "en", "LETTER_TOKEN": "hunter2", "PATH": "/nowhere", "HOME": "/nowhere"}

    def output(self, *words: object, **_: object) -> tuple[int, str]:
        """No program is there."""
        raise FileNotFoundError(2, "No such file or directory", str(words[0]))

    def list(self, folder: object) -> tuple[str, ...]:
        """No graphics cards, no steps."""
        return ()


# --- one call, and what it must keep ---


@dataclass
class Answer:
    """What a call came to."""

    problems: tuple[Problem, ...] = ()
    nodes: int = 0
    seconds: float = 0.0
    codes: set[str] = field(default_factory=set)


def asked(files: Mapping[str, bytes], root: Path, *, kept: Kept | None = None, **call: object) -> Answer:
    """Compile, select, gather, check, plan and tell one project; whatever is wrong must be problems with places."""
    began = time.perf_counter()
    front = Front(Quiet(), Project(root), Call(**call), "", kept or Kept(), Memory(files))
    console = Console(io.StringIO(), io.StringIO(), 80)
    answer = Answer()
    try:
        plan = front.plan
        report_plan.table(console, front, (), title="specs", every=True)
        report_forms.as_data(plan, front.read_trace, ())
        report.warn(console, lambda file: text_of(files, file), front.warnings)
        answer.nodes, answer.problems = len(plan.decisions), tuple(front.warnings)
    except ZycError as error:
        report.tell(console, lambda file: text_of(files, file), error.problems)
        report.tell(console, lambda file: text_of(files, file), error.problems, json=True)
        answer.problems = error.problems
    said = console.out.getvalue() + console.err.getvalue()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", said), "what was said could move the cursor"
    assert "hunter2" not in said
    assert "zyc.kinds" not in said
    assert "pydantic" not in said
    assert answer.problems or answer.nodes or call, "refused without a word"
    for each in answer.problems:
        check(each, files)
    answer.codes = {each.code for each in answer.problems}
    answer.seconds = time.perf_counter() - began
    assert answer.seconds < LONGEST
    return answer


def text_of(files: Mapping[str, bytes], file: str) -> str | None:
    """A spec as an error shows it."""
    return files[file].decode("utf-8", "replace") if file in files else None


# what is about the call, not about a line of a file
PLACELESS = {"no-selection", "empty-selection", "bad-selector", "unknown-profile", "no-specs"}


def check(problem: Problem, files: Mapping[str, bytes]) -> None:
    """A problem says what, where and what next: its sentences are filled and short, its places are there."""
    assert problem.code in WORDING
    assert len(problem.message) < 1_500, problem.message
    assert "\n" not in problem.message
    assert len(problem.help) < 4_000
    assert problem.spans or problem.code in PLACELESS, problem
    for span in problem.spans:
        assert min(span.line, span.column, span.width) >= 1, problem
        if not span.file.startswith("--set "):
            assert span.file in files, problem
            assert span.line <= len(re.split(r"\r\n?|\n", text_of(files, span.file) or "")), problem


# --- mutants ---

STRANGE = (
    "", "~", "null", "true", "yes", "0", "-1", "1e400", "-1e-400", "NaN", ".inf", "0x" + "f" * 60, "9" * 400, "1_0_0",
    "1.5 GB", "5%", "10 s", "3 minutes", "$(vars.epochs)", "$(vars.)", "$(vars", "$(matrix.order)", "$(env.HOME)", "$(env.)",
    "$$(x)", "$(x)", "$()", "$(vars.who)$(vars.who)", "$(search.weight)", "pairs", "pairs@order=2", "pairs@", "@",
    "pairs@order=", "pairs@*", "small.proof", "pairs@order=1.proof", "page.", ".", "..", "../..", "/etc/passwd", "~/x", "data",
    "data/", "data/*", "**", "**/**/**/*", "[", "[]", "{}", "[[[[]]]]", "{a: {b: {c: }}}", "{select: {}}",
    "{select: {from: pairs, max: loss}}", "{select: {from: scores, min: bits}}", "{matrix: {}}", "{from: scores}", "a >= 4",
    "rows > 1", "rows >> 1", "words < words", "bits < nothing + 4", "é", "日本", "\u202eabc", "\ufeff", "\u00a0", "\U0001f600",
    "a\u0301", "x" * 5_000, "'", '"', "|", ">", "&a", "*a", "!!str x", "!x", "%", "@x", "`x`", "# c", "- x", "? x", ": x",
    "a: b", "*scores", '"\\x1b[31m"', '"\\u202e"', "'a\nb'", "[0.2 .. 0.8]", "[1, 1]", "{size: [1, 2]}", "[{size: 1}]",
    "specs/letters.yml", "__class__", "{{ x }}", "{x!r}", "{0}", "%s", "a" * 101, "a/b", "a b", "A", "1a", "-", "--", "_",
    "a--b", "con", "none",
)  # fmt: skip
TOKEN = re.compile(r"[\w.$()@%-]+|[^\w\s]|\s+")
Mutate = Callable[[random.Random, str], str]


def _span(rng: random.Random, text: str, most: int) -> tuple[int, int]:
    start = rng.randrange(len(text) + 1)
    return start, min(len(text), start + rng.randrange(most))


def swap_characters(rng: random.Random, text: str) -> str:
    """A character here and there is another one."""
    for _ in range(rng.randrange(1, 6)):
        start, end = _span(rng, text, 3)
        text = (
            text[:start]
            + rng.choice(":,[]{}'\"#&*!|>%@`-?$() \n\t\\0aé\x00\x1b\u2028\ud800"[: 31 if rng.random() < 0.9 else 40])
            + text[end:]
        )
    return text


def swap_tokens(rng: random.Random, text: str) -> str:
    """Words are those of another place."""
    tokens = TOKEN.findall(text) or [""]
    for _ in range(rng.randrange(1, 4)):
        tokens[rng.randrange(len(tokens))] = rng.choice(tokens)
    return "".join(tokens)


def move_lines(rng: random.Random, text: str) -> str:
    """Lines are gone, given twice, elsewhere, or indented otherwise."""
    lines = text.split("\n")
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(lines))
        how = rng.randrange(5)
        if how == 0 and len(lines) > 1:
            del lines[at]
        elif how == 1:
            lines.insert(rng.randrange(len(lines) + 1), lines[at])
        elif how == 2:
            other = rng.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif how == 3:
            lines[at] = " " * rng.randrange(6) + lines[at].lstrip()
        else:
            lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
    return "\n".join(lines)


def scalars(text: str) -> list[tuple[int, int]]:
    """Where the scalars of a spec stand, keys too."""
    root = source.parse(text.encode("utf-8", "replace"), "a.yml").root
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    places: list[tuple[int, int]] = []
    waiting: list[object] = [root]
    while waiting:
        here = waiting.pop()
        if isinstance(here, source.Map):
            waiting += [*here, *here.values()]
        elif isinstance(here, source.Seq):
            waiting += here
        elif here is not None:
            at = starts[here.line - 1] + here.column - 1
            places.append((at, at + here.width))
    return places


def swap_values(rng: random.Random, text: str) -> str:
    """Two fields or values change places."""
    places = scalars(text)
    if len(places) < 2:
        return text
    (a, b), (c, d) = sorted(rng.sample(places, 2))
    return text if b > c else text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:]


def strange_values(rng: random.Random, text: str) -> str:
    """A field or value is something that nobody expects there."""
    places = scalars(text)
    for a, b in sorted(rng.sample(places, min(len(places), rng.randrange(1, 3))), reverse=True):
        text = text[:a] + rng.choice(STRANGE) + text[b:]
    return text


def nested(rng: random.Random, text: str) -> str:
    """A value is within brackets of brackets."""
    places = scalars(text)
    if not places:
        return text
    a, b = rng.choice(places)
    depth = rng.choice((1, 2, 10, 60, 70, 3_000))
    kind = rng.choice(("[]", "{}", "()"))
    inner = text[a:b] if kind == "[]" else f"{rng.choice(('a', 'select', 'matrix', 'words'))}: {text[a:b]}"
    opened = kind[0] if kind != "{}" else "{a: "
    return text[:a] + opened * depth + inner + kind[1] * depth + text[b:]


MUTATIONS: tuple[Mutate, ...] = (
    swap_characters, swap_tokens, move_lines, move_lines, swap_values, swap_values, *(4 * [strange_values]), nested,
)  # fmt: skip


def mutants(seed: int, count: int) -> Iterator[dict[str, bytes]]:
    """Projects in which something is broken: mostly one file, by one or two mutations."""
    rng = random.Random(seed)
    for _ in range(count):
        texts = dict(PROJECT)
        if rng.random() < 0.8:
            del texts["specs/searches.yml"]  # a search plans twice
        for _ in range(rng.choice((1, 1, 1, 2))):
            name = rng.choice(SPECS[:3] if rng.random() < 0.85 else SPECS)
            if name in texts:
                texts[name] = rng.choice(MUTATIONS)(rng, texts[name])
        if rng.random() < 0.03:
            one, two = rng.sample(SPECS, 2)
            texts[one] = texts.get(one, "") + PROJECT[two]
        if rng.random() < 0.03:
            del texts[rng.choice(sorted(texts))]
        if rng.random() < 0.02:
            texts[f"specs/{rng.choice(('more', 'a b', 'é', 'x' * 200))}.yml"] = texts[rng.choice(sorted(texts))]
        yield {name: text.encode("utf-8", "surrogatepass") for name, text in texts.items()}


# --- what is typed ---

NAMES = (
    "pairs", "pairs@order=2", "scores", "small", "blend", "page", "sizes", "sizes@size=1", "greeting", "third", "vars",
    "words", "nobody", "small.proof", "scores.known", "best.select", "pairs@*",
)  # fmt: skip
FIELDS = (
    "base", "train", "train.epochs", "train.epochs.x", "matrix", "matrix.order", "search", "search.over", "search.over.weight",
    "gates", "gates.0", "placement.cpus", "placement", "keep", "run", "inputs", "inputs.greeting", "files.style",
    "scripts.make.py", "token", "title", "tasks.known.words", "tasks.new", "select", "about", "tags", "", "a.b.c", "epochs",
    "name", "Épochs", "x" * 300,
)  # fmt: skip


def typed_set(rng: random.Random) -> str:
    """What somebody may write behind `--set`."""
    path = f"{rng.choice(NAMES)}.{rng.choice(FIELDS)}" if rng.random() < 0.9 else rng.choice(STRANGE)
    value = rng.choice(STRANGE) if rng.random() < 0.6 else mapping(rng)
    return path + rng.choice(("=", "=", "=", "=", "==", "", " = ")) + value


def typed_selector(rng: random.Random) -> str:
    """What somebody may write to name nodes."""
    words = [
        *NAMES,
        "specs",
        "specs/",
        "specs/letters.yml",
        "*",
        "p*",
        "kind:step",
        "kind:",
        "tag:nightly",
        "state:new",
        "state:keep",
    ]
    words += ["state:x", ":", "a:b:c", "[", "[a", "..", ".", "", "/", "+", *STRANGE]
    parts = [
        rng.choice(("", "", "", "+", "++", "@")) + rng.choice(words) + rng.choice(("", "", "", "+", "+1"))
        for _ in range(rng.choice((1, 1, 2)))
    ]
    return ",".join(parts)


def gate(rng: random.Random) -> str:
    """What somebody may take for a gate."""
    words = (
        "rows",
        "loss",
        "divergence",
        "contexts",
        "a.b",
        "1",
        "2.5",
        "10%",
        "4 GB",
        "15 s",
        "-1",
        "1e999",
        "best",
        "*",
        "é",
        "",
        "a b",
    )
    signs = ("<", "<=", "=", "==", "!=", ">", ">=", "=>", "<>", "~", "and", "+", "-", "- -", "<= 1 <=")
    parts = [rng.choice((words, signs)[at % 2]) for at in range(rng.randrange(1, 6))]
    return rng.choice((" ", " ", "")).join(parts)


def mapping(rng: random.Random, depth: int = 0) -> str:
    """Something like a matrix, a search or a select."""
    keys = (
        "over",
        "from",
        "max",
        "min",
        "runs",
        "take",
        "select",
        "order",
        "weight",
        "size",
        "kind",
        "a",
        "A",
        "1",
        "a-b",
        "a_b",
        "x" * 61,
    )
    values = (
        "extra", "1", "2", "8", "many", "loss", "bits", "pairs", "scores", "blend", "[0.2 .. 0.8]", "[1 .. 9]", "[1 .. 1]",
        "[a .. b]", "[-1e308 .. 1e308]", "[1, 2, 3]", "[1, 1]", "[]", "[[1], {a: 1}]", "{short: 1, long: [1, 2]}", "{}",
        "10000", "0", "$(vars.keep)", "$(matrix.a)", "[A, a, a+b, a_b]",
    )  # fmt: skip
    kind = rng.random()
    if depth > 2 or kind < 0.3:
        return rng.choice(values)
    if kind < 0.75:
        chosen = rng.sample(keys, rng.randrange(0, 5))
        return "{" + ", ".join(f"{key}: {mapping(rng, depth + 1)}" for key in chosen) + "}"
    return "[" + ", ".join(mapping(rng, depth + 1) for _ in range(rng.randrange(0, 4))) + "]"


def calls(seed: int, count: int) -> Iterator[tuple[dict[str, bytes], dict[str, object]]]:
    """The project as it is, called in strange ways; or with strange gates, matrices, searches and selects in it."""
    rng = random.Random(seed)
    for _ in range(count):
        files, call = {name: text.encode() for name, text in PROJECT.items() if name != "specs/searches.yml"}, {}
        kind = rng.randrange(6)
        if kind == 0:
            call["sets"] = tuple(typed_set(rng) for _ in range(rng.choice((1, 1, 2))))
        elif kind == 1:
            call["select"] = tuple(typed_selector(rng) for _ in range(rng.choice((1, 1, 2))))
            call["exclude"] = tuple(typed_selector(rng) for _ in range(rng.choice((0, 0, 1))))
        elif kind == 2:
            call["profile"] = rng.choice(("a100", "A100", "a100.yml", "../letters", "", "é", "x" * 999, "profiles/a100", "."))
            call["twin"] = rng.random() < 0.5
        elif kind == 3:
            text = f"zyc: 1\npruners:\n  extra: {{base: third, gates: [{gate(rng)}, '{gate(rng)}'], twin: {gate(rng)}}}\n"
            files["specs/more.yml"] = text.encode()
        else:
            word = rng.choice(("matrix", "search", "search", "base"))
            rest = rng.choice(("", ", order: $(matrix.order)", ", smoothing: $(search.weight)", ", order: $(matrix.a)"))
            base = "" if word == "base" else "base: words, "
            text = f"zyc: 1\nvars: {{keep: 5}}\ncounters:\n  extra: {{{base}{word}: {mapping(rng)}{rest}}}\n"
            text += rng.choice(
                ("", "pruners:\n  final: {base: extra}\n", "pruners:\n  final: {base: {select: " + mapping(rng) + "}}\n")
            )
            files["specs/more.yml"] = text.encode()
        yield files, call


# --- the promises ---


@pytest.fixture
def kept() -> Kept:
    """Answers that are kept from one mutant to the next, as from call to call."""
    return Kept()


def test_the_project_itself_is_fine(example, tmp_path, kept) -> None:
    """What is mutated below plans without a word: as it is, with its profile, as a twin, and from kept answers."""
    files = {name: text.encode() for name, text in PROJECT.items()}
    for call in ({}, {"profile": "a100"}, {"twin": True}, {"select": ("page",)}, {}):
        answer = asked(files, tmp_path, kept=kept, **call)
        assert (answer.problems, answer.nodes > 10) == ((), True)


def test_a_thousand_broken_projects(example, tmp_path, kept) -> None:
    """Bytes, words, lines and values out of place: problems with places and nothing else; many kinds of them."""
    codes: set[str] = set()
    for files in mutants(1, 1_000):
        codes |= asked(files, tmp_path, kept=kept).codes
    assert len(codes) > 35


def test_hundreds_of_strange_calls(example, tmp_path, kept) -> None:
    """Whatever is typed as `--set`, `--profile`, selector, gate, matrix, search or select is answered in words."""
    codes: set[str] = set()
    for files, call in calls(2, 300):
        codes |= asked(files, tmp_path, kept=kept, **call).codes
    assert len(codes) > 15


VERBS = (
    ("check",), ("check", "--format", "github"), ("check", "--json"), ("plan",), ("plan", "--json"),
    ("plan", "--format", "markdown"), ("plan", "--twin"), ("plan", "--all"), ("ls", "-l"), ("ls", "--json"), ("graph",),
    ("graph", "--format", "mermaid"), ("graph", "--json"), ("show", "page"), ("show", "scores", "--json"), ("why", "page"),
    ("lock", "--check"), ("check", "page"), ("plan", "--profile", "a100"),
)  # fmt: skip


def typed(words: list[str], folder: Path) -> tuple[int, str, str]:
    """One call of zyc as a person makes it: exit code, answer, notes."""
    out, err = io.StringIO(), io.StringIO()
    environ = {"COLUMNS": "80", "LETTER_LANGUAGE": "en", "LETTER_TOKEN": "hunter2", "PATH": "/nowhere", "HOME": "/nowhere"}
    before = Path.cwd()
    os.chdir(folder)
    try:
        with patch.dict(os.environ, environ, clear=True), redirect_stdout(out), redirect_stderr(err):
            return run(words), out.getvalue(), err.getvalue()
    finally:
        os.chdir(before)


def spread(files: Mapping[str, bytes], folder: Path) -> None:
    """Write a project, and nothing else below its folders."""
    for name in ("specs", "data", "site", "scripts"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "specs").mkdir(parents=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)


def call_it(files: Mapping[str, bytes], words: list[str], folder: Path) -> None:
    """The command line keeps its promises, too: exit code 0, or 2 with words on standard error (with `--json`: data)."""
    spread(files, folder)
    code, out, err = typed(words, folder)
    assert code in (0, 1 if words[0] == "lock" else 0, 2)
    if "--json" in words:
        assert ("errors" in json.loads(out)) or code != 2
    else:
        assert ("error: " in err) == (code == 2)
    assert "hunter2" not in out + err


def test_broken_projects_on_the_command_line(example, tmp_path) -> None:
    """Every verb that looks answers a broken project with 0, or with 2 and words."""
    rng = random.Random(3)
    for files in mutants(3, 60):
        call_it(files, list(rng.choice(VERBS)), tmp_path)


# --- what changes no key ---


def keys(files: Mapping[str, bytes], root: Path) -> Counter[str]:
    """The key of each node as it would be if each made its tree of nothing but its key; how often each comes."""
    front = Front(Quiet(), Project(root), Call(), "", Kept(), Memory(files))
    told: dict[str, str] = {}
    for name, vertex in front.settlement.graph.vertices.items():
        kind = kinds.load(vertex.kind) if isinstance(vertex, Node) else None
        own = front.settlement.nodes[name].own if kind else ()
        lines = [(kind.place(edge.field) if kind else edge.field, told[edge.source]) for edge in vertex.edges if not edge.order]
        told[name] = key_of((*own, *(lines if kind else sorted(lines))))  # a family is what its members are
    return Counter(told[node.name] for node in front.settlement.graph.nodes())


def shuffled(value: object, rng: random.Random, at: tuple[str, ...] = ()) -> str:
    """A value as YAML again: mappings in another order (but axes: their order names the members), other styles."""
    if isinstance(value, source.Map):
        names = list(value)
        if at[-1:] != ("matrix",) and at[-2:] != ("matrix", "0"):
            rng.shuffle(names)
        return "{" + ", ".join(f"{quoted(name, rng)}: {shuffled(value[name], rng, (*at, str(name)))}" for name in names) + "}"
    if isinstance(value, source.Seq):
        return "[" + ", ".join(shuffled(each, rng, (*at, "0")) for each in value) + "]"
    return json.dumps(str(value), ensure_ascii=False) if not value.plain or re.search(r"[\n:#,\[\]{}*?$&]", value) else str(value)


def quoted(name: str, rng: random.Random) -> str:
    """A name with or without quotes."""
    return f'"{name}"' if rng.random() < 0.3 else name


def rewritten(rng: random.Random) -> dict[str, bytes]:
    """The same project: in other files, in another order, with comments, and with other names for its nodes."""
    files = {name: text for name, text in PROJECT.items() if not name.endswith(".yml") or name == "zyc.yml"}
    parts: dict[str, list[str]] = {}
    for name in (each for each in PROJECT if each.startswith("specs/") and "profiles" not in each):
        root = source.parse(PROJECT[name].encode(), name).root
        head = "".join(f"{word}: {shuffled(root[word], rng, (word,))}\n" for word in ("about", "use", "vars") if word in root)
        nodes = [(section, node) for section in root if section not in ("zyc", "about", "use", "vars") for node in root[section]]
        rng.shuffle(nodes)
        # what has vars stays with them; the rest may stand anywhere
        homes = [f"specs/{rng.choice(('a', 'b', 'deep/c'))}-{name[6:-4].replace('/', '-')}.yml" for _ in range(2)]
        for section, node in nodes:
            text = shuffled(root[section][node], rng, (node,))
            home = homes[0] if "$(vars" in text or "ZYC_VARS" in text else rng.choice(homes)
            parts.setdefault(home, [head if home == homes[0] else ""]).append(
                f"{section}:\n  {node}: {text}   # {rng.random()}\n"
            )
    for home, blocks in parts.items():
        sections: dict[str, list[str]] = {}
        for block in blocks[1:]:
            section, _, text = block.partition("\n")
            sections.setdefault(section, []).append(text)
        body = [f"{section}\n" + "\n".join(texts) for section, texts in sections.items()]
        rng.shuffle(body)
        files[home] = "# " + "c" * rng.randrange(9) + "\nzyc: 1\n" + blocks[0] + "\n".join(body)
    for name in ("words", "pairs", "third", "small", "scores", "greeting", "page", "sizes", "blend", "last"):
        new = f"n{rng.randrange(10**6)}"
        files = {home: renamed(text, name, new) if home.startswith("specs/") else text for home, text in files.items()}
    return {name: text.encode() for name, text in files.items()}


def renamed(text: str, old: str, new: str) -> str:
    """A node and what refers to it by another name; fields, labels and tasks that are called like it stay."""
    text = re.sub(rf'^(  "?){old}("?: )', rf"\g<1>{new}\g<2>", text, flags=re.MULTILINE)
    return re.sub(rf"(?<=[:\[,] )({old})(?=[@\]}},\s])|(?<=\[)({old})(?=[@\],])", new, text)


@pytest.mark.parametrize("seed", range(8))
def test_order_comments_files_and_names_change_no_key(example, tmp_path, seed) -> None:
    """Nodes written in another order, in other files, with comments and other names have the keys that they had."""
    files = {name: text.encode() for name, text in PROJECT.items()}
    other = rewritten(random.Random(seed))
    assert {name for name in other if name.startswith("specs/")} != {name for name in files if name.startswith("specs/")}
    assert keys(other, tmp_path) == keys(files, tmp_path)


def test_a_recipe_field_changes_a_key(example, tmp_path) -> None:
    """The keys that are compared above tell a difference where there is one."""
    files = {name: text.encode() for name, text in PROJECT.items()}
    edited = {name: text.replace(b"smoothing: 1e-3", b"smoothing: 1e-4") for name, text in files.items()}
    assert keys(edited, tmp_path) != keys(files, tmp_path)
