"""GGUF: the types that llama.cpp quantizes to, what a file of each takes, and how far it may drift from sixteen bits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from zyc.craft import arch
from zyc.craft.arch import answering
from zyc.craft.arch import gguf as sizes
from zyc.craft.arch.mixture import BLOCKS, PLAIN, USUAL, Choice
from zyc.craft.comparing import Few
from zyc.craft.quantizing.format import Candidate, Format, Preset
from zyc.craft.quantizing.spec import FidelitySpec, QuantSpec
from zyc.errors import nearest
from zyc.gates import Interval
from zyc.kind import Case, Estimate, Objection
from zyc.quantity import in_bytes
from zyc.types import Dataset, Gguf, Model, model_of, values_of

# by their numbers in llama.h, the best first: a budget takes the first that fits
FTYPES: Mapping[str, int] = {
    "F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7, "Q6_K": 18, "Q5_K_M": 17, "Q5_K_S": 16, "Q5_1": 9, "Q5_0": 8, "Q4_K_M": 15,
    "Q4_K_S": 14, "IQ4_NL": 25, "IQ4_XS": 30, "Q4_1": 3, "Q4_0": 2, "Q3_K_L": 13, "IQ3_M": 27, "IQ3_S": 26, "Q3_K_M": 12,
    "IQ3_XS": 22, "IQ3_XXS": 23, "Q3_K_S": 11, "Q2_K": 10, "IQ2_M": 29, "Q2_K_S": 21, "IQ2_S": 28, "IQ2_XS": 20, "IQ2_XXS": 19,
    "IQ1_M": 31, "IQ1_S": 24, "TQ2_0": 37, "TQ1_0": 36, "MXFP4_MOE": 38, "Q2_0": 41, "Q1_0": 40,
}  # fmt: skip
# what a budget chooses from: those that nobody regrets
CHOSEN = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "IQ4_XS", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K")
CHOSEN_WITH_IMATRIX = (*CHOSEN[:-2], "IQ3_XS", "IQ3_XXS", "Q2_K", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M")
NEED_IMATRIX = ("IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "Q2_K_S", "IQ3_XS", "IQ3_XXS", "IQ1_S", "IQ1_M")
IMATRIX_TENSORS = ("IQ3_XXS", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_M", "IQ1_S")
TERNARY = ("TQ1_0", "TQ2_0", "Q1_0", "Q2_0")
# how far the chances of the next token may drift on average, and how often the likeliest one must stay: (KL, top-1)
DRIFT: Mapping[str, tuple[float, float]] = {
    "F32": (1e-6, 0.9999), "F16": (1e-6, 0.9999), "BF16": (0.001, 0.99),
    "Q8_0": (0.003, 0.99), "Q6_K": (0.01, 0.98), "Q5_K_M": (0.02, 0.97), "Q5_K_S": (0.025, 0.97), "Q5_1": (0.025, 0.97),
    "Q5_0": (0.03, 0.96), "Q4_K_M": (0.06, 0.95), "Q4_K_S": (0.07, 0.94), "IQ4_NL": (0.07, 0.94), "IQ4_XS": (0.07, 0.94),
    "Q4_1": (0.09, 0.93), "Q4_0": (0.1, 0.93), "Q3_K_L": (0.12, 0.92), "IQ3_M": (0.15, 0.91), "IQ3_S": (0.15, 0.91),
    "Q3_K_M": (0.15, 0.91), "IQ3_XS": (0.2, 0.9), "IQ3_XXS": (0.3, 0.87), "Q3_K_S": (0.25, 0.89), "Q2_K": (0.4, 0.84),
    "IQ2_M": (0.5, 0.82), "Q2_K_S": (0.6, 0.8), "IQ2_S": (0.7, 0.78), "IQ2_XS": (0.8, 0.76), "IQ2_XXS": (1.0, 0.72),
    "IQ1_M": (1.5, 0.65), "IQ1_S": (2.0, 0.6), "TQ2_0": (1.5, 0.65), "TQ1_0": (1.5, 0.65), "MXFP4_MOE": (0.1, 0.93),
    "Q2_0": (1.5, 0.65), "Q1_0": (2.0, 0.6),
}  # fmt: skip
TWIN_DRIFT = {"Q8_0": 0.001, "Q6_K": 0.005, "Q5_K_M": 0.01, "Q4_K_M": 0.03}
SMALL = 4e9  # parameters: a smaller model loses twice as much by four bits and less
WEB = 200_000_000  # bytes of a shard: a browser fetches several at once, and keeps each
SPEED = 6e6  # weights a second and core, where a type is slow to find
DISK = 150e6  # bytes a second
LONGEST = 127  # bytes of a value that the quantizer writes
MEMORY = 300_000_000  # of the quantizer, before the first tensor
AMONG = Few(1_000, 2_000)  # tokens that both are asked about: few of a large model
ANSWERS = Few(8, 24)  # questions that both answer
LONG = 24  # tokens of an answer
ARITHMETIC = 3e10  # floating point operations a second of one core
READS = 1.5e10  # bytes a second of memory, each weight once a token


COMPARING = ("compare.py", "divergence.py", "sayings.py")  # modules that not every other proof uses


class GgufFormat(Format):
    """A file for llama.cpp, or shards of one."""

    name = "gguf"
    says = "a GGUF"
    wants = Gguf
    gives = Gguf
    types = tuple(FTYPES)
    presets = {
        "web-q4": Preset("Q4_K_M", WEB),
        "web-q8": Preset("Q8_0", WEB),
        "web-f16": Preset("F16", WEB),
        "web-f32": Preset("F32", WEB),
    }
    refused = {
        "NVFP4": "llama.cpp reads NVFP4 and does not write it: `Q4_K_M` has as many bits",
        "MXFP4": "only the experts of a mixture are stored as MXFP4: the file type is called `MXFP4_MOE`",
        "Q2_K_M": "llama.cpp has `Q2_K` and `Q2_K_S`",
        "Q8_K": "Q8_K is what llama.cpp computes in, and no file has it: `Q8_0` has as many bits",
        "Q8_1": "Q8_1 is what llama.cpp computes in, and no file has it: `Q8_0` has as many bits",
    }
    reads = frozenset({"budget", "imatrix", "shards", "overrides", "metadata"})
    scripts = frozenset({"to_gguf.py", "quantizer.py", "importance.py", "gguf_file.py"})
    proof_scripts = frozenset({"prove_gguf.py", "answering.py", "llama_server.py", *COMPARING})

    def candidates(self, case: Case[QuantSpec]) -> Iterable[Candidate]:
        """Those of K and I types that get smaller as they get worse."""
        model = _model(case)
        context = case.spec.budget.context if case.spec.budget is not None else 4096
        for kind in CHOSEN_WITH_IMATRIX if case.spec.imatrix is not None else CHOSEN:
            body, size = sizes.tensor_bytes(model, _choice(case, kind)), _file_bytes(case, kind)
            yield Candidate(kind, size, None if body is None else answering.memory(model, body, context))

    def check(self, case: Case[QuantSpec], kind: str) -> Iterable[Objection]:
        """What llama.cpp would refuse after minutes, or do without a word."""
        spec, model, source = case.spec, _model(case), case.inputs["model"]
        if isinstance(source, Gguf) and source.type not in (*PLAIN, None):
            says = f"`{spec.model.name}` is {source.type} already: what is rounded twice is worse than what is rounded once"
            yield Objection("model", says, "name the model that it was made of")
        if kind in NEED_IMATRIX and spec.imatrix is None:
            says = f"`{kind}` needs to know which weights matter: llama.cpp refuses it without"
            yield Objection("type", says, "`imatrix: DATASET` with a few hundred texts, or a K type such as `Q3_K_M`")
        if uncut := sizes.uncut(model, _choice(case, kind)):
            says = f"the blocks of `{kind}` hold {BLOCKS[USUAL[kind]][1]} weights, which do not cut the rows of `{uncut[0]}`"
            yield Objection("type", says, "`Q8_0`, or a K type")
        yield from _about_overrides(case, kind, model)
        yield from _about_metadata(spec)
        if spec.shards is not None and (largest := _largest(case, kind)) is not None and spec.shards < largest.bytes:
            says = f"the tensor `{largest.name}` alone takes {in_bytes(largest.bytes)}: no shard can be smaller"
            yield Objection("shards", says, f"`shards: {in_bytes(largest.bytes * 1.1)}`, or more")

    def notes(self, case: Case[QuantSpec], kind: str) -> Iterable[Objection]:
        """Widths that blocks cannot cut, types that say less than they seem to."""
        model, wide = _model(case), BLOCKS[USUAL[kind]][1]
        odd = {each.into for each in arch.linears(model) if each.into % wide} if kind not in PLAIN else set()
        for width in sorted(odd):
            near = width + -width % wide
            says = f"rows of {width:,} are no multiple of {wide}: {_fallen(kind, model)} of the layers take a larger type"
            yield Objection("type", says, f"{near:,} is the next one that is; `Q8_0` has blocks of 32")
        if kind in TERNARY:
            yield Objection("type", f"`{kind}` is for models that were trained for it: others lose what they know", "`Q2_K`")
        if kind == "MXFP4_MOE":
            yield Objection("type", "only the experts of a mixture become MXFP4: of this model all is stored as Q8_0", "`Q8_0`")

    def facts(self, case: Case[QuantSpec], kind: str) -> Gguf:
        """Those of the model, in fewer bits."""
        source, model = case.inputs["model"], _model(case)
        base = source.base if isinstance(source, Gguf) else values_of(model)
        return Gguf(base, kind or None, _file_bytes(case, kind), case.spec.metadata.licence or model.licence)

    def estimate(self, case: Case[QuantSpec], kind: str) -> Estimate:
        """Read once, rounded, written once; an imatrix asks the model about each of its texts before."""
        model, source = _model(case), case.inputs["model"]
        body, whole, header = sizes.tensor_bytes(model, _choice(case, kind)), _file_bytes(case, kind), sizes.header_bytes(model)
        full, count = sizes.tensor_bytes(model, "F16"), arch.parameters(model)
        if body is None or whole is None or header is None or full is None or count is None:
            return Estimate()
        slow = 0.0 if kind in PLAIN else count / SPEED
        asked = _imatrix_tokens(case) * 2 * count / ARITHMETIC
        seconds = Interval(
            3 + (full + body) / (4 * DISK) + slow / 16 + asked / 4, 10 + 2 * (full + body) / DISK + slow + 2 * asked
        )
        told = Interval(body, body + 2 * header, f"{_bits(body, count)} bits a weight, and the tokenizer")
        before = source.bytes if isinstance(source, Gguf) and source.bytes else full + header
        saved = Interval(1 - told.high / before, 1 - told.low / before, f"against {in_bytes(full)} in 16 bits")
        largest = max(
            each.parameters for each in (*arch.linears(model), arch.Linear("", model.width or 0, model.vocabulary or 0))
        )
        memory = MEMORY + 8 * largest + (full if case.spec.imatrix is not None else 0)
        return Estimate(
            seconds,
            memory=memory,
            disk=int(told.high) * (2 if _shards(case) else 1),
            result=f"{in_bytes(whole)} as {kind}",
            measures=(("bytes", told), ("size.reduction", saved)),
        )

    def values(self, case: Case[QuantSpec], kind: str) -> Mapping[str, object]:
        """Which llama.cpp, which type, and what the file says of itself."""
        spec, model = case.spec, _model(case)
        licence = spec.metadata.licence or model.licence
        return {
            "llama_cpp": case.pins.get("package:llama-cpp-python"),
            "type": kind,
            "number": FTYPES[kind],
            "overrides": list(map(list, spec.overrides.items())),
            "imatrix": spec.imatrix is not None,
            "shards": _shards(case),
            "metadata": _metadata(spec, licence),
        }

    def spare(self, case: Case[QuantSpec]) -> frozenset[str]:
        """Whoever has no imatrix makes none."""
        return frozenset() if case.spec.imatrix is not None else frozenset({"importance.py"})

    # --- the proof ---

    def bounds(self, case: Case[FidelitySpec]) -> Mapping[str, str]:
        """By type; twice as far for a small model in four bits or fewer, and for what the assistant says."""
        subject, source = case.inputs["subject"], case.inputs["model"]
        assert isinstance(source, Model)
        kind = subject.type if isinstance(subject, Gguf) else None
        if kind is None:
            return {}
        return drift_of(kind, arch.parameters(source), twin=case.twin)

    def proof_estimate(self, case: Case[FidelitySpec]) -> Estimate:
        """Both files answer once."""
        subject, before = case.inputs["subject"], case.inputs["against"]
        model = case.inputs["model"]
        if not isinstance(subject, Gguf) or not isinstance(before, Gguf) or not isinstance(model, Model):
            return Estimate()
        count = arch.parameters(model)
        if subject.bytes is None or before.bytes is None or count is None or model.vocabulary is None:
            return Estimate()
        work = 2 * AMONG.of(model) * 2 * count / ARITHMETIC
        said = ANSWERS.of(model) * LONG * before.bytes / READS
        seconds = Interval(8 + work / 8 + said / 4, 30 + 2 * work + 2 * said, "two passes over the chats, and answers")
        return Estimate(seconds, memory=600_000_000 + max(subject.bytes, before.bytes) + 12 * 512 * model.vocabulary)

    def proof_values(self, case: Case[FidelitySpec]) -> Mapping[str, object]:
        """Which llama.cpp, and how much is compared."""
        model = case.inputs["model"]
        assert isinstance(model, Model)
        told = {"positions": AMONG.of(model), "answers": ANSWERS.of(model), "long": LONG, "chats": "chats" in case.inputs}
        return {"llama_cpp": case.pins.get("package:llama-cpp-python"), **told}


def drift_of(kind: str, parameters: int | None, *, twin: bool) -> dict[str, str]:
    """The bounds of a type, measure by measure."""
    kl, top1 = DRIFT[kind]
    if twin:
        kl = TWIN_DRIFT.get(kind, kl / 2)
    elif parameters is not None and parameters < SMALL and kl >= DRIFT["Q4_K_M"][0]:
        kl *= 2
    return {"kl": f"<= {kl:.6g}", "top1": f">= {100 * top1:.6g}%"}


def _model(case: Case[QuantSpec]) -> Model:
    source = case.inputs["model"]
    told = model_of(source.base) if isinstance(source, Gguf) else source
    return told if isinstance(told, Model) else Model()


def _choice(case: Case[QuantSpec], kind: str) -> Choice:
    return Choice(kind, case.spec.imatrix is not None, tuple(case.spec.overrides.items()))


def _shards(case: Case[QuantSpec]) -> int | None:
    preset = GgufFormat.presets.get(case.spec.type)
    return case.spec.shards or (preset.shards if preset is not None else None)


def _file_bytes(case: Case[QuantSpec], kind: str) -> int | None:
    """The tensors exactly, and the header: what of the source is not its tensors, where the source is known."""
    model = _model(case)
    return sizes.file_bytes(model, _choice(case, kind)) if kind else None


def _largest(case: Case[QuantSpec], kind: str) -> sizes.Told | None:
    told = sizes.quantized(_model(case), _choice(case, kind))
    return max(told, key=lambda each: each.bytes) if told else None


def _bits(body: int, count: int) -> str:
    return f"{8 * body / count:.3g}"


def _fallen(kind: str, model: Model) -> str:
    """Which share of the layers' weights takes a type that is not of the mixture."""
    plain = {each.name: each.parameters for each in arch.linears(model)}
    fallen = sum(plain[name] for name in sizes.fallbacks(model, BLOCKS[USUAL[kind]][1]))
    return f"{100 * fallen / max(1, sum(plain.values())):.0f} %"


