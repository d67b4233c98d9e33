"""The formats that models are quantized to, by name."""

from __future__ import annotations

from zyc.craft.quantizing.compressed import Awq, Fp8, Gptq, Int8
from zyc.craft.quantizing.format import Candidate, Format
from zyc.craft.quantizing.gguf import GgufFormat
from zyc.craft.quantizing.mlc import MlcFormat
from zyc.craft.quantizing.onnx import OnnxFormat
from zyc.craft.quantizing.spec import QuantSpec
from zyc.kind import Case

FORMATS: dict[str, Format] = {each.name: each for each in (GgufFormat(), OnnxFormat(), Awq(), Gptq(), Fp8(), Int8(), MlcFormat())}


def of(name: str) -> Format:
    """The format of that name."""
    return FORMATS[name]


def others(name: str, *, proof: bool = False) -> frozenset[str]:
    """Scripts and modules that only other formats use."""
    every = {each.name: each.proof_scripts if proof else each.scripts for each in FORMATS.values()}
    return frozenset().union(*every.values()) - every[name]


def chosen(case: Case[QuantSpec]) -> str:
    """The type: as it is written, as its preset has it, or the best that the budget allows; empty when nothing fits."""
    spec, told = case.spec, of(case.spec.format)
    if spec.budget is None or spec.type:
        preset = told.presets.get(spec.type)
        return preset.type if preset is not None else spec.type or told.usual
    return next((each.type for each in told.candidates(case) if fits(each, case)), "")


def fits(candidate: Candidate, case: Case[QuantSpec]) -> bool:
    """Whether a type is within the budget; what is not known is given the benefit of the doubt."""
    budget = case.spec.budget
    limits = ((candidate.size, budget.size), (candidate.memory, budget.memory)) if budget is not None else ()
    return all(have is None or most is None or have <= most for have, most in limits)


def shards(case: Case[QuantSpec]) -> int | None:
    """The most bytes of one file."""
    preset = of(case.spec.format).presets.get(case.spec.type)
    return case.spec.shards or (preset.shards if preset is not None else None)
