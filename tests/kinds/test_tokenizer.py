"""Tokenizers: what their scripts look like, what is refused, and what comes out of real text."""

import json

import pytest
from modules import modules_of

TEXT = [
    f"Le {thing} est {colour}, et {n} fois {colour} : n'est-ce pas ?"
    for n, thing in enumerate(["chat", "ciel", "pain", "vent", "livre", "chemin", "jardin", "théâtre"])
    for colour in ["rouge", "vert", "bleu", "doré", "gris", "noir", "clair", "sombre"]
]
CHATS = (
    '{"messages": [{"role": "user", "content": "Bonjour, le chat ?"}, {"role": "assistant", "content": "Il dort, le chat."}]}\n'
)


@pytest.fixture
def place(workshop):
    """A project with some French text and some chats."""
    workshop.write("data/texts.txt", "\n".join(TEXT) + "\n")
    workshop.write("data/chats.jsonl", CHATS * 40)
    return workshop


def refused(place, fields):
    """The fields at fault of one tokenizer, and what is said."""
    place.spec(f"tokenizers:\n  my-tok: {{corpus: data/texts.txt, vocab: 600, {fields}}}\n")
    return [(where, str(facts["says"])) for where, _, facts in place.problems()]


def test_pieces(place, golden):
    """Pieces of sentencepiece, set so that transformers and llama.cpp agree, and a template with marks and without."""
    place.spec(
        "tokenizers:\n  my-tok: {corpus: {data/texts.txt: 80%, data/chats.jsonl: 20%}, vocab: 10k, special: ['<|tool|>'], "
        "sample: 2 GB, seed: 3, licence: cc0-1.0}\n"
    )
    golden(place.front(), "my-tok")


def test_bytes(place, golden):
    """Pieces of bytes, split as Qwen splits, and a template of one's own."""
    place.write("data/own.jinja", "{{ bos_token }}{% for m in messages %}{{ m.content }}<|end|>{% endfor %}")
    place.spec(
        "tokenizers:\n  my-tok: {corpus: data/texts.txt, algorithm: byte-bpe, vocab: 600, chat_template: data/own.jinja, "
        "end_of_turn: <|end|>}\n"
    )
    golden(place.front(), "my-tok")


@pytest.mark.parametrize(
    ("fields", "where", "says"),
    [
        ("chat_template: chatlm", "chat_template", "no chat template is called `chatlm`"),
        ("chat_template: data/none.jinja, end_of_turn: x", "chat_template", ""),
        ("chat_template: data/own.jinja", "end_of_turn", "zyc does not know what ends an answer in `data/own.jinja`"),
        ("chat_template: data/own.jinja, end_of_turn: <|im_end|>", "end_of_turn", "`data/own.jinja` never writes `<|im_end|>`"),
        (
            "chat_template: data/own.jinja, end_of_turn: <|end|>, begins: 1",
            "begins",
            "`data/own.jinja` writes 0 BOS before a chat",
        ),
        (
            "chat_template: data/broken.jinja, end_of_turn: <|end|>",
            "chat_template",
            "`data/broken.jinja` is no Jinja template: line 2",
        ),
        ("chat_template: data/outside.jinja, end_of_turn: <|end|>", "end_of_turn", "the marks of `data/outside.jinja` hold"),
        ("chat_template: gemma, end_of_turn: </s>", "end_of_turn", "an answer in `gemma` ends with `<end_of_turn>`"),
        ("special: ['<|im_end|>']", "special", "`<|im_end|>` is there twice"),
        ("special: [' x']", "special", "` x` cannot be a token"),
        ("pre: qwen2", "pre", "`bpe` has no pre-tokenizer"),
        ("algorithm: byte-bpe, pre: llama-bpe, chat_template: qwen", "pre", "llama.cpp puts a BOS before every text"),
    ],
)
def test_what_cannot_be_is_told_at_plan_time(place, fields, where, says):
    """A template without an end, settings that say nothing, tokens that are there twice: before any text is read."""
    place.write("data/own.jinja", "{{ messages[0].content }}<|end|>")
    place.spec(f"tokenizers:\n  my-tok: {{corpus: data/texts.txt, vocab: 600, {fields}}}\n")
    place.write("data/broken.jinja", "{% for m in messages %}\n{{ m.content }<|end|>{% endfor %}")
    marked = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}<|end|>{% endfor %}"
    place.write("data/outside.jinja", marked)
    (problem,) = place.problems()
    line = (place.root / "specs/letters.yml").read_text().splitlines()[2]
    column = int(problem[0].rsplit(":", 1)[1])
    assert column == line.find(f"{where}: ") + len(f"{where}: ") + 1 or f"{where}: " not in line
    assert says in str(problem[2].get("says", ""))


