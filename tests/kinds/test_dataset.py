"""The kind `dataset`: rows of any source in one form, cleaned, split, proven."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from zyc.errors import ZycError

pytestmark = pytest.mark.slow  # each builds for real


def chat(question, answer, **columns):
    """A row of one turn."""
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], **columns}


def jsonl(workshop, path, rows):
    """Rows as a file of the user's."""
    workshop.write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def log(workshop):
    """What the steps said."""
    return "\n".join(path.read_text() for path in sorted(workshop.root.glob("artifacts/steps/*/log.txt")))


def build(workshop, **call):
    """Build all of it; every node runs and every gate holds, or the test fails with what the steps said."""
    endings = workshop.build(**call)
    assert {str(each.fate) for each in endings.values()} <= {"ran", "kept"}, f"{endings}\n{log(workshop)}"
    assert [gate for each in endings.values() for gate in each.gates if gate.bad] == []


def rows_of(workshop, node, side="train", **call):
    """What a dataset holds."""
    return [
        row for path in sorted((workshop.tree(node, **call) / side).glob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]


def card_of(workshop, node, **call):
    """What a dataset says of itself."""
    return json.loads((workshop.tree(node, **call) / "card.json").read_text())


def test_chats_become_shards_a_card_and_a_proof(workshop):
    """A file of chats is a dataset with a held-out side, numbers, and a proof that holds."""
    jsonl(workshop, "data/chats.jsonl", [chat(f"question {at}?", f"answer {at}", topic="abc"[at % 3]) for at in range(60)])
    workshop.spec("datasets:\n  my-chats: {from: data/chats.jsonl, split: {test: 10%, stratify: topic}, gates: [rows = 60]}\n")
    build(workshop)
    assert len(rows_of(workshop, "my-chats")) == 54
    held_out = rows_of(workshop, "my-chats", "test")
    assert sorted(row["topic"] for row in held_out) == [*"aabbcc"]
    card = card_of(workshop, "my-chats")
    assert (card["format"], card["rows"]) == ("messages", {"train": 54, "test": 6})


GRAMMARS = Path(__file__).parent / "grammars"


def grammar(workshop, name):
    """A grammar of this folder, in the project."""
    workshop.write(f"data/{name}.grammar.yml", (GRAMMARS / f"{name}.grammar.yml").read_text())


def test_a_grammar_writes_balanced_unique_chats(workshop):
    """Balances are exact, items differ, copies share an origin, and held-out combinations stand on one side only."""
    grammar(workshop, "philo")
    workshop.spec("""
datasets:
  my-chats:
    generate:
      grammar: data/philo.grammar.yml
      count: 240
      balance: {philosopher: {spinoza: 120, bergson: 60, kant: 60}, form: even}
      holdout: {slots: [cause, effect], share: 20%}
      seed: 3
    gates: [rows = 240, balance.philosopher.spinoza = 120, balance.scheme.ponens = 120, duplicates = 0]
""")
    build(workshop)
    train, test = rows_of(workshop, "my-chats"), rows_of(workshop, "my-chats", "test")
    assert len(train) + len(test) == 240
    assert 10 < len(test) < 90
    questions = [(row["messages"][0]["content"], row["messages"][1]["content"]) for row in [*train, *test]]
    assert len({*questions}) == 240
    pairs = [{tuple(row["messages"][2]["content"].split(" : ")[1].split()[1::2]) for row in side} for side in (train, test)]
    assert not pairs[0] & pairs[1]
    origins = Counter(row["origin"] for row in [*train, *test])
    assert {*origins.values()} == {4}
    assert not {row["origin"] for row in train} & {row["origin"] for row in test}


def test_an_exam_and_what_is_trained_on_share_a_grammar(workshop):
    """Two datasets of one grammar and one hold-out never ask about the same combination; an exam has no copies."""
    grammar(workshop, "philo")
    asked = "grammar: data/philo.grammar.yml, holdout: {slots: [cause, effect], share: 20%}, balance: {philosopher: even}"
    workshop.spec(f"""
datasets:
  my-exam: {{generate: {{{asked}, count: 60, side: test, copies: 0, seed: 5}}}}
  my-chats: {{generate: {{{asked}, count: 240, side: train, seed: 7}}, clean: [decontaminate: my-exam], gates: [rows = 240]}}
""")
    build(workshop)
    exam, chats = rows_of(workshop, "my-exam"), rows_of(workshop, "my-chats")
    pairs = [{tuple(row["messages"][2]["content"].split(" : ")[1].split()[1::2]) for row in side} for side in (exam, chats)]
    assert not pairs[0] & pairs[1]
    assert Counter(row["philosopher"] for row in exam) == {"spinoza": 20, "bergson": 20, "kant": 20}
    assert len({row["origin"] for row in exam}) == 60


def test_a_grammar_writes_calls(workshop):
    """A call is well-formed whatever its arguments hold, braces are braces, and numbers are counted."""
    grammar(workshop, "calls")
    workshop.spec("datasets: {my-calls: {generate: {grammar: data/calls.grammar.yml, count: 30}}}")
    build(workshop)
    rows = rows_of(workshop, "my-calls")
    assert len(rows) == 30
    called = [row["messages"][1]["content"] for row in rows]
    assert '<CALL:open_app {"name": "vlc"}>' in called
    assert any(each.startswith('<CALL:add_todo {"text": "ranger {tout}", "in": ') for each in called)
    assert json.loads(rows[0]["tools"]) == [{"type": "function", "function": {"name": "open_app"}}]


def shards_of(workshop, node):
    """The bytes of every file of a dataset."""
    home = workshop.tree(node).resolve()
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}


