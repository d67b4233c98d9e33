"""The kind `gguf`: a model as a file of llama.cpp's in 16-bit numbers; the compiler puts it where a GGUF is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zyc import fields
from zyc.craft.arch import gguf as sizes
from zyc.craft.chats import misread
from zyc.gates import Interval
from zyc.kind import Case, Estimate, Kind, Measure, Objection, Recipe, Spec
from zyc.quantity import in_bytes
from zyc.types import Gguf, Model, values_of

# by the `model_type` of their configurations: those that the pinned converter takes, see tests/kinds/test_gguf.py
FAMILIES = (
    "bloom", "cohere", "cohere2", "deepseek_v2", "deepseek_v3", "exaone", "falcon", "gemma", "gemma2", "gemma3", "gemma3_text",
    "glm", "glm4", "gpt2", "gpt_neox", "granite", "internlm2", "llama", "minicpm", "mistral", "mixtral", "nemotron",
    "olmo", "olmo2", "olmoe", "phi", "phi3", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "smollm3", "stablelm", "starcoder2",
)  # fmt: skip
PIECES_ONLY = ("gemma", "gemma2")  # the converter reads a sentencepiece tokenizer for them, and no other
DISK = 150e6  # bytes a second
MEMORY = 700_000_000  # of the converter, before the first tensor


class GgufSpec(Spec):
    """The fields of a GGUF."""

    source: fields.Ref[Model]
    """The model."""


class GgufKind(Kind[GgufSpec]):
    """Writes a model as one GGUF file in 16-bit numbers, by llama.cpp's own converter, and proves that it is the same model."""

    name = "gguf"
    Spec = GgufSpec
    gives = Gguf
    measures = {"bytes": Measure("size of the file", "bytes")}
    coerces = (Model, Gguf)
    suffix = "gguf"
    proof = "parity"
    harness = ("llama_home.py", "telling.py")
    shares = ("gguf_file.py",)

    def proves(self, spec: GgufSpec) -> Mapping[str, Any]:
        """It cuts texts, renders chats and expects tokens as the model does."""
        return {"against": spec.source}

    def facts(self, case: Case[GgufSpec]) -> Gguf:
        """Those of the model, in 16 bits."""
        model = _model(case)
        return Gguf(values_of(model), "F16", sizes.file_bytes(model, "F16"), model.licence)

    def check(self, case: Case[GgufSpec]) -> Iterable[Objection]:
        """What the converter would refuse after hours, or take and get wrong."""
        model = _model(case)
        if model.family is not None and model.family not in FAMILIES:
            yield Objection("source", f"llama.cpp's converter does not take `{model.family}` models", "take another family")
        if model.quantized:
            says = f"the weights are quantized already ({model.quantized}): a GGUF is made of the full ones"
            yield Objection("source", says, "name the unquantized model")
        yield from _about_the_tokenizer(model)

    def estimate(self, case: Case[GgufSpec]) -> Estimate:
        """Reading and writing at the speed of a disk; a few tensors are in memory at a time."""
        model = _model(case)
        tensors, header = sizes.tensor_bytes(model, "F16"), sizes.header_bytes(model)
        if tensors is None or header is None:
            return Estimate()
        seconds = Interval(4 + tensors / (4 * DISK), 12 + 3 * tensors / DISK, "reading and writing")
        told = Interval(tensors, tensors + 3 * header, "2 bytes a weight, and the tokenizer")
        largest = max(each.bytes for each in sizes.quantized(model, "F16"))
        return Estimate(
            seconds,
            memory=MEMORY + 4 * largest,
            disk=int(told.high),
            result=f"{in_bytes(tensors)} as F16",
            measures=(("bytes", told),),
        )

    def recipe(self, case: Case[GgufSpec]) -> Recipe:
        """Which llama.cpp, and what the file says of itself."""
        model, version = _model(case), case.pins.get("package:llama-cpp-python")
        return Recipe({"llama_cpp": version, "metadata": metadata_of(model), "licence": model.licence})


def _model(case: Case[GgufSpec]) -> Model:
    model = case.inputs["source"]
    assert isinstance(model, Model)
    return model


def _about_the_tokenizer(model: Model) -> Iterable[Objection]:
    if model.form == "sentencepiece-unigram":
        says = "llama.cpp takes a unigram tokenizer for one that merges by score, and cuts texts differently"
        yield Objection(
            "source", says, "write `algorithm: bpe`, or `byte-bpe`, where the tokenizer of this model stands in `tokenizers`"
        )
    if model.form == "union":
        says = "the tokenizer is a union of several, and llama.cpp would cut texts differently without their tokenizer.model"
        yield Objection("source", says, "`tokenizer: base`, or the name of a model, in its merge")
    if model.family in PIECES_ONLY and model.form == "byte-bpe":
        says = f"llama.cpp reads a `{model.family}` model with a sentencepiece tokenizer only, and this one is byte-level"
        yield Objection("source", says, "`algorithm: bpe` in its tokenizer, or another family")
    flaw = misread(model.family, model.form)
    if flaw is not None:
        yield Objection("source", *flaw)
    if model.ids is not None and model.vocabulary is not None and model.ids > model.vocabulary:
        says = f"the tokenizer gives {model.ids:,} ids, and the embedding has {model.vocabulary:,} rows"
        yield Objection("source", says, "`add_tokens` gives new tokens their rows")


def metadata_of(model: Model) -> dict[str, object]:
    """What the file says of itself: for a public model its name and author; a private one is named by its family."""
    author, _, name = (model.name or "").rpartition("/")
    told: dict[str, object] = {"general.name": name or model.family or "model"}
    if author:
        told |= {"general.author": author, "general.organization": author}
        told["general.base_models"] = [{"name": name, "organization": author}]
    return told