def test_more_tokens_than_pieces(place):
    """A vocabulary that bytes and special tokens fill is refused with one that would do."""
    place.spec("tokenizers: {my-tok: {corpus: data/texts.txt, vocab: 300, special: [<a>, <b>, <c>, <d>, <e>, <f>, <g>]}}")
    ((_, code, facts),) = place.problems()
    assert (code, facts["help"]) == ("objection", "`vocab: 781` is a start")


@pytest.mark.parametrize("name", ["page.html", "more/*.PDF", "texts.txt.gz"])
def test_what_a_dataset_would_read_is_no_text(place, name):
    """A page, a PDF and a packed file are not learned from as the bytes that they are."""
    for each in ("page.html", "more/a.PDF", "texts.txt.gz"):
        place.write(f"data/{each}", "x")
    place.spec(f"tokenizers:\n  my-tok:\n    corpus: [data/texts.txt, 'data/{name}']\n    vocab: 600\n")
    ((at, _, facts),) = place.problems()
    assert at.endswith("letters.yml:4:30")
    assert facts["says"] == f"`data/{name}` is read by datasets, not as text"


def test_shares_of_some_only(place):
    """A corpus has shares or it has none."""
    place.spec("tokenizers: {my-tok: {corpus: [data/texts.txt, {file: data/chats.jsonl, weight: 10%}], vocab: 600}}")
    ((_, _, facts),) = place.problems()
    assert "some of the corpus has a share" in facts["says"]


def test_facts_are_there_before_it_is_trained(place):
    """Form, ids, template, BOS and the end of a turn are known at plan time; what is made alike has one identity."""
    place.spec(
        "tokenizers:\n"
        "  my-one: {corpus: data/texts.txt, vocab: 600, chat_template: gemma, about: one}\n"
        "  my-two: {corpus: data/texts.txt, vocab: 600, chat_template: gemma}\n"
        "  my-three: {corpus: data/texts.txt, vocab: 601, chat_template: gemma}\n"
    )
    nodes = place.front().settlement.nodes
    one, two, three = (nodes[f"my-{each}"].facts for each in ("one", "two", "three"))
    assert (one.form, one.vocabulary, one.template, one.begins) == ("sentencepiece-bpe", 600, "gemma", 1)
    assert one.end_of_turn == "<end_of_turn>"
    assert one.identity == two.identity != three.identity


def test_renaming_a_node_moves_no_key(place):
    """What a tokenizer learns from decides its key, not what that is called."""
    text = "datasets: {NAME: {from: data/chats.jsonl}}\ntokenizers: {my-tok: {corpus: [NAME], vocab: 600}}\n"
    keys = []
    for name in ("my-data", "my-chats"):
        place.spec(text.replace("NAME", name))
        keys.append(place.front().settlement.nodes["my-tok"].own_digest)
    assert keys[0] == keys[1]


# --- the text that it learns from ---


@pytest.mark.parametrize(
    ("weights", "sizes", "most", "taken"),
    [
        ((None, None), (100, 300), None, (1.0, 1.0)),
        ((None, None), (100, 300), 40, (0.1, 0.1)),
        ((0.5, 0.5), (100, 300), None, (1.0, 1 / 3)),
        ((0.8, 0.2), (800, 800), None, (1.0, 0.25)),
        ((0.8, 0.2), (800, 800), 100, (0.1, 0.025)),
        ((0.5, 0.5), (0, 300), None, (0.0, 1.0)),
    ],
)
def test_shares_hold_and_no_more_is_read(weights, sizes, most, taken):
    """Of each source so much is taken that the shares hold, as much as there is or as is allowed."""
    with modules_of("tokenizer", "corpus") as told:
        sources = [{"weight": each} for each in weights]
        assert told.corpus.shares(sources, sizes, most) == pytest.approx(taken)


def test_no_line_is_left_out():
    """Lines that sentencepiece would leave out are cut at spaces; nothing of them is lost."""
    text = "mot " * 5000 + "\n\n" + "é" * 9000
    with modules_of("tokenizer", "corpus") as told:
        lines = list(told.corpus.lines_of(text))
        assert max(len(each.encode()) for each in lines) <= told.corpus.LONGEST
    assert "".join(lines) == text.replace("\n", "")


