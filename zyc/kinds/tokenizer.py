"""The kind `tokenizer`: text <-> token ids, trained on text of the project's own, with the template of its chats."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from zyc import fields
from zyc.craft.chats import CHATS, Chat, is_file, is_marked, no_template, unended, unknown
from zyc.gates import Gate, Interval, parse
from zyc.kind import Case, Estimate, Fields, FileNeed, Kind, Measure, Need, Objection, Placement, Recipe, Spec
from zyc.types import Dataset, Tokenizer

SUFFIXES = (".txt", ".md", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
NO_TEXT = (".gz", ".html", ".htm", ".pdf")  # what a dataset unpacks and reads
BYTES = 256  # a piece for each, so that nothing is unknown
FORMS = {"bpe": "sentencepiece-bpe", "unigram": "sentencepiece-unigram", "byte-bpe": "byte-bpe"}


class Source(Fields):
    """Text to learn from."""

    node: fields.Ref[Dataset] | None = None
    """A dataset: all of its text is read, of its train split."""
    file: fields.FilePath | None = None
    """A file, folder or glob of yours: text, or rows whose text is read."""
    weight: fields.Share | None = Field(None, gt=0)
    """The share that it has of all text; as much as there is when nothing has a share."""


def read_corpus(value: object) -> object:
    """`[base, notes.txt]` or `{base: 80%, notes.txt: 20%}`: datasets by name, files by path."""
    rows = fields.read_named("weight")(value)
    assert isinstance(rows, list)
    return [_at_its_place(row) if isinstance(row, dict) else row for row in rows]


def _at_its_place(row: dict[str, Any]) -> dict[str, Any]:
    name = row.get("node")
    if isinstance(name, dict) and "file" in name:
        return name
    if isinstance(name, str) and ("/" in name or "*" in name or name.endswith(SUFFIXES)):
        return {**{key: each for key, each in row.items() if key != "node"}, "file": name}
    return row


CORPUS_SCHEMA = WithJsonSchema(
    {
        "description": "Datasets by name and files by path; a mapping gives each its share.",
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}},
            {"type": "object", "additionalProperties": {"type": "string", "examples": ["80%"]}},
        ],
    }
)


class TokenizerSpec(Spec):
    """The fields of a tokenizer."""

    corpus: Annotated[tuple[Source, ...], BeforeValidator(read_corpus), CORPUS_SCHEMA]
    """What it learns from: `[base-corpus, notes/*.txt]`, or with shares: `{base-corpus: 80%, pairs: 20%}`."""
    algorithm: Literal["bpe", "unigram", "byte-bpe"] = "bpe"
    """`bpe` and `unigram` are sentencepiece's (llama.cpp reads `bpe` only); `byte-bpe` is the form of GPT-2, Qwen and Llama 3."""
    vocab: fields.Amount = Field(ge=300, le=2_000_000)
    """How many pieces it may have, those of bytes, controls and `special` among them; fewer when the text has fewer."""
    special: fields.Texts = ()
    """Further tokens that no text is ever cut into, such as `<|tool|>`."""
    chat_template: fields.Text = "chatml"
    """The name of a chat template (chatml, llama2, llama3, mistral, gemma, qwen, smollm, ...), or a Jinja file of yours."""
    begins: fields.Integer | None = Field(None, ge=0, le=1)
    """How many BOS stand before a chat: 0 or 1; as the template has it when not given."""
    end_of_turn: fields.Text | None = None
    """The token that ends an answer; needed for a template of yours, known for the others."""
    pre: Literal["qwen2", "gpt-2", "llama-bpe", "smollm"] | None = None
    """For `byte-bpe`: how text is split before pieces are looked for, by the name that llama.cpp has for it."""
    digits: fields.Flag = True
    """Each digit is a piece of its own; for `byte-bpe` it is `pre` that says so."""
    coverage: fields.Share = Field(0.9995, gt=0, le=1)
    """The share of characters that get a piece; the others are written as bytes. Not for `byte-bpe`, which has no others."""
    sample: fields.Bytes | None = Field(None, ge=1)
    """The most text to learn from, such as `2 GB`; what is taken is drawn by `seed`."""
    seed: fields.Integer = Field(0, ge=0)
    """Which text is drawn where not all of it is read."""
    licence: fields.Text | None = None
    """The licence of what it learnt from, where the datasets do not tell."""
    placement: Placement = Placement()
    """Where it is trained: never part of the key."""

    @property
    def own(self) -> bool:
        """Whether the chat template is a file of the user's."""
        return self.chat_template not in CHATS

    @property
    def chat(self) -> Chat:
        """The tokens of its template; those of a file of the user's are what the spec says."""
        return CHATS.get(self.chat_template) or Chat(self.end_of_turn or "")


