"""AWQ, GPTQ, FP8 and INT8: weights in fewer bits for accelerators, made by llmcompressor in an environment of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from zyc.catalogue import devices
from zyc.craft import arch
from zyc.craft.comparing import Few
from zyc.craft.quantizing.copied import behind
from zyc.craft.quantizing.format import Candidate, Format
from zyc.craft.quantizing.spec import FidelitySpec, QuantSpec
from zyc.gates import Interval
from zyc.kind import Case, Estimate, Objection
from zyc.quantity import in_bytes
from zyc.types import HfQuant, Model, values_of

FAMILIES = ("gemma", "gemma2", "gemma3", "gemma3_text", "llama", "mistral", "phi3", "qwen2", "qwen3")
SMALL = 4e9  # parameters: a smaller model loses twice as much by four bits
TWIN = 0.5
ROWS, LENGTH = 256, 1024  # that are calibrated on, at most
AMONG = Few(1_000, 6_000)  # tokens that both are asked about: few of a large model
GROUP = 128  # weights of a row that have one scale, in 4 bits
SPEED = 3e10  # floating point operations a second of one core
CAN_WAIT = 1e9  # parameters: what is larger is calibrated on an accelerator, or in a day
DISK = 150e6
MEMORY = 1_500_000_000  # of the libraries


class Compressed(Format):
    """A folder as transformers and vLLM read it (compressed-tensors), with the tokenizer's files beside it."""

    gives = HfQuant
    wants = Model
    reads = frozenset({"calibration", "on"})
    scripts = frozenset({"to_compressed.py", "calibrated.py", "llmcompressor.txt", "bases.py", "chats.py"})
    proof_scripts = frozenset(
        {
            "prove_compressed.py",
            "tokenizer_copies.py",
            "layerwise.py",
            "compare.py",
            "divergence.py",
            "llmcompressor.txt",
            "sayings.py",
        }
    )
    schemes: ClassVar[Mapping[str, str]]  # type -> what llmcompressor calls it
    bits: ClassVar[Mapping[str, float]]  # of a weight, scales among them
    drift: ClassVar[tuple[float, float]]
    calibrated: ClassVar[bool] = True
    accelerated: ClassVar[bool] = False  # llmcompressor makes it on an accelerator only
    capability: ClassVar[float]  # the least compute capability that has kernels
    since: ClassVar[str]  # the first accelerators that have it

    def candidates(self, case: Case[QuantSpec]) -> Iterable[Candidate]:
        """Each format has the bits that it is named for: there is nothing to choose."""
        return ()

    def check(self, case: Case[QuantSpec], kind: str) -> Iterable[Objection]:
        """Texts to calibrate on, a class of machine that has kernels, widths that blocks cut."""
        spec, model = case.spec, _model(case)
        if model.family is not None and model.family not in FAMILIES:
            yield Objection(
                "model", f"`{model.family}` models are not among those that were tried", f"one of {', '.join(FAMILIES)}"
            )
        if model.quantized:
            says = (
                f"the weights are quantized already ({model.quantized}): what is rounded twice is worse than what is rounded once"
            )
            yield Objection("model", says, "name the model in full")
        if self.calibrated and spec.calibration is None:
            says = f"`{self.name}` looks at what flows through the model before it rounds"
            yield Objection("format", says, "`calibration: DATASET` with a few hundred texts such as it will see")
        if not self.calibrated and spec.calibration is not None:
            yield Objection("calibration", f"`{self.name}` rounds without looking at any text", "leave it out")
        odd = sorted({each.name for each in arch.linears(model) if each.into % GROUP}) if self.bits[kind] < 8 else []
        if odd:
            says = f"its scales stand for {GROUP} weights each, which do not cut the rows of `{odd[0]}`"
            yield Objection("type", says, "`format: int8`, or a GGUF")
        if self.accelerated and not spec.placement.gpus:
            says = f"llmcompressor makes `{self.name}` on an accelerator only"
            yield Objection("placement.gpus", says, "`placement: {gpus: 1}`, or `format: gptq`, which a processor makes, too")
        yield from self._about_the_machine(spec)

    def _about_the_machine(self, spec: QuantSpec) -> Iterable[Objection]:
        if spec.on is None:
            return
        told = devices.device(spec.on)
        if not told.accelerator:
            yield Objection("on", f"`{spec.on}` has no accelerator, and `{self.name}` is for nothing else", "`format: gguf`")
        elif told.capability < self.capability:
            says = f"`{self.name}` needs {self.since} (compute capability {self.capability}); a {told.says} has {told.capability}"
            yield Objection("on", says, f"`{'awq' if told.capability >= Awq.capability else 'gguf'}` runs there")

    def notes(self, case: Case[QuantSpec], kind: str) -> Iterable[Objection]:
        """A large model is calibrated on an accelerator."""
        count = arch.parameters(_model(case))
        if self.calibrated and count is not None and count > CAN_WAIT and not case.spec.placement.gpus and not case.twin:
            says = f"{count / 1e9:.1f} B parameters are calibrated on a processor: that takes about a day"
            yield Objection("placement", says, "`placement: {gpus: 1}`")

    def facts(self, case: Case[QuantSpec], kind: str) -> HfQuant:
        """Those of the model, in this type."""
        model = _model(case)
        return HfQuant(values_of(model), f"{self.name} {kind}" if kind else None, self._bytes(model, kind), model.licence)

    def _bytes(self, model: Model, kind: str) -> int | None:
        count = arch.parameters(model)
        if count is None or not kind:
            return None
        matrices = arch.linear_values(model)
        return round(matrices * self.bits[kind] / 8 + 2 * (count - matrices))

    def estimate(self, case: Case[QuantSpec], kind: str) -> Estimate:
        """Calibration is a pass over its texts, and a search for each layer."""
        model = _model(case)
        size, count, full = self._bytes(model, kind), arch.parameters(model), arch.weight_bytes(model, "bf16")
        if size is None or count is None or full is None:
            return Estimate()
        told = Interval(size, size * 1.02 + 20_000_000, f"{self.bits[kind]:.3g} bits a weight of the layers")
        work = (ROWS * LENGTH * 6 * count / SPEED) if self.calibrated else 0.0
        return Estimate(
            Interval(20 + full / DISK / 4 + work / 8, 120 + 4 * full / DISK + 3 * work, "without the making of its environment"),
            memory=MEMORY + 2 * full,
            gpu_memory=round(full / max(1, model.layers or 1) * 8) + 2_000_000_000 if case.spec.placement.gpus else None,
            disk=int(told.high),
            result=f"{in_bytes(size)} as {self.name}",
            measures=(
                ("bytes", told),
                ("size.reduction", Interval(1 - told.high / full, 1 - told.low / full, "against 16 bits")),
            ),
        )

    def values(self, case: Case[QuantSpec], kind: str) -> Mapping[str, object]:
        """The scheme by its name, and how much is calibrated on."""
        told = {"method": self.name, "scheme": self.schemes[kind], "on": case.spec.on}
        return {**told, "calibrated": self.calibrated, "rows": ROWS, "length": LENGTH}

    # --- the proof ---

    def bounds(self, case: Case[FidelitySpec]) -> Mapping[str, str]:
        """By format; twice as far for a small model in four bits."""
        kl, top1 = self.drift
        count = arch.parameters(behind(case))
        small = count is not None and count < SMALL
        kl *= TWIN if case.twin else 2 if small else 1
        return {"kl": f"<= {kl:g}", "top1": f">= {top1:.0%}"}

    def proof_estimate(self, case: Case[FidelitySpec]) -> Estimate:
        """The model once in 32 bits, layer by layer, and once as it became."""
        model = behind(case)
        count = arch.parameters(model)
        if count is None:
            return Estimate()
        work = 2 * AMONG.of(model) * 2 * count / SPEED
        return Estimate(Interval(20 + work / 8, 90 + 3 * work, "two passes over the chats"), memory=MEMORY + 5 * count)

    def proof_values(self, case: Case[FidelitySpec]) -> Mapping[str, object]:
        """How much is compared."""
        return {"positions": AMONG.of(behind(case)), "chats": "chats" in case.inputs}