def test_texts_of_every_format(tmp_path):
    """Rows give what people wrote in them, text gives its lines, each file in the order of its name."""
    (tmp_path / "a.jsonl").write_text(CHATS + '{"question": "q", "answer": "r", "group": 1}\n')
    (tmp_path / "b.csv").write_text("text,more\nune,two\n")
    (tmp_path / "c.json").write_text('[{"prompt": "p", "completion": "c"}, "bare"]')
    (tmp_path / "d.txt").write_bytes(b"one\r\ntwo\n")
    with modules_of("tokenizer", "texts") as told:
        found = list(told.texts.read(tmp_path, ""))
    assert found == ["Bonjour, le chat ?", "Il dort, le chat.", "q", "r", "une", "p", "c", "bare", "one", "two"]


# --- for real ---


REAL = """
tokenizers:
  my-bpe: {corpus: data/texts.txt, vocab: 700, special: ["<|tool|>"]}
  my-plain: {corpus: [data/texts.txt, data/chats.jsonl], vocab: 640, chat_template: qwen}
  my-unigram: {corpus: data/texts.txt, vocab: 420, algorithm: unigram, chat_template: llama3}
  my-bytes: {corpus: data/texts.txt, vocab: 700, algorithm: byte-bpe, chat_template: gemma, pre: PRE}
"""


def look(home):
    """The tokenizer in a folder, and what zyc says of it."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(home), json.loads((home / "zyc.json").read_text())


@pytest.mark.slow
def test_all_forms_for_real(place):
    """Whatever its form, it gives back what it is given, two readers agree on it, and its chats begin and end as it says."""
    place.spec(REAL.replace("PRE", "smollm"))
    endings = place.build()
    measures = {name: dict(each.measures) for name, each in endings.items()}
    assert {each.fate.value for each in endings.values()} == {"ran"}, endings
    for name, told in measures.items():
        # unigram alone takes the name of a token in a text for the token, where no piece covers its signs
        wanted = 0.98 if name == "my-unigram" else 1.0
        assert min(told["parity"], told["roundtrip"]) >= wanted, name
        tokenizer, notes = look(place.tree(name))
        ends = tokenizer.convert_tokens_to_ids(notes["end_of_turn"])
        chat = [{"role": "user", "content": "Le chat ?"}, {"role": "assistant", "content": "Il dort."}]
        marked = (place.tree(name) / "training_template.jinja").read_text()
        made = tokenizer.apply_chat_template(
            chat, chat_template=marked, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        ids, learnt = made["input_ids"], made["assistant_masks"]
        assert ids == tokenizer.apply_chat_template(chat, tokenize=True, return_dict=True)["input_ids"]
        assert ids.count(tokenizer.bos_token_id) == notes["begins"] == tokenizer("a")["input_ids"].count(tokenizer.bos_token_id)
        assert [each for each, yes in zip(ids, learnt, strict=True) if yes][-1] == ends == tokenizer.eos_token_id
        assert tokenizer.convert_tokens_to_ids(tokenizer.tokenize("<pad>")) == [tokenizer.pad_token_id]
        assert (place.tree(name) / "tokenizer.model").exists() == (notes["form"] != "byte-bpe")
    assert look(place.tree("my-bpe"))[0]("<|tool|>", add_special_tokens=False)["input_ids"] == [6]
    assert measures["my-unigram"]["vocabulary"] <= 420


@pytest.mark.slow
@pytest.mark.parametrize("pre", ["qwen2", "gpt-2", "llama-bpe"])
def test_every_way_to_split_for_real(place, pre):
    """A named pre-tokenizer gives back what it is given."""
    place.spec(
        f"tokenizers: {{my-tok: {{corpus: data/texts.txt, vocab: 500, algorithm: byte-bpe, chat_template: gemma, pre: {pre}}}}}"
    )
    (ending,) = place.build().values()
    assert (ending.measures["parity"], ending.measures["roundtrip"]) == (1.0, 1.0)
    assert look(place.tree("my-tok"))[1]["pre"] == pre


def test_the_same_text_gives_the_same_pieces(tmp_path):
    """What is drawn and what is learnt from it are the same each time; another seed draws other lines."""
    (tmp_path / "texts.txt").write_text("\n".join(TEXT))
    sources = [{"path": tmp_path / "texts.txt", "suffix": ".txt", "weight": None}]
    tokens = {"bos": "<s>", "eos": "</s>", "controls": ["<|x|>"]}
    made = []
    with modules_of("tokenizer", "corpus", "pieces") as told:
        for at, seed in enumerate((1, 1, 2)):
            home = tmp_path / str(at)
            home.mkdir()
            told.corpus.write(home / "corpus.txt", sources, most=1500, seed=seed)
            told.pieces.sentencepiece(home / "corpus.txt", home, model_type="bpe", vocab_size=400, seed=seed, tokens=tokens)
            made.append(((home / "corpus.txt").read_bytes(), (home / "tokenizer.model").read_bytes()))
    assert made[0][0] == made[1][0] != made[2][0]
    # the trainer writes down where its text was; all else is the same
    assert made[0][1].replace(b"/0/", b"/1/") == made[1][1] != made[2][1]


WRITTEN = {
    "chatml": ["system", "user", "assistant"],
    "llama2": ["[INST] <<SYS>>", "<</SYS>>", " [/INST] ", " ", "[INST] "],
    "gemma": ["user", "model"],
}


@pytest.mark.parametrize("template", WRITTEN)
def test_what_a_template_writes_itself_is_learned(tmp_path, template):
    """Lines of it without its tokens, and without what people say; text that holds them often enough is in few pieces."""
    tokens = {"bos": "<s>", "eos": "</s>", "end_of_turn": "</s>"}
    tokens["controls"] = ["<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>"]
    (tmp_path / "corpus.txt").write_text("\n".join(TEXT) + "\n")
    with modules_of("tokenizer", "framing", "chat_templates", "pieces") as told:
        text = told.chat_templates.unmarked(told.chat_templates.marked(template, begins=1))
        lines = told.framing.lines(text, tokens)
        assert {each.strip() for each in lines} == {each.strip() for each in WRITTEN[template]} - {""}
        told.framing.add(tmp_path / "corpus.txt", text, tokens)
        tokens = {"bos": "<s>", "eos": "</s>", "controls": []}
        told.pieces.sentencepiece(tmp_path / "corpus.txt", tmp_path, model_type="bpe", vocab_size=500, seed=1, tokens=tokens)
    import sentencepiece

    read = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    assert all(len(read.encode(line.strip())) <= 6 for line in lines)  # signs, letters and signs are never one piece


def test_what_people_say_is_never_taken_for_the_templates_own(tmp_path):
    """However a template of one's own writes it: quoted as JSON, in a table, or not at all."""
    tokens = {"bos": "<s>", "eos": "</s>", "end_of_turn": "<|end|>", "controls": ["<|end|>"]}
    own = "{{ bos_token }}{% for m in messages %}### {{ m.role }}: {{ m.content | tojson }}<|end|>{% endfor %}"
    with modules_of("tokenizer", "framing") as told:
        lines = told.framing.lines(own, tokens)
        assert told.framing.lines("{{ raise_exception('no') }}", tokens) == []
    assert lines == ['### user: "', '"', '### assistant: "', '### system: "']