CLEAN = "[unicode: nfc, html, length: {max: 400}, redact: email, drop: duplicates, drop: {duplicates: minhash}]"


def test_the_bytes_do_not_depend_on_who_made_them(workshop):
    """However many processes work, and whenever, the same input gives the same bytes."""
    rows = [chat(f"<b>question</b> {at % 400}? " + "why " * (at % 7), f"answer {at} a{at}@b.org", n=at) for at in range(1_500)]
    jsonl(workshop, "data/chats.jsonl", rows)
    workshop.write("data/again.jsonl", (workshop.root / "data/chats.jsonl").read_text())
    node = f"from: data/%s.jsonl, clean: {CLEAN}, split: {{test: 20%%, seed: 4}}, placement: {{cpus: %s}}"
    workshop.spec(f"datasets:\n  my-one: {{{node % ('chats', 1)}}}\n")
    build(workshop)
    one = shards_of(workshop, "my-one")
    shutil.rmtree(workshop.root / "artifacts")
    workshop.spec(f"datasets:\n  my-one: {{{node % ('again', 2)}}}\n")
    build(workshop)
    assert shards_of(workshop, "my-one") == one
    assert {"card.json", "test/00000.parquet", "train/00000.parquet"} == {*one}


def test_each_operation_is_counted_with_an_example(workshop):
    """The card tells of each operation what it kept, dropped and changed, and shows one; what was redacted is shown nowhere."""
    texts = [
        "too short",
        "une phrase assez longue pour rester",
        "une phrase assez longue pour rester",
        "écris à a@b.org, c'est assez long",
    ]
    jsonl(workshop, "data/texts.jsonl", [{"text": text} for text in texts])
    workshop.spec("datasets: {my-texts: {from: data/texts.jsonl, clean: [length: {min: 12}, drop: duplicates, redact: email]}}")
    build(workshop)
    card = card_of(workshop, "my-texts")
    assert card["operations"] == [
        {"name": "length", "kept": 3, "dropped": 1, "changed": 0, "example": {"dropped": "too short", "because": "9 characters"}},
        {"name": "duplicates", "kept": 2, "dropped": 1, "changed": 0, "example": {"dropped": texts[1]}},
        {"name": "redact", "kept": 2, "dropped": 0, "changed": 1, "example": {"after": "écris à <EMAIL>, c'est assez long"}},
    ]
    assert "a@b.org" not in json.dumps(card)
    assert card["samples"] == ["une phrase assez longue pour rester", "écris à <EMAIL>, c'est assez long"]


def test_bad_rows_fail_above_the_bound_and_none_is_lost(workshop):
    """Two bad rows fail a dataset that allows one, each told with file and line; one that allows them counts them."""
    jsonl(workshop, "data/texts.jsonl", [{"text": "one"}, {"txt": "two"}, {"text": "three"}, {"text": ""}])
    workshop.spec("datasets: {my-texts: {from: data/texts.jsonl, max_bad: 1}}")
    endings = workshop.build()
    assert str(endings["my-texts"].fate) == "failed"
    assert "data/texts.jsonl:2: no `text`, which text has" in log(workshop)
    assert "data/texts.jsonl:4: `text` is empty" in log(workshop)
    assert "error: 2 bad rows (see above, and bad.jsonl); `max_bad: 1` allows 1" in log(workshop)
    workshop.spec("datasets: {my-texts: {from: data/texts.jsonl, max_bad: 2, gates: [dropped.bad = 2, rows = 2]}}")
    build(workshop)
    assert card_of(workshop, "my-texts")["operations"][0]["dropped"] == 2


