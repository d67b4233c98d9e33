"""The kind `index`: documents cut into passages that are found by what they say; a prompt puts them before a question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from zyc import fields
from zyc.craft import arch
from zyc.gates import Interval
from zyc.kind import Case, Estimate, Fields, Kind, Measure, Objection, Placement, Recipe, Spec
from zyc.types import Dataset, Index, Model

DIMENSION = 2048  # of `hashing`: words and pieces of words share this many places
BYTES_PER_TOKEN = 3.5
SPEED = 3e10  # floating point operations a second of one core
HASHED = 40_000  # tokens a second of one core
TWIN_CHUNK, TWIN_TOP = 24, 2  # a toy sees few tokens, and reads each of them a thousand times


class Embedder(Fields):
    """What turns a text into numbers that lie close together where texts say alike."""

    node: fields.Ref[Model] | None = None
    """A model: the mean of what its last layer finds. Without one, words and pieces of words are counted: `hashing`."""
    dimension: fields.Integer | None = Field(None, ge=64, le=65_536)
    """For `hashing`: how many numbers a passage has; 2048 when not given."""


def read_embedder(value: object) -> object:
    """`hashing`, the name of a model, or `{dimension: 4096}`."""
    if isinstance(value, str) and not fields.is_null(value):
        return {} if value == "hashing" else {"node": value}
    return value


class IndexSpec(Spec):
    """The fields of an index."""

    documents: fields.Ref[Dataset]
    """A dataset: the text of each row is a document, of all splits."""
    embedder: Annotated[Embedder, BeforeValidator(read_embedder), fields.Shorter("string")] = Embedder()
    """`hashing` (the words themselves, no model), or a model of the graph."""
    chunk: fields.Integer = Field(400, ge=8, le=100_000)
    """The most that a passage holds, in whole sentences: tokens of the model; words for `hashing`."""
    overlap: fields.Integer | None = Field(None, ge=0)
    """How much of a passage the next one begins with, in whole sentences; a tenth of `chunk` when not given."""
    top: fields.Integer = Field(4, ge=1, le=100)
    """How many passages stand before a question."""
    placement: Placement = Placement()
    """Where it is made: never part of the key."""

    @property
    def shared(self) -> int:
        """The overlap, given or not."""
        return self.chunk // 10 if self.overlap is None else self.overlap


class IndexKind(Kind[IndexSpec]):
    """Cuts documents into passages on the borders of sentences, embeds them, and proves that none is lost and each is found."""

    name = "index"
    section = "indexes"
    Spec = IndexSpec
    gives = Index
    proof = "coverage"
    measures = {
        "documents": Measure("rows that have text"),
        "passages": Measure("passages that they were cut into"),
        "dimension": Measure("numbers that stand for a passage"),
        "recall": Measure("the share of passages that are among the `top` ones for a sentence of their own", "share"),
    }
    only_real = ("*",)
    harness = ("telling.py",)
    shares = ("embedding.py", "retrieving.py", "texts.py")

    def place(self, path: str) -> str:
        """`embedder.node` stands at `in/embedder`."""
        return path.partition(".")[0]

    def proves(self, spec: IndexSpec) -> Mapping[str, Any]:
        """Every row is in it."""
        return {"against": spec.documents}

    def twin(self, spec: IndexSpec) -> IndexSpec:
        """Short passages, and few: they stand before every question of a toy, in its chats as in its exams."""
        chunk = min(spec.chunk, TWIN_CHUNK)
        small = {"chunk": chunk, "overlap": min(spec.shared, chunk // 10), "top": min(spec.top, TWIN_TOP)}
        return spec.model_copy(update=small)

    def facts(self, case: Case[IndexSpec]) -> Index:
        """The licence is that of the documents; what stands before a question is never more than this."""
        embedder = "hashing" if case.spec.embedder.node is None else "model"
        return Index(licence=_documents(case).licence, tokens=_most(case.spec), embedder=embedder)

    def check(self, case: Case[IndexSpec]) -> Iterable[Objection]:
        """A passage fits into its embedder, an overlap into a passage; weights are there."""
        spec, model = case.spec, case.inputs.get("embedder.node")
        if spec.shared >= spec.chunk:
            says = f"passages of {spec.chunk} that share {spec.shared} with the next one never end"
            yield Objection("overlap", says, f"`overlap: {spec.chunk // 10}`")
        if not isinstance(model, Model):
            return
        if spec.embedder.dimension is not None:
            yield Objection("embedder.dimension", "a model has a dimension of its own", "leave it out, or `embedder: hashing`")
        if model.context is not None and spec.chunk > model.context and not case.twin:
            says = f"a passage of {spec.chunk} tokens is longer than what the embedder reads ({model.context})"
            yield Objection("chunk", says, f"`chunk: {model.context}`")
        if model.quantized:
            yield Objection("embedder", f"its weights are quantized ({model.quantized})", "take the full ones")

    def estimate(self, case: Case[IndexSpec]) -> Estimate:
        """Each token goes through the embedder once; the vectors stay in memory."""
        documents, model = _documents(case), case.inputs.get("embedder.node")
        if documents.tokens is None or documents.rows is None:
            return Estimate()
        step = case.spec.chunk - case.spec.shared
        passages = round(documents.tokens / step) + documents.rows
        known = model if isinstance(model, Model) else None
        width, weights = (known.width, arch.parameters(known)) if known is not None else (self._dimension(case.spec), 0)
        if width is None or weights is None:
            return Estimate(result=f"about {passages:,} passages")
        tokens = documents.tokens * case.spec.chunk / step
        work = tokens * 2 * weights / SPEED + (0 if weights else tokens / HASHED)
        size = passages * width * 4
        return Estimate(
            Interval(2 + work / 3, 10 + 3 * work, "every passage once"),
            memory=600_000_000 + 2 * size + 4 * weights,
            disk=size + round(tokens * BYTES_PER_TOKEN) + (arch.weight_bytes(known) or 0 if known is not None else 0),
            result=f"about {passages:,} passages",
        )

    def recipe(self, case: Case[IndexSpec]) -> Recipe:
        """How passages are cut, and what embeds them."""
        spec = case.spec
        hashing = spec.embedder.node is None
        values = {"spec": spec, "overlap": spec.shared, "hashing": hashing, "dimension": self._dimension(spec)}
        return Recipe(values=values)

    @staticmethod
    def _dimension(spec: IndexSpec) -> int:
        return spec.embedder.dimension or DIMENSION


def _documents(case: Case[IndexSpec]) -> Dataset:
    documents = case.inputs["documents"]
    assert isinstance(documents, Dataset)
    return documents


def _most(spec: IndexSpec) -> int:
    """Tokens of the passages before a question, at most: a word of many languages is a token and a half."""
    return round(spec.top * spec.chunk * (1.5 if spec.embedder.node is None else 1.1))
