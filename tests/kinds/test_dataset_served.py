"""Chats of a dataset under the prompts of service: what is put before them, in which form, and what must not leak that way."""

import json
import shutil
from types import SimpleNamespace

import here
import pyarrow.parquet as pq
import pytest
from modules import modules_of
from trainee import make_dataset

from zyc.types import Dataset

FACTS = [
    "Duty is what reason commands, whatever we wish.",
    "What is lived lasts, and no clock measures it.",
    "A hot oven bakes the bread in forty minutes.",
    "Which bridge crosses the river of the old town? The stone one does it.",
]
SPEC = """
datasets:
  my-notes: {from: data/words.txt, per: line}
  my-exam: {from: data/asked.jsonl, format: questions}
  my-plain: {from: data/chats.jsonl, format: messages}
  my-chats: {from: my-plain, clean: [decontaminate: my-exam], served: SERVED}
indexes: {my-index: {documents: my-notes, chunk: 24, top: 2}}
prompts:
  my-reader: {system: Answer., retrieval: my-index, few_shot: [{user: Ready?, assistant: Yes.}]}
  my-talker: {system: Talk.}
"""
TWO = "{prompts: {read: my-reader, talk: my-talker}, by: kind}"


def said(*words):
    """A chat: question and answer in turn."""
    return [{"role": role, "content": text} for role, text in zip(("user", "assistant") * len(words), words, strict=False)]


@pytest.fixture
def house(workshop, tmp_path):
    """The index and the prompts, made by their scripts; and a way to make the dataset of some rows."""
    workshop.write("data/chats.jsonl", json.dumps({"messages": said("u", "a"), "kind": "read"}) + "\n")
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n')
    workshop.spec(SPEC.replace("SERVED", TWO))
    front = workshop.front()
    make_dataset(tmp_path / "notes", [{"text": each} for each in FACTS])
    index = here.run(front, "my-index", tmp_path / "index", {"documents": tmp_path / "notes"}).out
    reader = here.run(front, "my-reader", tmp_path / "reader", {"retrieval": index}).out
    talker = here.run(front, "my-talker", tmp_path / "talker", {}).out

    def made(train, test=(), *, asks="one?", served=TWO, form="messages"):
        folder = tmp_path / "step"
        shutil.rmtree(folder, ignore_errors=True)
        for name, rows, other in (("rows", train, test), ("exam", [{"question": asks, "answer": "1"}], ())):
            shutil.rmtree(tmp_path / name, ignore_errors=True)
            make_dataset(tmp_path / name, rows, other)
            told = {"format": form if name == "rows" else "questions"}
            (tmp_path / name / "card.json").write_text(json.dumps(told))
        workshop.spec(SPEC.replace("SERVED", served))
        places = {"from/0": tmp_path / "rows", "clean/0": tmp_path / "exam"}
        homes = [reader] if served == "my-reader" else [reader, talker]
        folder.joinpath("in/served/prompts").mkdir(parents=True)
        ran = here.run(
            workshop.front(), "my-chats", folder, places | {f"served/prompts/{at}": each for at, each in enumerate(homes)}
        )
        rows = [row for each in sorted(ran.out.glob("*/*.parquet")) for row in pq.read_table(each).to_pylist()]
        return SimpleNamespace(ran=ran, rows=rows, reader=reader, front=workshop.front())

    return made


def test_as_served(workshop, golden):
    """The modules that put a chat together in evals do it here, and the packages that look something up are asked for."""
    workshop.write("data/chats.jsonl", json.dumps({"messages": said("u", "a"), "kind": "read"}) + "\n")
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n')
    workshop.spec(SPEC.replace("SERVED", TWO))
    golden(workshop.front(), "my-chats")


def test_a_chat_is_what_an_exam_asks_and_its_answer(house):
    """To the letter: system, examples and passages stand where an evaluation puts them, and the answer follows."""
    own = [{"role": "system", "content": "Nobody."}, *said("What is my duty?", "To obey reason.")]
    made = house([{"messages": own, "kind": "read"}, {"messages": said("And you?", "Fine."), "kind": "talk"}])
    with modules_of("exam", "asked", "asking", "retrieving") as loaded:
        question, answer = loaded.asking.question({"messages": own})
        prompt = json.loads((made.reader / "prompt.json").read_text()) | {"index": loaded.retrieving.of_prompt(made.reader)}
        asked = loaded.asked.chat(loaded.asked.Asked("0", question, answer, {}, prompt, ""))
    first, second = (row["messages"] for row in made.rows)
    assert first == [*asked, {"role": "assistant", "content": "To obey reason."}]
    assert first[0] == {"role": "system", "content": "Answer."}
    assert first[1:3] == said("Ready?", "Yes.")
    assert first[3]["content"].startswith(f"<passages>\n[1] {FACTS[0]}\n\n[2] ")
    assert first[3]["content"].endswith("\n</passages>\n\nWhat is my duty?")
    assert second == [{"role": "system", "content": "Talk."}, *said("And you?", "Fine.")]