def test_a_mixture_of_datasets(workshop):
    """Sources are mixed by their shares, what one holds out stays held out, and an exam's questions are dropped."""
    for name, count in (("old", 300), ("new", 100)):
        jsonl(
            workshop,
            f"data/{name}.jsonl",
            [chat(f"{name} question number {at}?", f"answer {at}", source=name) for at in range(count)],
        )
    jsonl(workshop, "data/exam.jsonl", [{"question": f"old question number {at}", "answer": "x"} for at in range(10)])
    workshop.spec("""
datasets:
  my-old: {from: data/old.jsonl, split: {test: 10%}}
  my-new: data/new.jsonl
  my-exam: data/exam.jsonl
  my-both:
    from: {my-old: 50%, my-new: 50%}
    clean: [decontaminate: my-exam]
    gates: [balance.source.new = 100, balance.source.old >= 80]
""")
    build(workshop)
    train, test = rows_of(workshop, "my-both"), rows_of(workshop, "my-both", "test")
    asked = [row["messages"][0]["content"] for row in [*train, *test]]
    assert not [each for each in asked if each in {f"old question number {at}?" for at in range(10)}]
    assert {row["source"] for row in test} == {"old"}
    held = {row["messages"][0]["content"] for row in rows_of(workshop, "my-old", "test")}
    assert {row["messages"][0]["content"] for row in test} <= held
    assert not {row["messages"][0]["content"] for row in train} & held


def test_a_twin_is_cut_down_after_its_gates_were_measured(workshop):
    """A rehearsal has two thousand rows in the proportions of all, and its gates are about all of them."""
    jsonl(workshop, "data/texts.jsonl", [{"text": f"text {at}", "kind": "ab"[at % 4 == 0]} for at in range(5_000)])
    workshop.spec("""
datasets:
  my-texts:
    from: data/texts.jsonl
    split: {test: 10%, stratify: kind}
    gates: [rows = 5000, balance.kind.b = 1250]
    twin: [rows = 5000, balance.kind.b = 1250]
""")
    build(workshop, twin=True)
    train, test = (rows_of(workshop, "my-texts", side, twin=True) for side in ("train", "test"))
    assert (len(train), len(test)) == (1_800, 200)
    assert Counter(row["kind"] for row in test) == {"a": 150, "b": 50}