def _imatrix_tokens(case: Case[QuantSpec]) -> int:
    rows = case.inputs.get("imatrix")
    return min(rows.tokens or 200_000, 200_000) if isinstance(rows, Dataset) else 0


def _metadata(spec: QuantSpec, licence: str | None) -> dict[str, str]:
    """What is written over what the F16 file says; what nobody gave stays as it is there."""
    told = spec.metadata
    given = {
        "general.name": told.name, "general.author": told.author, "general.version": told.version,
        "general.description": told.description, "general.license": told.licence or licence or "", "general.url": told.url,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value}


def _about_metadata(spec: QuantSpec) -> Iterable[Objection]:
    for name in type(spec.metadata).model_fields:
        size = len(getattr(spec.metadata, name).encode())
        if size > LONGEST:
            yield Objection(f"metadata.{name}", f"it has {size} bytes, and llama.cpp writes {LONGEST} at most", "say it shorter")


@cache
def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _about_overrides(case: Case[QuantSpec], kind: str, model: Model) -> Iterable[Objection]:
    names = [each.name for each in sizes.tensors(model) if each.is_matrix]
    for pattern, wanted in case.spec.overrides.items():
        field = f"overrides.{pattern}"
        if wanted not in BLOCKS:
            close = nearest(wanted.upper(), tuple(BLOCKS))
            help_ = f"did you mean `{close}`?" if close else "tensors have " + ", ".join(f"`{each}`" for each in BLOCKS)
            yield Objection(field, f"no tensor has the type `{wanted}`", help_)
        elif wanted in IMATRIX_TENSORS and case.spec.imatrix is None:
            yield Objection(field, f"`{wanted}` needs to know which weights matter", "`imatrix: DATASET`")
        if not _compiles(pattern):
            yield Objection(field, "the pattern is no regular expression", "`ffn_down`, or `blk\\.[01]\\.`")
        elif names and not any(re.search(pattern, name) for name in names):
            close = nearest(pattern, tuple({each.part for each in sizes.tensors(model) if each.part}))
            help_ = f"did you mean `{close}`?" if close else "names are such as `blk.0.ffn_down.weight` and `token_embd.weight`"
            yield Objection(field, "no tensor has a name in which it is found", help_)
    if case.spec.overrides and kind in PLAIN:
        yield Objection("overrides", f"a file of `{kind}` has one type for all of its matrices", "a type with fewer bits")