def test_the_card_says_what_was_put_before(house):
    """It counts the chats and shows one before and after; the lengths are those of what is trained on."""
    made = house([{"messages": said("What is my duty?", "To obey."), "kind": "read"}] * 3)
    card = json.loads((made.ran.out / "card.json").read_text())
    told = {each["name"]: each for each in card["operations"]}
    assert (told["served"]["kept"], told["served"]["changed"]) == (3, 3)
    assert "<passages>" in told["served"]["example"]["after"]
    assert card["lengths"]["mean"] > 40
    assert "<passages>" in card["samples"][0]


def test_the_last_question_of_several_is_looked_up(house):
    """As in service: earlier turns stand as they were said, and what a tool gave stays behind the question."""
    call = [{"type": "function", "function": {"name": "clock", "arguments": "{}"}}]
    later = [
        {"role": "assistant", "content": "", "tool_calls": call},
        {"role": "tool", "content": "noon"},
        {"role": "assistant", "content": "It is noon."},
    ]
    talk = [*said("How do I bake bread?", "In an oven."), {"role": "user", "content": "What does no clock measure?"}, *later]
    messages = house([{"messages": talk}], served="my-reader").rows[0]["messages"]
    assert [each["content"] for each in messages[3:5]] == ["How do I bake bread?", "In an oven."]
    assert messages[5]["content"].startswith(f"<passages>\n[1] {FACTS[1]}")
    assert [each["content"] for each in messages[6:]] == ["", "noon", "It is noon."]
    assert json.loads(messages[6]["tool_calls"][0]["function"]["arguments"]) == {}


def test_pairs_of_answers_are_put_under_a_prompt_too(house):
    """What stands before a chosen and a rejected answer is what is asked in service."""
    row = {"prompt": said("What is my duty?"), "chosen": said("", "To obey.")[1:], "rejected": said("", "Nothing.")[1:]}
    made = house([row], served="my-reader", form="preference").rows[0]
    assert made["prompt"][-1]["content"].startswith(f"<passages>\n[1] {FACTS[0]}")
    assert (made["chosen"], made["rejected"]) == (row["chosen"], row["rejected"])


@pytest.mark.parametrize(
    ("row", "form", "says"),
    [
        (
            {"messages": said("u", "a"), "kind": "reed"},
            "messages",
            "a row has `reed`\n  its values are the labels of the prompts: read, talk",
        ),
        ({"messages": said("u", "a"), "sort": "read"}, "messages", "a row has no such column: it has `messages`, `sort`"),
        ({"prompt": "u", "completion": "a", "kind": "read"}, "prompt-completion", "the `prompt` of a row is text"),
    ],
)
def test_a_row_that_is_under_no_prompt_ends_it(row, form, says):
    """A label that no prompt has, a column that is not there, a text where a chat is wanted: said with what to do."""
    with modules_of("dataset", "under") as loaded, pytest.raises(SystemExit) as ended:
        loaded.under.under(row, form, {"labels": ["read", "talk"], "by": "kind"})
    assert says in str(ended.value)


def test_what_an_exam_asks_comes_in_with_no_passage(house):
    """A passage that holds a question of an exam takes its chats with it, and the card says for which words."""
    rows = [{"messages": said("Which bridge is it?", "The stone one."), "kind": each} for each in ("read", "talk")]
    made = house(
        [*rows, {"messages": said("Bread?", "Bake it."), "kind": "talk"}], asks="Which bridge crosses the river of the old town?"
    )
    assert [row["kind"] for row in made.rows] == ["talk", "talk"]
    before, after = (
        each for each in json.loads((made.ran.out / "card.json").read_text())["operations"] if each["name"] == "decontaminate"
    )
    assert (before["dropped"], after["dropped"]) == (0, 1)
    assert after["example"]["because"].startswith("an exam asks: which bridge")
    assert made.ran.measures["dropped.decontaminate"] == 1


