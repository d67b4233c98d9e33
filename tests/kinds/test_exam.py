"""The kind `exam`: who is asked what, what is right, how sure a share is, and code that is run where it can do no harm."""

import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import samples
import tiny_models
from modules import modules_of
from standing import Failed, run, stand

from zyc.types import Dataset, Gguf, Model

ROWS = [{"question": "1+1?", "answer": "2", "philosopher": "kant"}, {"question": "2+2?", "answer": "4", "philosopher": "spinoza"}]


@pytest.fixture(scope="module")
def exam():
    """The plain modules of an exam."""
    with modules_of("exam", "calling", "grading", "sandbox", "intervals", "asked", "sampler", "examining", "tasks") as found:
        yield found


def test_questions(workshop, golden):
    """The script names the engine, the prompts, what is right, and nothing of where it stands."""
    workshop.write("data/asked.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS))
    workshop.spec(samples.read("exam").spec.partition("\n")[2])
    golden(workshop.front(), "my-eval.some")


# --- what is right ---


@pytest.mark.parametrize(
    ("way", "said", "expected", "right"),
    [
        ("exact", " C'est  agir. ", "C'est agir.", True),
        ("exact", "c'est agir.", "C'est agir.", False),
        ("exact", "e\u0301tat", "\u00e9tat", True),
        ("contains", "La réponse est PARIS, bien sûr.", "paris", True),
        ("contains", "Lyon", "Paris", False),
        ("regex", "il y en a 42.", r"\b4\d\b", True),
        ("regex", "il y en a 52.", r"\b4\d\b", False),
        ("call", '<CALL:timer minutes=5 label="thé vert">', '<CALL:timer label="thé vert" minutes=5>', True),
        ("call", '<CALL:timer {"minutes": 5}>', "<CALL:timer minutes=5>", True),
        ("call", "<CALL:timer minutes=6>", "<CALL:timer minutes=5>", False),
        ("call", "timer minutes=5", "<CALL:timer minutes=5>", False),
        ("call", "<CALL:open_app name=a>\n<CALL:list_todos>", "<CALL:open_app name=a> <CALL:list_todos>", True),
        ("call", "<CALL:open_app name=a>", "<CALL:open_app name=a> <CALL:list_todos>", False),
        ("call", "<CALL:open_app name=a> <CALL:list_todos>", "<CALL:open_app name=a>", False),
        ("call", "Je ne sais pas faire cela.", "Aucun outil ne le permet.", True),
        ("call", "<CALL:delete_file path=a>", "Aucun outil ne le permet.", False),
        ("call", "<CALL:delete_file path=a", "Aucun outil ne le permet.", False),
        ("call", "<CALL:timer minutes=5 minutes=6>", "<CALL:timer minutes=6>", False),
        ("call", '<CALL:note text="un \\"mot\\"">', '<CALL:note text="un \\"mot\\"">', True),
        ("call", "ok <CALL:open_app name=a>", "<CALL:open_app name=a>", False),
        ("call", " <CALL:open_app name=a>\n", "ok <CALL:open_app name=a>", True),
        ("function", "```python\ndef add(a, b):\n    return a + b\n```", "assert add(2, 3) == 5", True),
        ("function", "def add(a, b):\n    return a - b", "assert add(2, 3) == 5", False),
        ("function", "def add(a, b):\n    return a + b", "if __name__ == '__main__':\n    assert add(2, 3) == 6", False),
        (
            "function",
            "```bash\npip install numpy\n```\n```python\ndef add(a, b):\n    return a + b\n```",
            "assert add(2, 3) == 5",
            True,
        ),
        ("function", "```\ndef add(a, b):\n    return a + b\n```", "assert add(2, 3) == 5", True),
    ],
)
def test_what_is_right(exam, way, said, expected, right):
    """Each way to match says yes to what is meant and no to what is not."""
    assert exam.grading.WAYS[way](said, expected) == right


@pytest.mark.parametrize(("answer", "at"), [("blue", 1), ("B", 1), ("0", 0), ("green", None), ("C", None)])
def test_an_option_is_meant_by_text_letter_or_number(exam, answer, at):
    """An answer that is no option is none."""
    assert exam.grading.correct({"options": ["red", "blue"]}, answer) == at


# --- code that nobody has read ---


@pytest.mark.parametrize(
    ("end", "right"),
    [
        ("import sys\nsys.exit(0)", False),
        ("raise SystemExit", False),
        ("import os\nos._exit(0)", False),
        ("if __name__ == '__main__':\n    import sys\n    sys.exit(0)", False),
        ('"""', False),
        ("if __name__ == '__main__':\n    print(add(int(input()), 2))", True),
    ],
)
def test_an_answer_is_right_when_its_checks_were_run_and_not_when_it_ended_well(exam, end, right):
    """Whoever ends the process before the checks has answered nothing, and what a file does as a program is not asked."""
    code = f"def add(a, b):\n    return a {'+' if right else '-'} b\n\n{end}\n"
    assert exam.grading.function(code, "assert add(2, 3) == 5") == right


@pytest.mark.parametrize(
    "code",
    [
        "import _posixsubprocess\n_posixsubprocess.fork_exec([b'/bin/true'], [b'/bin/true'], *[None] * 20)",
        "import sys\ndel sys.modules['_posixsubprocess']\nimport _posixsubprocess",
        "import _ctypes",
        "import posix\nposix.fork()",
    ],
)
def test_the_ways_past_the_hook_are_closed(exam, code):
    """What starts processes without telling the hook of it cannot be had; modules that only might start one can."""
    assert "refused" in exam.sandbox.run(code).why
    assert exam.sandbox.run("import asyncio, subprocess").fine


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("while True: pass", ""),
        ("import time\nwhile True: time.sleep(1)", "in time"),
        ("import os\nwhile True: os.fork()", "os.fork"),
        ("import subprocess\nsubprocess.run(['ls'])", "refused"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 80))", "refused"),
        ("import ctypes\nctypes.CDLL(None).fork()", "refused"),
        ("x = bytearray(3 << 30)", "MemoryError"),
        ("open('big', 'w').write('x' * (4 << 20))", ""),
        ("while True: print('x' * 100000)", ""),
    ],
)
def test_code_that_misbehaves_is_wrong_and_ends(exam, code, why):
    """Loops, sleeps, forks, programs, sockets, foreign libraries, memory, disk and output: each ends soon, as a wrong answer."""
    began = time.monotonic()
    ran = exam.sandbox.run(code, seconds=2)
    assert not ran.fine
    assert why in ran.why
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    "code",
    [
        "open({path!r}, 'w').write('x')",
        "import os\nos.open({path!r}, os.O_CREAT | os.O_WRONLY)",
        "import os\nos.symlink('/', 'root')\nopen('root' + {path!r}, 'w').write('x')",
        "import os\nos.path.realpath = lambda each: os.getcwd()\nopen({path!r}, 'w').write('x')",
        "import builtins\nbuiltins.any = lambda each: False\nopen({path!r}, 'w').write('x')",
        "import os\nos.chdir('/')",
        "import pathlib\npathlib.Path({path!r}).mkdir()",
    ],
)
def test_code_writes_nothing_outside_its_folder(exam, tmp_path, code):
    """Whatever way it takes, the file is not there afterwards, and the answer is wrong."""
    path = tmp_path / "outside"
    assert not exam.sandbox.run(code.format(path=str(path))).fine
    assert not path.exists()
    assert exam.sandbox.run("open('inside', 'w').write('x')\nassert open('inside').read() == 'x'").fine