class TokenizerKind(Kind[TokenizerSpec]):
    """Learns pieces from text, so that transformers and llama.cpp both read the result as it is, and proves that they agree."""

    name = "tokenizer"
    section = "tokenizers"
    Spec = TokenizerSpec
    gives = Tokenizer
    measures = {
        "vocabulary": Measure("ids that it has"),
        "bytes_per_token": Measure("bytes of its corpus that one token stands for"),
        "roundtrip": Measure("the share of texts that come back as they were", "share"),
        "parity": Measure("the share of texts that two readers give the same ids", "share"),
    }
    only_real = ("vocabulary", "bytes_per_token")
    shares = ("chat_templates.py", "texts.py", "tokenizer_files.py")

    def needs(self, spec: TokenizerSpec) -> Iterable[Need]:
        """A template of the user's is part of the recipe."""
        if is_file(spec.chat_template):
            yield FileNeed(fields.read_path(spec.chat_template), "chat_template", text=True)

    def place(self, path: str) -> str:
        """`corpus.0.node` and `corpus.0.file` stand at `in/corpus/0`."""
        return path.rsplit(".", 1)[0].replace(".", "/")

    def bounds(self, spec: TokenizerSpec, *, twin: bool = False) -> tuple[Gate, ...]:
        """Two readers that differ are two tokenizers; `unigram` alone may take the name of a token in a text for the token."""
        gate = parse(f"parity >= {0.98 if spec.algorithm == 'unigram' else 1}")
        return (gate,) if gate is not None else ()

    def twin(self, spec: TokenizerSpec) -> TokenizerSpec:
        """A small vocabulary is learnt from little text."""
        return spec.model_copy(update={"vocab": min(spec.vocab, 2048)})

    def check(self, case: Case[TokenizerSpec]) -> Iterable[Objection]:
        """A template without an end, settings that say nothing, tokens that are there twice."""
        spec = case.spec
        flaw = unknown(spec.chat_template) or no_template(spec.chat_template, _own_text(case))
        if flaw is not None:
            yield Objection("chat_template", *flaw)
            return
        yield from _checked_template(case)
        yield from _checked_corpus(spec)
        if spec.algorithm == "byte-bpe" and spec.pre == "llama-bpe" and _begins(case) == 0:
            says = "llama.cpp puts a BOS before every text of `pre: llama-bpe`, and this template has none"
            yield Objection("pre", says, "`begins: 1`, or `pre: qwen2`")
        if spec.algorithm != "byte-bpe" and spec.pre is not None:
            yield Objection("pre", f"`{spec.algorithm}` has no pre-tokenizer", "remove it, or `algorithm: byte-bpe`")
        fixed = 4 + BYTES + len({*spec.chat.specials(), *spec.special})
        if spec.vocab < fixed + 32:
            says = f"{spec.vocab} pieces leave {spec.vocab - fixed} for text: {fixed} are bytes and special tokens"
            yield Objection("vocab", says, f"`vocab: {fixed + 512}` is a start")

    def facts(self, case: Case[TokenizerSpec]) -> Tokenizer:
        """All but the pieces themselves; two that are made alike are alike."""
        spec = case.spec
        licences = sorted({str(each) for each in (getattr(facts, "licence", None) for _, facts in case.every("corpus")) if each})
        return Tokenizer(
            identity=_identity(case),
            form=FORMS[spec.algorithm],
            vocabulary=spec.vocab,
            template="own" if spec.own else spec.chat_template,
            marked=is_marked(spec.chat_template, _own_text(case)),
            begins=_begins(case),
            end_of_turn=_end_of_turn(case),
            licence=spec.licence or (licences[0] if len(licences) == 1 else None),
        )

    def estimate(self, case: Case[TokenizerSpec]) -> Estimate:
        """Counting pairs of all text: about 8 MB of text a second, and ten times its size in memory."""
        sizes = [found.bytes for found in case.files.values()]
        tokens = [facts.tokens for _, facts in case.every("corpus") if isinstance(facts, Dataset)]
        if None in tokens:
            return Estimate(result=f"{case.spec.vocab:,} pieces")
        size = sum(sizes) + 4 * sum(each or 0 for each in tokens)
        size = min(size, case.spec.sample or size)
        seconds = Interval(2 + size / 16e6, 10 + size / 2e6, f"{size / 1e6:,.1f} MB of text")
        return Estimate(
            seconds=seconds,
            memory=300_000_000 + 10 * size,
            disk=20_000_000,
            result=f"{case.spec.vocab:,} pieces",
            measures=(("vocabulary", Interval(0, case.spec.vocab, "vocab")),),
        )

    def recipe(self, case: Case[TokenizerSpec]) -> Recipe:
        """Where its text lies, its tokens, and the text of a template of the user's."""
        spec, chat = case.spec, case.spec.chat
        sources = [
            {"path": f"in/corpus/{at}", "weight": source.weight, "suffix": _suffix(source)}
            for at, source in enumerate(spec.corpus)
        ]
        controls = list(dict.fromkeys([*chat.specials(), *([chat.end_of_turn] if spec.own else []), *spec.special]))
        values: dict[str, object] = {
            "spec": spec,
            "own": spec.own,
            "sentencepiece": spec.algorithm != "byte-bpe",
            "sources": sources,
            "controls": [each for each in controls if each not in (chat.bos, chat.eos)],
            "bos": chat.bos,
            "eos": chat.eos,
            "template": "own" if spec.own else spec.chat_template,
            "begins": _begins(case),
            "end_of_turn": _end_of_turn(case),
            "pre": spec.pre or ("qwen2" if spec.algorithm == "byte-bpe" else None),
            "form": FORMS[spec.algorithm],
        }
        return Recipe(values=values, files={"own.jinja": _own_text(case)} if spec.own else {})


