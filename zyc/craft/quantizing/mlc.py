"""MLC: weights and a configuration for browsers; converted by the program of MLC, checked here, and not run here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zyc.craft import arch
from zyc.craft.quantizing.format import Candidate, Format, Preset
from zyc.craft.quantizing.spec import FidelitySpec, QuantSpec
from zyc.gates import Interval
from zyc.kind import Case, Estimate, Objection
from zyc.quantity import in_bytes
from zyc.types import Mlc, Model, values_of

FAMILIES = ("gemma", "gemma2", "llama", "mistral", "phi3", "qwen2", "qwen3")
BITS: Mapping[str, tuple[float, float]] = {  # of a matrix or embedding, and of the rest
    "q0f32": (32, 32),
    "q0f16": (16, 16),
    "q4f32_1": (4 + 32 / 32, 32),
    "q4f16_1": (4 + 16 / 32, 16),
}
DISK = 150e6
MEMORY = 1_000_000_000


class MlcFormat(Format):
    """A folder of shards with `mlc-chat-config.json`, as web-llm fetches it."""

    name = "mlc"
    says = "an MLC model"
    wants = Model
    gives = Mlc
    types = tuple(BITS)
    usual = "q4f16_1"
    presets = {"web-q4": Preset("q4f16_1"), "web-f16": Preset("q0f16"), "web-f32": Preset("q0f32")}
    refused = {"web-q8": "MLC has no eight bits for browsers: `q4f16_1` has four, `q0f16` sixteen"}
    reads = frozenset({"budget"})
    scripts = frozenset({"to_mlc.py", "mlc_config.py", "mlc_conversation.py", "mlc_weights.py", "bases.py"})
    proof_scripts = frozenset(
        {"prove_mlc.py", "tokenizer_copies.py", "mlc_conversation.py", "mlc_weights.py", "compare.py", "sayings.py"}
    )

    def candidates(self, case: Case[QuantSpec]) -> Iterable[Candidate]:
        """All of them."""
        model = _model(case)
        context = case.spec.budget.context if case.spec.budget is not None else 4096
        for kind in self.types:
            size, cache = weight_bytes(model, kind), arch.cache_bytes(model, context)
            yield Candidate(kind, size, None if size is None or cache is None else size + cache)

    def check(self, case: Case[QuantSpec], kind: str) -> Iterable[Objection]:
        """A family that MLC compiles, and a template to make a conversation of."""
        model = _model(case)
        if model.family is not None and model.family not in FAMILIES:
            yield Objection("format", f"MLC takes no `{model.family}` models", f"one of {', '.join(FAMILIES)}, or a GGUF")
        if model.quantized:
            says = (
                f"the weights are quantized already ({model.quantized}): what is rounded twice is worse than what is rounded once"
            )
            yield Objection("model", says, "name the model in full")
        if model.template == "":
            yield Objection(
                "model", "it has no chat template, and MLC asks in chats only", "give its tokenizer a `chat_template`"
            )

    def facts(self, case: Case[QuantSpec], kind: str) -> Mlc:
        """Those of the model, in this type."""
        model = _model(case)
        return Mlc(values_of(model), kind or None, weight_bytes(model, kind) if kind else None, model.licence)

    def estimate(self, case: Case[QuantSpec], kind: str) -> Estimate:
        """Read once, rounded, written once."""
        model = _model(case)
        size, full = weight_bytes(model, kind), arch.weight_bytes(model, "bf16")
        if size is None or full is None:
            return Estimate()
        told = Interval(size, size * 1.01 + 1_000_000, f"{BITS[kind][0]:.3g} bits a weight")
        return Estimate(
            Interval(10 + full / DISK / 2, 60 + 6 * full / DISK, "by the program of MLC"),
            memory=MEMORY + full,
            disk=int(told.high) + 20_000_000,
            result=f"{in_bytes(size)} as {kind}",
            measures=(
                ("bytes", told),
                ("size.reduction", Interval(1 - told.high / full, 1 - told.low / full, "against 16 bits")),
            ),
        )

    def values(self, case: Case[QuantSpec], kind: str) -> Mapping[str, object]:
        """The type."""
        return {"type": kind}

    # --- the proof ---

    def bounds(self, case: Case[FidelitySpec]) -> Mapping[str, str]:
        """Tokens and chats are the same; what it says is not asked here."""
        return {}

    def proof_estimate(self, case: Case[FidelitySpec]) -> Estimate:
        """Several hundred texts and chats."""
        return Estimate(Interval(3, 30, "texts and chats"), memory=800_000_000)

    def proof_values(self, case: Case[FidelitySpec]) -> Mapping[str, object]:
        """Nothing but the files."""
        return {}


def weight_bytes(model: Model, kind: str) -> int | None:
    """The bytes of all shards; the embedding has as few bits as the matrices."""
    told, count = arch.shape(model), arch.parameters(model)
    if told is None or count is None:
        return None
    matrix, plain = BITS[kind]
    few = arch.linear_values(model) + arch.embedding_values(told)
    return round((few * matrix + (count - few) * plain) / 8)


def _model(case: Case[QuantSpec]) -> Model:
    model = case.inputs["model"]
    assert isinstance(model, Model)
    return model