def test_the_network_is_taken_away_where_the_system_lets_it(exam):
    """Even a socket that Python would grant reaches nothing: the namespace has no way out."""
    if not exam.sandbox.isolation():
        pytest.skip("this system grants no namespaces")
    code = "import socket; socket.create_connection(('127.0.0.1', 22), 2)"
    done = subprocess.run([*exam.sandbox.isolation(), sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "unreachable" in done.stderr


# --- how sure ---


def test_intervals_are_those_of_wilson(exam):
    """8 of 10 lie between 49 and 94 %, 135 of 180 between 68.2 and 80.8 %; nothing asked is nothing known."""
    assert [round(each, 3) for each in exam.intervals.wilson(8, 10)] == [0.490, 0.943]
    assert [round(each, 3) for each in exam.intervals.wilson(135, 180)] == [0.682, 0.808]
    assert exam.intervals.wilson(0, 0) == (0.0, 1.0)


def test_differences_on_the_same_questions(exam):
    """Ten questions against none are no chance; as many on either side are; both agreeing say nothing."""
    assert exam.intervals.mcnemar([1] * 10, [0] * 10) == pytest.approx(2 / 1024)
    assert exam.intervals.mcnemar([1, 0], [0, 1]) == 1.0
    assert exam.intervals.mcnemar([1, 1], [1, 1]) == 1.0


def test_what_was_answered_with_any_line_end_is_not_asked_again(exam, tmp_path, monkeypatch):
    """A row ends with a line feed: a U+2028 in an answer tears none, and a last line without one is torn."""
    monkeypatch.chdir(tmp_path)
    sheet = exam.tasks.Sheet(3)
    for at in range(2):
        sheet.add({"id": str(at), "answer": "one\u2028two\x85three"})
    sheet.file.write('{"id": "2", "answer": "x"}')
    sheet.file.close()
    again = exam.tasks.Sheet(3)
    again.file.close()
    assert [*again.rows] == ["0", "1"]
    assert exam.tasks.STATE.read_text(encoding="utf-8").count("\n") == 2


# --- who is asked what ---


def test_a_column_says_which_prompt_a_row_has(exam):
    """Rows of Kant are asked of Kant; without such a column every prompt meets every row."""
    prompts = [("kant", {"system": "K"}), ("spinoza", {"system": "S"})]
    asked, column = exam.asked.paired(ROWS, prompts)
    assert column == "philosopher"
    assert [(each.id, each.label) for each in asked] == [("0", "kant"), ("1", "spinoza")]
    assert exam.asked.chat(asked[0])[0] == {"role": "system", "content": "K"}
    asked, column = exam.asked.paired(ROWS, [("a", {}), ("b", {})])
    assert column is None
    assert [each.id for each in asked] == ["0/a", "0/b", "1/a", "1/b"]


@pytest.mark.parametrize(
    ("rows", "match", "by", "words"),
    [
        ([{"question": "a", "answer": ""}], "exact", [], "1 of 1 questions have no answer"),
        (ROWS, "exact", ["philosofer"], "no such column; it has answer, philosopher, question"),
        ([{"question": "a", "answer": "C", "options": ["x", "y"]}], "choice", [], "none of its `options`"),
        (ROWS, "choice", [], "2 of 2 rows have no `options` to choose from, row 0 first"),
        ([{"question": "a", "answer": "("}], "regex", [], "the answer of row 0 is no pattern"),
        ([{**ROWS[0], "in": "C"}, {**ROWS[1], "in": "C++"}], "exact", ["in"], r"`C` and `C\+\+` would both be measured as `c`"),
        (
            [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "", "tool_calls": [{}]}]}],
            "contains",
            [],
            "1 of 1 questions have no answer",
        ),
    ],
)
def test_an_exam_that_cannot_be_is_refused_before_the_model_is_opened(exam, rows, match, by, words):
    """Answers that are missing, columns that are not there, options that nobody meant, patterns and groups that are none."""
    with pytest.raises(SystemExit, match=words):
        exam.examining.look(rows, match, by)