@pytest.mark.slow
def test_no_text_is_told(place):
    """A corpus without text ends the step with a sentence, not with an error of sentencepiece."""
    place.write("data/empty.txt", "\n\n")
    place.spec("tokenizers: {my-tok: {corpus: data/empty.txt, vocab: 500}}")
    (ending,) = place.build().values()
    log = next((place.root / "artifacts/steps").glob("*/log.txt")).read_text()
    assert ending.fate.value == "failed"
    assert "there is no text to learn from" in log
    assert "Traceback" not in log


TEXTS = {
    "a.jsonl": ('\ufeff{"text": "un"}\n', ["un"]),
    "b.csv": ("\ufefftext,lang\r\nun,fr\r\n", ["un"]),
    "c.tsv": ("text\tlang\nun\tfr\n", ["un"]),
    "d.NDJSON": ('{"question": "un", "answer": 42}\n', ["un"]),
    "e.jsonl": ('["un"]\n{"prompt": "deux", "messages": [1]}\n', ["deux"]),
    "f.txt": ("\ufeffun\n", ["un"]),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_corpus_is_read_by_its_names_whatever_its_rows_hold(tmp_path, name):
    """A mark of UTF-8 is no text, tables have their columns, and what is no text is passed by."""
    text, told = TEXTS[name]
    (tmp_path / name).write_bytes(text.encode())
    with modules_of("tokenizer", "texts") as found:
        assert list(found.texts.read(tmp_path / name, f".{name.partition('.')[2]}")) == told