FORMS = {
    "sharegpt": (
        {"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
        "messages",
        3,
    ),
    "alpaca": ({"instruction": "do", "input": "this", "output": "done", "system": "s"}, "messages", 3),
    "preference": ({"prompt": "q", "chosen": "good", "rejected": "bad"}, "preference", None),
    "preference of chats": (
        {
            "chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "good"}],
            "rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "bad"}],
        },
        "preference",
        None,
    ),
    "unpaired": ({"prompt": "q", "completion": "a", "label": "true"}, "unpaired", None),
    "prompt-completion": ({"prompt": "q", "completion": "a"}, "prompt-completion", None),
    "questions": ({"question": "q", "answer": "a", "options": ["a", "b"]}, "questions", None),
    "text": ({"text": "t"}, "text", None),
}


def test_every_form_is_told_by_its_columns(workshop):
    """What people write is detected, becomes one of few forms, and is proven."""
    for at, (row, _, _) in enumerate(FORMS.values()):
        jsonl(workshop, f"data/form{at}.jsonl", [{**row, "n": 1}, {**row, "n": 2}])
    workshop.spec("datasets:\n" + "".join(f"  my-form{at}: data/form{at}.jsonl\n" for at in range(len(FORMS))))
    build(workshop)
    for at, (row, form, count) in enumerate(FORMS.values()):
        told = rows_of(workshop, f"my-form{at}")
        assert card_of(workshop, f"my-form{at}")["format"] == form
        assert [each["n"] for each in told] == [1, 2]
        if count:
            assert len(told[0]["messages"]) == count
        elif "prompt" in row and form != "unpaired":
            assert {name: told[0][name] for name in row} == row
    assert rows_of(workshop, "my-form1")[0]["messages"][1]["content"] == "do\n\nthis"
    assert rows_of(workshop, "my-form3")[0]["prompt"] == [{"role": "user", "content": "q"}]
    assert rows_of(workshop, "my-form4")[0]["label"] is True


def test_languages_are_measured(workshop):
    """Rows of other languages go, and the rest is counted by language."""
    texts = [
        "La liberté est un long chemin.",
        "Freedom is a long way to go.",
        "La raison gouverne le monde.",
        "Die Freiheit ist weit.",
    ]
    jsonl(workshop, "data/texts.jsonl", [{"text": text} for text in texts])
    clean = "clean: [language: {keep: [fr, en], among: [fr, en, de]}]"
    gates = "gates: [language.fr = 2, language.en = 1, dropped.language = 1]"
    workshop.spec(f"datasets: {{my-texts: {{from: data/texts.jsonl, {clean}, {gates}}}}}")
    build(workshop)


def test_columns_get_the_names_that_map_gives_them(workshop):
    """A column under another name, one within another, and one that every row has."""
    workshop.write("data/exam.csv", "enonce,reponse\nun ?,1\ndeux ?,2\n")
    workshop.spec("datasets: {my-exam: {from: data/exam.csv, map: {question: enonce, answer: reponse, topic: {value: sums}}}}")
    build(workshop)
    assert rows_of(workshop, "my-exam") == [
        {"question": "un ?", "answer": "1", "topic": "sums"},
        {"question": "deux ?", "answer": "2", "topic": "sums"},
    ]


def test_a_leak_is_no_proof(workshop):
    """The same row on both sides fails the proof, which says so."""
    jsonl(workshop, "data/chats.jsonl", [chat(f"question {at // 2}?", "yes", group=str(at)) for at in range(40)])
    workshop.spec("datasets: {my-chats: {from: data/chats.jsonl, split: {test: 30%, group: group}}}")
    endings = workshop.build()
    assert [gate.gate.measure for gate in endings["my-chats.proof"].gates if gate.bad] == ["leaks"], (endings, log(workshop))
    assert "a held-out row says the same" in log(workshop)
    workshop.spec("datasets: {my-chats: {from: data/chats.jsonl, clean: [drop: duplicates], split: {test: 30%, group: group}}}")
    build(workshop)


COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = """---
configs:
- config_name: small
  data_files:
  - split: train
    path: small/*.jsonl
  - split: test
    path: small/held/*.jsonl
- config_name: large
  data_files: large/*.parquet
---
# Some texts
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A hub cache of the user's with one dataset in it, and no network."""
    home = tmp_path / "cache"
    snapshot = home / "datasets--some--texts" / "snapshots" / COMMIT
    for name, text in {
        "README.md": CARD,
        "small/a.jsonl": '{"text": "one"}\n',
        "small/b.jsonl": '{"text": "two"}\n',
        "small/held/c.jsonl": '{"text": "three"}\n',
    }.items():
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).write_text(text)
    (home / "datasets--some--texts" / "refs").mkdir()
    (home / "datasets--some--texts" / "refs" / "main").write_text(COMMIT)
    monkeypatch.setenv("HF_HUB_CACHE", str(home))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return snapshot


@pytest.mark.usefixtures("cache")
def test_a_dataset_of_the_hub_is_read_where_it_lies(workshop):
    """The card says which files are a part of a subset; they are read in the user's own cache, at a pinned commit."""
    workshop.spec("""
datasets:
  my-train: {hub: some/texts, subset: small}
  my-test: {hub: some/texts, subset: small, part: test}
  my-files: {hub: some/texts, files: small/a.jsonl}
""")
    build(workshop)
    assert [row["text"] for row in rows_of(workshop, "my-train")] == ["one", "two"]
    assert [row["text"] for row in rows_of(workshop, "my-test")] == ["three"]
    assert [row["text"] for row in rows_of(workshop, "my-files")] == ["one"]


def test_parts_without_a_card_go_by_the_names_of_files(workshop, cache):
    """Where a card says nothing, files are parts by their names, as everybody's tools have it."""
    (cache / "README.md").unlink()
    for name in ("train", "test"):
        (cache / f"{name}.jsonl").write_text(json.dumps({"text": name}) + "\n")
    shutil.rmtree(cache / "small")
    workshop.spec("datasets:\n  my-train: {hub: some/texts}\n  my-test: {hub: some/texts, part: test}\n")
    build(workshop)
    assert [row["text"] for row in rows_of(workshop, "my-train")] == ["train"]
    assert [row["text"] for row in rows_of(workshop, "my-test")] == ["test"]