class Rote:
    """An engine that always expects one token more, up to a last one."""

    context = 50

    def __init__(self, last=None):
        self.last, self.at = last, 0

    def read(self, ids):
        """Start anew."""
        self.at = 0
        return self._row()

    def step(self, token):
        """One more."""
        self.at += 1
        return self._row()

    def _row(self):
        row = np.zeros(100, np.float32)
        row[self.at] = 5
        return row

    def ends(self, token):
        """Whether this was the last."""
        return token == self.last

    def text(self, ids):
        """Ids as words."""
        return " ".join(map(str, ids))


def test_an_answer_ends_where_its_makers_say(tmp_path):
    """Every end that stands beside the model counts, as llama.cpp knows them; what is no token ends nothing."""
    tokenizer = SimpleNamespace(eos_token_id=2, convert_tokens_to_ids=lambda token: {"<end>": 7}.get(token, 0))
    with modules_of("exam", "answering") as found:
        assert found.answering.ends_of(tmp_path, tokenizer) == {2}
        (tmp_path / "generation_config.json").write_text('{"eos_token_id": [2, 5]}')
        assert found.answering.ends_of(tmp_path, tokenizer, "<end>") == {2, 5, 7}
        (tmp_path / "generation_config.json").write_text('{"eos_token_id": 5}')
        assert found.answering.ends_of(tmp_path, tokenizer, "") == {2, 5}


