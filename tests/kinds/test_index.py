"""Indexes: what their scripts look like, what is refused, what is found, and what the proof sees."""

import json
import shutil

import here
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modules import modules_of
from trainee import chats, make_dataset, make_model

from zyc.types import Index

TOPICS = {
    "duty": "Kant asks what one must do. Duty is what reason commands, whatever we wish. A law holds for everybody alike.",
    "time": "Bergson speaks of time. What is lived lasts, and no clock measures it. Memory swells as it goes on.",
    "nature": "Spinoza sees one substance. Everything follows from its nature. Joy is a passage to a greater perfection.",
    "bread": "Flour, water and salt make a dough. It rests for a night. A hot oven bakes it in forty minutes.",
    "rain": "L'été s'achève à Noël. Il pleut sur les toits de Nantes… La pluie tombe, et le ciel reste gris !",
}
SPEC = """
datasets: {my-data: {from: data/words.txt, per: line}}
indexes: {my-notes: {documents: my-data, chunk: 24, overlap: 10, top: 2}}
"""
MEANT = """
tokenizers: {my-pieces: {corpus: data/words.txt, vocab: 400}}
models: {my-tiny: {scratch: {family: llama, layers: 2, heads: 2, width: 64, mlp: 128, context: 256}, tokenizer: my-pieces}}
datasets: {my-data: {from: data/words.txt, per: line}}
indexes: {my-notes: {documents: my-data, embedder: my-tiny, chunk: 64, FIELDS}}
"""


@pytest.fixture
def documents(tmp_path):
    """A dataset of a few texts."""
    make_dataset(tmp_path / "data", [{"text": text} for text in TOPICS.values()], [{"text": "One that was held out."}])
    return tmp_path / "data"


@pytest.fixture
def notes(workshop, tmp_path, documents):
    """The index of them, made by its script."""
    workshop.spec(SPEC)
    return here.run(workshop.front(), "my-notes", tmp_path / "step", {"documents": documents})


def prove(workshop, home, index, documents):
    """The measures of the proof."""
    return here.run(workshop.front(), "my-notes.proof", home, {"subject": index, "against": documents})


def test_hashing(workshop, golden):
    """An index without a model: cut, counted, written; it needs no engine of models."""
    workshop.spec(SPEC)
    golden(workshop.front(), "my-notes")


def test_meaning(workshop, golden):
    """An index of a model: passages are so many tokens of it, and it stands in the index."""
    workshop.spec(MEANT.replace("FIELDS", "top: 3"))
    golden(workshop.front(), "my-notes")


def test_what_it_leaves(notes):
    """Passages with the place that each comes from, a vector for each, and a card; nothing else."""
    assert {path.name for path in notes.out.iterdir()} == {"index.faiss", "passages.parquet", "rarity.npy", "card.json"}
    card = json.loads((notes.out / "card.json").read_text())
    told = {"embedder": "hashing", "dimension": 2048, "top": 2, "chunk": 24, "overlap": 10, "documents": 6}
    assert card == told | {"passages": notes.measures["passages"]}
    with modules_of("index", "retrieving") as loaded:
        index = loaded.retrieving.Index(notes.out)
    assert {(each["file"], each["row"]) for each in index.passages} == {
        ("test/00000.parquet", 0),
        *(("train/00000.parquet", row) for row in range(5)),
    }
    texts = list(TOPICS.values())
    for each in index.passages:
        if each["file"].startswith("train"):
            assert texts[each["row"]][each["start"] : each["end"]] == each["text"]
    assert notes.measures["recall"] == 1.0


def test_the_same_bytes(workshop, tmp_path, documents, notes):
    """The same documents give the same index, to the byte."""
    again = here.run(workshop.front(), "my-notes", tmp_path / "again", {"documents": documents})
    for path in notes.out.iterdir():
        assert path.read_bytes() == (again.out / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("Is it a duty to obey the law of reason?", "duty"),
        ("what does a clock measuring lived time miss", "time"),
        ("How long does bread bake in the oven?", "bread"),
        ("Pleut-il à NANTES ?", "rain"),
    ],
)
def test_what_is_found(notes, question, topic):
    """A question finds the text that speaks of it, whatever its letters are written like."""
    with modules_of("index", "retrieving") as loaded:
        best = loaded.retrieving.Index(notes.out).find(question)
    assert len(best) == 2
    assert best[0].score >= best[1].score
    assert best[0].text in TOPICS[topic]


