"""ONNX: the types that a graph is written as, what a file of each takes, and how far it may drift from 32 bits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zyc.craft import arch
from zyc.craft.comparing import Few
from zyc.craft.quantizing.copied import behind
from zyc.craft.quantizing.format import Candidate, Format, Preset
from zyc.craft.quantizing.spec import FidelitySpec, QuantSpec
from zyc.gates import Interval
from zyc.kind import Case, Estimate, Objection
from zyc.quantity import in_bytes
from zyc.types import Model, Onnx, values_of

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma")  # whose graphs were held against transformers, padded and with a cache
# bytes of a weight: of the matrices, of the embedding; 4 bits have a scale of 4 bytes each 32
BYTES: Mapping[str, tuple[float, float]] = {"fp32": (4, 4), "fp16": (2, 2), "int8": (1, 4), "q4": (0.5 + 4 / 32, 4)}
DRIFT: Mapping[str, tuple[float, float]] = {
    "fp32": (1e-6, 0.999),
    "fp16": (0.001, 0.99),
    "int8": (0.02, 0.97),
    "q4": (0.06, 0.95),
}
TWIN = 0.5  # of the drift: a toy model that answers well is sure of what it says
SMALL = 4e9  # parameters: a smaller model loses twice as much by few bits
SPEED = 3e10  # floating point operations a second of one core
DISK = 150e6
AMONG = Few(1_000, 6_000)  # tokens that both are asked about: few of a large model
MEMORY = 1_200_000_000  # of the libraries


class OnnxFormat(Format):
    """A graph for onnxruntime, in a browser or beside any program, with the tokenizer's files beside it."""

    name = "onnx"
    says = "an ONNX model"
    wants = Model
    gives = Onnx
    types = tuple(BYTES)
    presets = {"web-q4": Preset("q4"), "web-q8": Preset("int8"), "web-f16": Preset("fp16"), "web-f32": Preset("fp32")}
    refused = {"bf16": "onnxruntime computes hardly anything in bf16: `fp16` has as many bits"}
    reads = frozenset({"budget"})
    scripts = frozenset({"to_onnx.py", "onnx_export.py", "onnx_types.py", "onnx_session.py", "bases.py"})
    proof_scripts = frozenset(
        {"prove_onnx.py", "onnx_session.py", "tokenizer_copies.py", "layerwise.py", "compare.py", "divergence.py", "sayings.py"}
    )

    def candidates(self, case: Case[QuantSpec]) -> Iterable[Candidate]:
        """All of them."""
        model = _model(case)
        context = case.spec.budget.context if case.spec.budget is not None else 4096
        for kind in self.types:
            size, cache = file_bytes(model, kind), arch.cache_bytes(model, context, value_bytes=4)
            yield Candidate(kind, size, None if size is None or cache is None else size + cache)

    def check(self, case: Case[QuantSpec], kind: str) -> Iterable[Objection]:
        """A family whose graph was shown to be right, and weights that are there in full."""
        model = _model(case)
        if model.family is not None and model.family not in FAMILIES:
            says = f"a graph of a `{model.family}` model was never held against transformers"
            yield Objection("format", says, f"`format: gguf`, or one of {', '.join(FAMILIES)}")
        if model.quantized:
            says = (
                f"the weights are quantized already ({model.quantized}): what is rounded twice is worse than what is rounded once"
            )
            yield Objection("model", says, "name the model in full")

    def facts(self, case: Case[QuantSpec], kind: str) -> Onnx:
        """Those of the model, in this type."""
        model = _model(case)
        return Onnx(values_of(model), kind or None, file_bytes(model, kind) if kind else None, model.licence)

    def estimate(self, case: Case[QuantSpec], kind: str) -> Estimate:
        """The model in 32 bits, its graph, and what the graph becomes are in memory at once."""
        model = _model(case)
        size, count, full = file_bytes(model, kind), arch.parameters(model), arch.weight_bytes(model, "bf16")
        if size is None or count is None or full is None:
            return Estimate()
        told = Interval(size, size * 1.02 + 4_000_000, "the weights, the graph, the tokenizer")
        return Estimate(
            Interval(10 + 8 * count / DISK, 60 + 40 * count / DISK, "written in 32 bits, read again, rounded"),
            memory=MEMORY + 12 * count,
            disk=int(told.high) + 4 * count,
            result=f"{in_bytes(size)} as {kind}",
            measures=(
                ("bytes", told),
                ("size.reduction", Interval(1 - told.high / full, 1 - told.low / full, "against 16 bits")),
            ),
        )

    def values(self, case: Case[QuantSpec], kind: str) -> Mapping[str, object]:
        """The type; all else is in the model."""
        return {"type": kind}

    # --- the proof ---

    def bounds(self, case: Case[FidelitySpec]) -> Mapping[str, str]:
        """By type; twice as far for a small model in few bits."""
        subject = case.inputs["subject"]
        kind = subject.type if isinstance(subject, Onnx) else None
        if kind is None:
            return {}
        kl, top1 = DRIFT[kind]
        count = arch.parameters(behind(case))
        if case.twin:
            kl = max(1e-6, kl * TWIN)
        elif kind in ("int8", "q4") and count is not None and count < SMALL:
            kl *= 2
        return {"kl": f"<= {kl:g}", "top1": f">= {top1:.1%}"}

    def proof_estimate(self, case: Case[FidelitySpec]) -> Estimate:
        """The model once in 32 bits, layer by layer, and then as the graph has it."""
        subject, model = case.inputs["subject"], behind(case)
        count = arch.parameters(model)
        if not isinstance(subject, Onnx) or subject.bytes is None or count is None:
            return Estimate()
        work = 2 * AMONG.of(model) * 2 * count / SPEED
        return Estimate(Interval(8 + work / 8, 30 + 2 * work, "two passes over the chats"), memory=MEMORY + 2 * subject.bytes)

    def proof_values(self, case: Case[FidelitySpec]) -> Mapping[str, object]:
        """How much is compared."""
        return {"positions": AMONG.of(behind(case)), "chats": "chats" in case.inputs}


def file_bytes(model: Model, kind: str) -> int | None:
    """What the weights of a graph take: matrices that are multiplied in few bits, the embedding in 32, unless all has 16."""
    told = arch.shape(model)
    if told is None:
        return None
    matrix, plain = BYTES[kind]
    linears = arch.linear_values(model)
    table = arch.embedding_values(told)
    one = told.vocabulary * told.width
    rest = (arch.parameters(model) or 0) - linears - table
    head = one * matrix  # of a tied model, too, once it has fewer bits than the embedding
    if told.tied and kind in ("fp32", "fp16"):
        head = 0
    return round(linears * matrix + one * plain + head + rest * plain)


def _model(case: Case[QuantSpec]) -> Model:
    model = case.inputs["model"]
    assert isinstance(model, Model)
    return model