def test_an_endless_answer_ends(exam):
    """It is cut at what the prompt allows, or at what the model sees, and said to be cut."""
    made = exam.sampler.answer(Rote(), [1] * 10, {"max_tokens": 5})
    assert (made.text, made.cut) == ("0 1 2 3 4", True)
    assert exam.sampler.answer(Rote(), [1] * 10).tokens == 40
    assert not exam.sampler.answer(Rote(last=3), [1]).cut
    assert exam.sampler.answer(Rote(), [1], {"stop": ["3 4"]}).text == "0 1 2 "


def test_drawing_repeats_itself(exam):
    """The same seed and question draw the same, another question something else."""
    draw = [exam.sampler.answer(Rote(), [1], {"temperature": 5.0, "seed": 3}, draw=at).text for at in (1, 1, 2)]
    assert draw[0] == draw[1] != draw[2]
    assert exam.sampler.answer(Rote(), [1], {"temperature": 5.0, "top_k": 1}).text == exam.sampler.answer(Rote(), [1]).text


# --- real engines ---


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A tiny model, its GGUF, its graph of ONNX, an exam of forty questions and two prompts."""
    home = tmp_path_factory.mktemp("exam")
    model = tiny_models.make(home)
    run(stand(home / "gguf", "gguf", {"source": model}, {"source": Model(licence="mit")}))
    rows = [{"question": f"Combien font {at} et {at} ?", "answer": str(2 * at), "by": ("a", "b")[at % 2]} for at in range(40)]
    put(home / "data", rows)
    for at, sampling in enumerate(({"max_tokens": 8}, {"max_tokens": 8, "temperature": 0.7, "seed": 3})):
        (home / f"prompt{at}").mkdir()
        told = {"system": "Réponds.", "few_shot": [], "sampling": sampling, "arguments": {}, "retrieval": False}
        (home / f"prompt{at}/prompt.json").write_text(json.dumps(told))
    return SimpleNamespace(home=home, model=model, gguf=home / "gguf/out", data=home / "data")


def put(home, rows):
    """A dataset of one shard."""
    import pyarrow as pa
    from pyarrow import parquet

    (home / "train").mkdir(parents=True)
    parquet.write_table(pa.Table.from_pylist(rows), home / "train/00000.parquet")


def laid(world, name, model, facts, **fields):
    """The step of an exam; labels are those of the column `by`."""
    prompts = [{"node": "p", "label": "a"}, {"node": "q", "label": "b"}]
    links = {"model": model, "exam": world.data, "prompts/0": world.home / "prompt0", "prompts/1": world.home / "prompt1"}
    told = {"model": "m", "exam": "e", "prompts": prompts, "by": ["by"], "match": "contains", **fields}
    return stand(world.home / name, "exam", links, {"model": facts, "exam": Dataset()}, told)


def rows_of(folder):
    """What was answered."""
    return [json.loads(line) for line in (folder / "out/rows.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_llama_cpp_and_transformers_say_the_same(world):
    """Greedy answers are the same, word for word, in both engines; drawn ones differ from question to question."""
    told = {}
    for name, model, facts in (("there", world.model, Model()), ("here", world.gguf, Gguf())):
        folder = laid(world, name, model, facts)
        _, measures = run(folder)
        assert measures["questions"] == 40
        assert {"a.accuracy", "b.accuracy.low"} <= measures.keys()
        rows = rows_of(folder)
        told[name] = [row["answer"] for row in rows if row["groups"]["by"] == "a"]
        assert len({row["answer"] for row in rows if row["groups"]["by"] == "b"}) > 10
    assert told["here"] == told["there"]


@pytest.mark.slow
def test_one_that_was_killed_goes_on_and_ends_in_the_same_bytes(world):
    """Killed at some question, and started again: what was answered is not asked again, and the files are the same."""
    whole = laid(world, "whole", world.gguf, Gguf())
    run(whole)
    cut = laid(world, "cut", world.gguf, Gguf())
    env = {**os.environ, "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}  # noqa: PTH120
    env.pop("PYTHONPATH", None)
    step = subprocess.Popen(
        ["bash", "run.sh"], cwd=cut, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    rows = cut / "state/rows.jsonl"
    until = time.monotonic() + 60
    while time.monotonic() < until and (not rows.exists() or rows.read_text().count("\n") < 5):
        time.sleep(0.01)
    os.killpg(step.pid, signal.SIGKILL)
    step.wait()
    done = rows.read_text().count("\n")
    assert 5 <= done < 40, "it was not killed on its way"
    with rows.open("a") as file:
        file.write('{"id": "39", "ans')  # torn
    said, _ = run(cut)
    assert "goes on:" in said
    for name in ("out/rows.jsonl", "out/report.json"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.slow
def test_an_option_is_chosen_by_its_likelihood(world, tmp_path):
    """The sum of the chances of an option's tokens, as transformers gives them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options = [" le chat", " la liberté est un mot", " 12"]
    put(tmp_path / "data", [{"question": "Quoi ?", "answer": options[0], "options": options}])
    links = {"model": world.gguf, "exam": tmp_path / "data"}
    folder = stand(
        tmp_path / "step", "exam", links, {"model": Gguf(), "exam": Dataset()}, {"model": "m", "exam": "e", "match": "choice"}
    )
    run(folder)
    tokenizer = AutoTokenizer.from_pretrained(world.model)
    model = AutoModelForCausalLM.from_pretrained(world.model, dtype=torch.float32).eval()
    text = tokenizer.apply_chat_template([{"role": "user", "content": "Quoi ?"}], tokenize=False, add_generation_prompt=True)
    before, told = tokenizer(text, add_special_tokens=False)["input_ids"], []
    for option in options:
        more = tokenizer(option, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            chances = model(torch.tensor([before + more])).logits[0].log_softmax(-1)
        told.append(sum(float(chances[len(before) - 1 + at, token]) for at, token in enumerate(more)))
    (row,) = rows_of(folder)
    assert row["answer"] == options[int(np.argmax(told))]


@pytest.mark.slow
def test_a_column_that_is_not_there_fails_with_the_ones_that_are(world):
    """The step ends before the model is opened."""
    with pytest.raises(Failed, match="no such column; it has answer, by, question"):
        run(laid(world, "nowhere", world.gguf, Gguf(), by=["philosopher"]))