class Awq(Compressed):
    """4 bits a weight; those that matter most are scaled up before they are rounded."""

    name = "awq"
    says = "an AWQ model"
    types = ("w4a16",)
    usual = "w4a16"
    schemes = {"w4a16": "W4A16_ASYM"}
    bits = {"w4a16": 4 + 20 / 128}
    drift = (0.06, 0.95)
    accelerated = True
    capability, since = 7.5, "Turing or later"


class Gptq(Compressed):
    """4 or 8 bits a weight; what rounding one costs is made up for by the next ones."""

    name = "gptq"
    says = "a GPTQ model"
    types = ("w8a16", "w4a16")
    usual = "w4a16"
    schemes = {"w8a16": "W8A16", "w4a16": "W4A16"}
    bits = {"w8a16": 8.0, "w4a16": 4 + 16 / 128}
    drift = (0.06, 0.95)
    capability, since = 7.5, "Turing or later"


class Fp8(Compressed):
    """8-bit floating point, weights by their channel and what flows between them by token, as it comes."""

    name = "fp8"
    says = "an FP8 model"
    types = ("dynamic",)
    usual = "dynamic"
    schemes = {"dynamic": "FP8_DYNAMIC"}
    bits = {"dynamic": 8.0}
    drift = (0.02, 0.97)
    calibrated = False
    capability, since = 8.9, "Ada, Hopper or later"


class Int8(Compressed):
    """8-bit integers, weights and what flows between them."""

    name = "int8"
    says = "an INT8 model"
    types = ("w8a8",)
    usual = "w8a8"
    schemes = {"w8a8": "W8A8"}
    bits = {"w8a8": 8.0}
    drift = (0.02, 0.97)
    capability, since = 7.5, "Turing or later"


def _model(case: Case[QuantSpec]) -> Model:
    model = case.inputs["model"]
    assert isinstance(model, Model)
    return model