def _suffix(source: Source) -> str:
    """What is read and how: the files of a dataset, of a folder or glob each by its own name, or one file."""
    if source.file is None:
        return "dataset"
    return next((each for each in SUFFIXES if source.file.path.endswith(each) and "*" not in source.file.path), "")


def _own_text(case: Case[TokenizerSpec]) -> str:
    found = case.files.get(fields.read_path(case.spec.chat_template))
    return found.text or "" if found is not None else ""


def _begins(case: Case[TokenizerSpec]) -> int:
    if case.spec.own:
        return int("bos_token" in _own_text(case))
    return case.spec.chat.begins if case.spec.begins is None else case.spec.begins


def _end_of_turn(case: Case[TokenizerSpec]) -> str:
    return case.spec.end_of_turn or case.spec.chat.end_of_turn


def _checked_template(case: Case[TokenizerSpec]) -> Iterable[Objection]:
    """An answer must end, and a template of the user's says itself how a chat begins."""
    spec = case.spec
    flaw = unended(spec.chat_template, spec.end_of_turn, _own_text(case), eos=spec.chat.eos)
    if flaw is not None:
        yield Objection("end_of_turn", *flaw)
    if spec.own and spec.begins is not None and spec.begins != _begins(case):
        says = f"`{spec.chat_template}` writes {_begins(case)} BOS before a chat, not {spec.begins}"
        yield Objection("begins", says, "a template writes its own: `{{ bos_token }}`")


def _checked_corpus(spec: TokenizerSpec) -> Iterable[Objection]:
    if not spec.corpus:
        yield Objection("corpus", "there is no text to learn from", "name a dataset or a file")
    for at, source in enumerate(spec.corpus):
        if source.file is not None and source.file.path.lower().endswith(NO_TEXT):
            hint = f"make a dataset of it, `datasets: {{pages: {source.file.path}}}`, and name that"
            yield Objection(f"corpus.{at}.file", f"`{source.file.path}` is read by datasets, not as text", hint)
    weights = [source.weight for source in spec.corpus]
    if any(each is None for each in weights) and any(each is not None for each in weights):
        yield Objection("corpus", "some of the corpus has a share and some has none", "give each a share, or none")
    for token in spec.special:
        if not token or token != token.strip():
            yield Objection("special", f"`{token}` cannot be a token", "a token has no space at its ends")
    twice = {each for each in spec.special if each in spec.chat.specials() or spec.special.count(each) > 1}
    for token in sorted(twice):
        yield Objection("special", f"`{token}` is there twice", "the template brings its own: leave it out")


def _identity(case: Case[TokenizerSpec]) -> str:
    """Equal when ids and template are: made of what decides them, no names among it."""
    spec = case.spec
    told: Mapping[str, Any] = {
        "spec": spec.model_dump(mode="json", exclude={"about", "tags", "gates", "twin", "placement", "corpus", "licence"}),
        "corpus": [[source.weight, _content(case, at)] for at, source in enumerate(spec.corpus)],
        "own": _own_text(case) if spec.own else "",
    }
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _content(case: Case[TokenizerSpec], at: int) -> str:
    """What is known of a source: the digest of a file, the facts of a dataset."""
    source = case.spec.corpus[at]
    if source.file is not None:
        found = case.files.get(source.file.path)
        return found.digest if found is not None else ""
    # facts tell too little of a dataset; its name is in no recipe from here
    return f"{source.node} {case.inputs.get(f'corpus.{at}.node')}"