def test_the_proof_holds(workshop, tmp_path, documents, notes):
    """Every row is in it and every passage is found: those that are equal, too."""
    assert prove(workshop, tmp_path / "proof", notes.out, documents).measures == {"rows": 6, "covered": 1.0, "found": 1.0}


def test_the_proof_sees_a_lost_row(workshop, tmp_path, documents, notes):
    """A document that came later is in no passage, and the proof shows it."""
    shutil.copytree(documents, tmp_path / "more")
    make_dataset(tmp_path / "more", [{"text": text} for text in [*TOPICS.values(), "Nobody indexed this."]])
    ran = prove(workshop, tmp_path / "proof", notes.out, tmp_path / "more")
    assert ran.measures["covered"] == pytest.approx(6 / 7)
    assert "Nobody indexed this." in ran.log


def test_the_proof_sees_a_lost_end(workshop, tmp_path, documents, notes):
    """A passage whose last sentence was cut off covers its row no longer."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    bad = shutil.copytree(notes.out, tmp_path / "bad")
    rows = pq.read_table(bad / "passages.parquet").to_pylist()
    rows[-1] |= {"text": rows[-1]["text"][:-5], "end": rows[-1]["end"] - 5}
    pq.write_table(pa.Table.from_pylist(rows), bad / "passages.parquet")
    assert prove(workshop, tmp_path / "proof", bad, documents).measures["covered"] < 1


def test_the_proof_sees_vectors_of_others(workshop, tmp_path, documents, notes):
    """Vectors in another order than the passages find the wrong ones."""
    import faiss

    bad = shutil.copytree(notes.out, tmp_path / "bad")
    vectors = faiss.read_index(str(bad / "index.faiss"))
    rows = vectors.reconstruct_n(0, vectors.ntotal)
    turned = faiss.IndexFlatIP(rows.shape[1])
    turned.add(rows[::-1].copy())
    faiss.write_index(turned, str(bad / "index.faiss"))
    assert prove(workshop, tmp_path / "proof", bad, documents).measures["found"] < 0.5


@pytest.mark.parametrize(
    "flaw", [("card.json", "it has no card.json"), ("passages.parquet", "vectors for 1 passages")], ids=["card", "short"]
)
def test_a_broken_index_is_told(tmp_path, notes, flaw):
    """An index without its card or with too few passages ends with a sentence."""
    import pyarrow.parquet as pq

    name, says = flaw
    if name == "card.json":
        (notes.out / name).unlink()
    else:
        pq.write_table(pq.read_table(notes.out / name).slice(0, 1), notes.out / name)
    with modules_of("index", "retrieving") as loaded, pytest.raises(SystemExit, match=says):
        loaded.retrieving.Index(notes.out)


def test_documents_without_text(workshop, tmp_path):
    """There is nothing to find in nothing."""
    workshop.spec(SPEC)
    make_dataset(tmp_path / "data", [{"text": " \n"}])
    ran = here.run(workshop.front(), "my-notes", tmp_path / "step", {"documents": tmp_path / "data"})
    assert ran.error == "error: no row of the documents has any text"


def test_rows_of_chats(workshop, tmp_path):
    """What was said in a chat is a document, and is found by what was asked."""
    workshop.spec(SPEC)
    make_dataset(tmp_path / "data", chats(20))
    ran = here.run(workshop.front(), "my-notes", tmp_path / "step", {"documents": tmp_path / "data"})
    assert ran.measures["documents"] == 20
    assert prove(workshop, tmp_path / "proof", ran.out, tmp_path / "data").measures["covered"] == 1


@pytest.mark.slow
def test_with_a_model(workshop, tmp_path, documents):
    """A model embeds, padded or not alike; the index holds it, and finds each passage by its own text."""
    workshop.spec(MEANT.replace("FIELDS", "top: 3"))
    make_model(tmp_path / "model")
    places = {"documents": documents, "embedder": tmp_path / "model"}
    ran = here.run(workshop.front(), "my-notes", tmp_path / "step", places)
    again = here.run(workshop.front(), "my-notes", tmp_path / "again", places)
    assert (ran.out / "index.faiss").read_bytes() == (again.out / "index.faiss").read_bytes()
    assert ran.measures["dimension"] == 64
    assert prove(workshop, tmp_path / "proof", ran.out, documents).measures == {"rows": 6, "covered": 1.0, "found": 1.0}
    with modules_of("index", "embedding") as loaded:
        embedder = loaded.embedding.OfModel(ran.out / "embedder")
        texts = ["One.", "A much longer text, which pads the other one.", ""]
        together, alone = embedder.embed(texts), [embedder.embed([each])[0] for each in texts]
    for row, single in zip(together, alone, strict=True):
        assert row == pytest.approx(single, abs=1e-5)


@pytest.mark.slow
def test_built_with_its_proof(workshop):
    """Dataset, index, proof and a persona that looks things up, in one build."""
    workshop.write("data/notes.txt", "\n".join(TOPICS.values()))
    workshop.spec(
        "datasets: {my-data: {from: data/notes.txt, per: line}}\n"
        "indexes: {my-notes: {documents: my-data, gates: [recall >= 90%]}}\n"
        "prompts: {my-prompt: {system: Answer., retrieval: my-notes}}\n"
    )
    endings = workshop.build()
    assert {each.fate.value for each in endings.values()} == {"ran"}, endings
    with modules_of("index", "retrieving") as loaded:
        index = loaded.retrieving.of_prompt(workshop.tree("my-prompt"))
        asked = index.ask([{"role": "system", "content": "Answer."}, {"role": "user", "content": "What is my duty?"}])
    assert asked[0] == {"role": "system", "content": "Answer."}
    assert asked[1]["content"].startswith(f"<passages>\n[1] {TOPICS['duty']}")


def test_an_evaluation_asks_with_what_was_found(notes, tmp_path):
    """An exam puts the same passages before its question as every other reader of the index; a speed task has none to time."""
    home = tmp_path / "prompts/0"
    shutil.copytree(notes.out, home / "retrieval")
    told = {"system": "Answer.", "few_shot": [], "sampling": {}, "arguments": {}, "retrieval": True}
    (home / "prompt.json").write_text(json.dumps(told))
    question = {"role": "user", "content": "What is my duty?"}
    with modules_of("exam", "asked", "retrieving") as loaded:
        ((_, prompt),) = loaded.asked.prompts_of([""], home.parent)
        said = loaded.asked.chat(loaded.asked.Asked("0", [question], "", {}, prompt, ""))
        index = loaded.retrieving.of_prompt(home)
        assert said == index.ask([{"role": "system", "content": "Answer."}, question])
        assert TOPICS["duty"].partition(".")[0] in said[-1]["content"]
        ((_, prompt),) = loaded.asked.prompts_of([""], home.parent, looking=False)
        assert loaded.asked.chat(loaded.asked.Asked("0", [question], "", {}, prompt, ""))[-1] == question


@pytest.mark.parametrize(("looks", "modules", "packages"), [("retrieval: my-notes", True, True), ("system: One.", False, False)])
def test_an_exam_without_passages_needs_none_of_it(workshop, looks, modules, packages):
    """Only where a prompt looks something up are there modules, and a package, for it."""
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n')
    spec = MEANT.replace(", FIELDS", "").replace(
        "datasets: {", "datasets: {my-exam: {from: data/asked.jsonl, format: questions}, "
    )
    workshop.spec(
        f"{spec}prompts: {{my-prompt: {{{looks}}}}}\n"
        "evals: {my-eval: {model: my-tiny.gguf, prompts: my-prompt, tasks: {some: {exam: my-exam}}}}\n"
    )
    front = workshop.front()
    files = front.settlement.rendered(front.graph.vertices["my-eval.some"]).files()
    assert ("recipe/retrieving.py" in files, "recipe/embedding.py" in files) == (modules, modules)
    assert ("faiss-cpu==" in files["recipe/exam.py"], '"torch==' in files["recipe/exam.py"]) == (packages, packages)


# --- what is refused, and what is known ---


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (SPEC.replace("overlap: 10", "overlap: 24"), "passages of 24 that share 24 with the next one never end"),
        (MEANT.replace("FIELDS", "top: 3").replace("chunk: 64", "chunk: 400"), "longer than what the embedder reads (256)"),
        (MEANT.replace("FIELDS", "top: 3").replace("r: my-tiny", "r: {node: my-tiny, dimension: 64}"), "a dimension of its own"),
    ],
)
def test_what_cannot_be_is_told_at_plan_time(workshop, spec, says):
    """A passage fits into its embedder, and settings that nothing reads are refused."""
    workshop.spec(spec)
    ((_, _, facts),) = workshop.problems()
    assert says in facts["says"]


def test_facts_travel(workshop):
    """What stands before a question is known before it is looked up: so a prompt knows how long it is."""
    workshop.spec(f"{SPEC}prompts: {{my-prompt: {{system: abcdefg, retrieval: my-notes}}}}\n")
    nodes = workshop.front().settlement.nodes
    assert nodes["my-notes"].facts == Index(licence=None, tokens=72, embedder="hashing")
    assert nodes["my-prompt"].facts.tokens == 74


def test_a_dataset_is_no_index(workshop):
    """What a prompt looks things up in is an index."""
    workshop.spec("datasets: {my-data: {from: data/words.txt}}\nprompts: {my-prompt: {retrieval: my-data}}\n")
    ((_, code, _),) = workshop.problems()
    assert code == "no-way-between"


# --- the modules ---

PLACES = [(202, 1.0), (1545, -1.0), (222, -1.0)]  # of three features
TEXTS = st.text(st.sampled_from("ab .!?\n\"'»…é。"), max_size=200)


@given(text=TEXTS, most=st.integers(1, 12), overlap=st.integers(0, 6))
def test_passages_are_the_text(text, most, overlap):
    """Sentences together are the text; passages cover it in order, and none but a single word is too long."""
    with modules_of("index", "cutting", "embedding") as told:

        def length(text):
            return len(told.embedding.words(text))

        spans = told.cutting.passages(text, most=most, overlap=min(overlap, most - 1), length=length)
        assert "".join(text[start:end] for start, end in told.cutting.sentences(text)) == text
        at = 0
        for start, end in spans:
            assert start <= at < end
            assert length(text[start:end]) <= max(most, *(length(part) for part in text[start:end].split(" ")))
            at = end
        assert at == len(text)


def test_borders_of_sentences():
    """Sentences end at their marks and what closes behind them, at the ends of lines, and nowhere within a number."""
    text = 'It costs 3.5 euros. "Really?" she said.\nA line\n\nIl dit : « Oui ! » Bien… sûr。次'
    with modules_of("index", "cutting") as told:
        found = [text[start:end] for start, end in told.cutting.sentences(text)]
    assert found == [
        "It costs 3.5 euros. ",
        '"Really?" ',
        "she said.\n",
        "A line\n\n",
        "Il dit : « Oui ! ",
        "» Bien… ",
        "sûr。",
        "次",
    ]


def test_passages_overlap_in_whole_sentences():
    """The next passage begins with the last sentences of the one before, as far as they fit."""
    text = "One two three. Four five. Six seven eight. Nine ten."
    with modules_of("index", "cutting", "embedding") as told:

        def cut(most, overlap):
            spans = told.cutting.passages(text, most=most, overlap=overlap, length=lambda text: len(told.embedding.words(text)))
            return [text[start:end].strip() for start, end in spans]

        assert cut(5, 2) == ["One two three. Four five.", "Four five. Six seven eight.", "Nine ten."]
        assert cut(6, 3) == ["One two three. Four five.", "Four five. Six seven eight.", "Six seven eight. Nine ten."]
        assert cut(5, 0) == ["One two three. Four five.", "Six seven eight. Nine ten."]
        assert cut(2, 0) == ["One two", "three.", "Four five.", "Six seven", "eight.", "Nine ten."]


def test_hashing_is_the_same_everywhere():
    """Where a word is counted is written down here: an index made on one machine is read on another."""
    with modules_of("index", "embedding") as told:
        assert [told.embedding.place(each, 2048) for each in ("duty", "#<du", "été")] == PLACES
        hashing = told.embedding.Hashing(256)
        hashing.learn(["a b c", "a b d"])
        alike, other = hashing.embed(["The DUTY of reason", "the duty of Reason"]), hashing.embed(["", "!"])
    assert alike[0] == pytest.approx(alike[1])
    assert not other.any()


def test_passages_stand_before_the_last_question():
    """One way to put them: numbered, the best one first, in the turn of the question; earlier turns stay as they are."""
    with modules_of("index", "retrieving") as told:
        chat = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Why?"}]
        found = [told.retrieving.Passage(text, "train/00000.parquet", 0, 0, 4, 1.0) for text in ("Because. ", "So.")]
        asked = told.retrieving.with_passages(chat, found)
        assert told.retrieving.question_of(chat) == "Why?"
        assert told.retrieving.with_passages(chat, []) == chat
        with pytest.raises(ValueError, match="nothing to look up"):
            told.retrieving.question_of(chat[1:2])
    assert asked[:2] == chat[:2]
    assert asked[2] == {"role": "user", "content": "<passages>\n[1] Because.\n\n[2] So.\n</passages>\n\nWhy?"}
    assert chat[2]["content"] == "Why?"