@pytest.mark.parametrize(("answer", "leaks"), [("The stone one does it.", 1), ("The iron one.", 0)])
def test_a_passage_that_tells_a_held_out_answer_is_a_leak(house, tmp_path, answer, leaks):
    """The proof sees a held-out question with its answer in what training looks up; a question alone tells nothing."""
    held = {"messages": said("Which bridge crosses the river of the old town?", answer)}
    made = house([{"messages": said("Is there a bridge?", "There is.")}], [held], served="my-reader")
    ran = here.run(made.front, "my-chats.proof", tmp_path / "proof", {"subject": made.ran.out})
    assert ran.measures["leaks"] == leaks
    assert ("a passage that training looks up tells it" in ran.log) == bool(leaks)


# --- what a plan knows ---


def test_facts_count_what_stands_before(workshop):
    """Tokens of passages and examples are tokens of each row, here and in what is made of it; all of the index's at most."""
    workshop.write("data/chats.jsonl", (json.dumps({"messages": said("u" * 100, "a" * 100)}) + "\n") * 10)
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n')
    workshop.spec(SPEC.replace("SERVED", "my-reader") + "  my-more: {system: M.}\n")
    nodes = workshop.front().settlement.nodes
    plain, told, prompt = (nodes[name].facts for name in ("my-plain", "my-chats", "my-reader"))
    assert isinstance(told, Dataset)
    assert (plain.prompted, told.prompted) == (0, prompt.tokens)
    assert prompt.tokens > 72
    assert told.tokens == plain.tokens + 10 * prompt.tokens


def test_a_context_that_cuts_answers_off_is_told_at_plan_time(workshop):
    """What prompts put before a question leaves room for it, or nothing starts; the sentence says what would help."""
    workshop.write("data/chats.jsonl", json.dumps({"messages": said("u", "a")}) + "\n")
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n')
    spec = (
        SPEC.replace("SERVED", "my-reader")
        + """
models: {my-tiny: {scratch: {family: llama, layers: 2, heads: 2, width: 64, mlp: 128, context: 256}, tokenizer: my-pieces}}
tokenizers: {my-pieces: {corpus: data/words.txt, vocab: 400, chat_template: chatml}}
finetunes: {my-tuned: {base: my-tiny, data: my-chats, context: CONTEXT}}
"""
    )
    workshop.spec(spec.replace("CONTEXT", "64"))
    ((_, _, facts),) = workshop.problems()
    assert "the prompts of the dataset put up to" in facts["says"]
    assert "answers are cut off at 64" in facts["says"]
    assert "`context: 128`, or fewer or shorter passages" in facts["help"]
    workshop.spec(spec.replace("CONTEXT", "128"))
    assert workshop.problems() == []


def test_a_twin_is_taught_the_question_first(workshop):
    """The twin of a base reads the same chats as they were, its finetune as they are served, below passages short for a toy."""
    workshop.write("data/chats.jsonl", json.dumps({"messages": said("u", "a")}) + "\n")
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n')
    spec = (
        SPEC.replace("SERVED", "my-reader").replace("chunk: 24, top: 2", "chunk: 60, overlap: 10, top: 4")
        + """
models: {big: mistralai/Mistral-7B-Instruct-v0.3}
finetunes: {my-tuned: {base: big, data: DATA, context: 1024}}
"""
    ).replace("indexes: {", "  my-later: {from: my-chats, cap: 5}\nindexes: {", 1)
    told = {}
    for name in ("my-plain", "my-chats", "my-later"):
        workshop.spec(spec.replace("DATA", name))
        graph = workshop.front("my-tuned", twin=True).settlement.graph
        told[name] = dict(graph.vertices)
        assert [edge.source for edge in told[name]["my-tuned"].edges if edge.field == "data"] == [name]
    taught = {name: [each.node.name for each in told[name]["big"].spec.data] for name in told}
    assert taught == {"my-plain": ["my-plain"], "my-chats": ["my-chats.plain"], "my-later": ["my-later"]}
    plain = told["my-chats"]["my-chats.plain"]
    assert plain.spec.served is None
    assert not [edge for edge in plain.edges if edge.field.startswith("served")]
    assert told["my-chats"]["big"].spec.context == 128
    assert told["my-later"]["big"].spec.context > 128 + 4 * 60, "rows that somebody else put under prompts are longer"
    index = told["my-chats"]["my-index"].spec
    assert (index.chunk, index.overlap, index.top) == (24, 2, 2)