@pytest.mark.usefixtures("cache")
def test_what_the_hub_does_not_have_is_told(workshop):
    """A subset or a part that is not there is told with those that are."""
    workshop.spec("datasets:\n  my-one: {hub: some/texts}\n  my-two: {hub: some/texts, subset: small, part: valid}\n")
    workshop.build()
    assert "some/texts has several subsets\n  `subset` can be small, large" in log(workshop)
    assert "some/texts has no part `valid`\n  `part` can be train, test" in log(workshop)


def test_a_hub_that_cannot_be_reached_is_told_before_anything_runs(workshop, tmp_path, monkeypatch):
    """What is needed, and how it gets here by hand."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    workshop.spec("datasets: {my-texts: {hub: other/texts, revision: v1}}")
    with pytest.raises(ZycError) as error:
        workshop.build()
    (told,) = error.value.problems
    assert "`other/texts`" in told.message
    assert "hf download other/texts --repo-type dataset --revision v1" in told.help


def test_a_twin_has_a_stand_in_for_the_hub(workshop, monkeypatch):
    """A rehearsal is offline: files of the project stand for what the hub has."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    workshop.write("data/few.jsonl", '{"text": "few"}\n')
    workshop.spec("datasets: {my-texts: {hub: other/texts, stand_in: data/few.jsonl}}")
    build(workshop, twin=True)
    assert [row["text"] for row in rows_of(workshop, "my-texts", twin=True)] == ["few"]


EVERYTHING = """
datasets:
  my-exam: {from: data/exam.csv, format: questions}
  my-old: {from: "data/old/*.jsonl", format: sharegpt}
  my-chats:
    about: everything that a dataset can be made of
    from: [{path: data/chats.jsonl, weight: 70%}, {node: my-old, weight: 30%}]
    generate:
      grammar: data/calls.grammar.yml
      count: 60
      balance: {form: {open_app: 10, add_todo: 50}}
      holdout: {slots: [open, app], share: 20%, seed: 1}
      seed: 2
    format: messages
    map: {topic: meta.topic, kind: {value: "it's \\"so\\""}}
    max_bad: 3
    clean:
      - unicode: nfc
      - mojibake
      - html
      - length: {min: 10, max: 4000}
      - language: {keep: [fr, en], among: [fr, en, de]}
      - quality: {words: 2}
      - redact: [email, phone, iban, {pattern: "\\\\d{16}", instead: "<CARD>"}]
      - drop: duplicates
      - drop: {duplicates: minhash, similarity: 90%}
      - decontaminate: my-exam
    split: {test: 10%, stratify: topic, group: [topic, kind], seed: 7}
    cap: 10k
    licence: cc-by-4.0
    placement: {cpus: 4}
"""


def test_everything(workshop, golden):
    """Every value of a spec is a literal in one script, with the modules that do the work beside it."""
    grammar(workshop, "calls")
    workshop.write("data/exam.csv", "question,answer\none?,1\n")
    for path in ("data/chats.jsonl", "data/old/a.jsonl"):
        workshop.write(path, "{}\n")
    workshop.spec(EVERYTHING)
    front = workshop.front()
    for name in ("my-chats", "my-chats.proof"):
        golden(front, name, under=f"{front.graph.vertices[name].kind}/")


def test_the_grammar_of_the_docs_writes_what_they_say(workshop):
    """What docs/data.md shows can be typed as it stands."""
    page = (Path(__file__).parents[2] / "docs/data.md").read_text()
    blocks = [part.partition("```")[0] for part in page.split("```yaml\n")[1:]]
    workshop.write("data/talk.grammar.yml", next(each for each in blocks if "grammar: 1" in each))
    workshop.spec(next(each for each in blocks if "talk-exam" in each))
    build(workshop)
    rows = [*rows_of(workshop, "talk"), *rows_of(workshop, "talk", "test")]
    assert Counter((row["speaker"], row["kind"]) for row in rows) == {
        ("plain", "answer"): 4, ("plain", "remind"): 4, ("grand", "answer"): 2, ("grand", "remind"): 2,
    }  # fmt: skip
    assert len(rows_of(workshop, "talk-exam")) == 4
