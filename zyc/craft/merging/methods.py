"""What merging knows of its trade: the methods of mergekit with their parameters, and how a parameter is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from zyc import fields

Value: TypeAlias = float | bool
Part: TypeAlias = tuple[str, tuple[Value, ...]]  # a filter (empty for every tensor), and one value or those of a gradient


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter as a method takes it: `0.5`, a gradient over the layers `[0, 0.5, 1]`, or values by filters."""

    parts: tuple[Part, ...]
    flags: ClassVar[bool] = False

    @classmethod
    def read(cls, value: object) -> Setting:
        """From what a spec holds."""
        if isinstance(value, Setting):
            return value
        if isinstance(value, dict) or (isinstance(value, list | tuple) and any(isinstance(each, dict) for each in value)):
            parts = value if isinstance(value, list | tuple) else [value]
            return cls(tuple(cls._part(each) for each in parts))
        return cls((("", cls._values(value)),))

    @classmethod
    def _part(cls, value: object) -> Part:
        if not isinstance(value, dict):
            return "", cls._values(value)
        unknown = next((each for each in value if each not in ("filter", "value")), None)
        if unknown is not None or "value" not in value:
            fields.wrong("`{filter: TEXT, value: ...}`", fields.Plain(unknown) if unknown is not None else value)
        return fields.read_text(value["filter"]) if "filter" in value else "", cls._values(value["value"])

    @classmethod
    def _values(cls, value: object) -> tuple[Value, ...]:
        told = value if isinstance(value, list | tuple) else [value]
        if not told:
            fields.wrong("a number, or a gradient such as `[0, 0.5, 1]`", value)
        read = fields.read_flag if cls.flags else fields.read_share
        return tuple(read(each) for each in told)

    @property
    def written(self) -> object:
        """As mergekit reads it."""
        told = [(name, list(values) if len(values) > 1 else values[0]) for name, values in self.parts]
        if len(told) == 1 and not told[0][0]:
            return told[0][1]
        return [{"filter": name, "value": value} if name else {"value": value} for name, value in told]

    @property
    def values(self) -> tuple[Value, ...]:
        """All of them, whatever their filters."""
        return tuple(each for _, values in self.parts for each in values)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.read, serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value.written)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        one = [{"type": "boolean"}] if cls.flags else [{"type": "number"}, {"type": "string"}]
        return {"anyOf": [*one, {"type": "array"}, {"type": "object", "required": ["value"]}]}


class Flags(Setting):
    """A parameter that is true or false."""

    __slots__ = ()
    flags = True


class Method(NamedTuple):
    """What a method of mergekit takes: as its registry has it, see tests/kinds/test_merge.py."""

    each: tuple[str, ...] = ()  # parameters of each model, the required ones first
    shared: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # of those, the ones without a default
    base: str = "required"  # or `optional`, `ignored`
    of_base: bool = False  # whether the base has parameters of its own, too
    least: int = 2  # models, the base among them
    most: int | None = None
    besides: int | None = None  # models besides the base, exactly
    random: bool = False  # what it drops is drawn by the seed
    cost: float = 9e-9  # seconds for each parameter of each model, on two cores


_TASKS = ("weight", "density")
_SHARED = ("int8_mask", "normalize", "rescale", "lambda")
_NEEDS = ("weight",)

METHODS: Mapping[str, Method] = {
    "linear": Method(_NEEDS, ("normalize",), _NEEDS, base="ignored", of_base=True, least=1),
    "slerp": Method((), ("t",), ("t",), most=2),
    "nuslerp": Method(_NEEDS, ("nuslerp_row_wise", "nuslerp_flatten"), _NEEDS, base="optional", least=2, besides=2),
    "multislerp": Method(_NEEDS, ("normalize_weights", "eps"), _NEEDS, base="optional", least=1),
    "karcher": Method((), ("max_iter", "tol"), base="ignored", least=1, cost=5e-8),
    "task_arithmetic": Method(_TASKS, _SHARED, _NEEDS, cost=2e-8),
    "ties": Method(_TASKS, _SHARED, _NEEDS, cost=8e-8),
    "dare_linear": Method(_TASKS, _SHARED, _NEEDS, random=True, cost=3e-8),
    "dare_ties": Method(_TASKS, _SHARED, _NEEDS, random=True, cost=5e-8),
    "della": Method((*_TASKS, "epsilon"), _SHARED, _NEEDS, random=True, cost=1e-7),
    "della_linear": Method((*_TASKS, "epsilon"), _SHARED, _NEEDS, random=True, cost=1e-7),
    "breadcrumbs": Method((*_TASKS, "gamma"), _SHARED, _NEEDS, cost=8e-8),
    "breadcrumbs_ties": Method((*_TASKS, "gamma"), _SHARED, _NEEDS, cost=1e-7),
    "model_stock": Method((), ("filter_wise",), least=3),
    "sce": Method((), ("int8_mask", "select_topk"), cost=5e-8),
    "nearswap": Method((), ("t",), ("t",), most=2),
    "ram": Method((), ("epsilon",), cost=3e-8),
    "ramplus_tl": Method((), ("r", "alpha", "epsilon"), cost=3e-8),
    "arcee_fusion": Method((), (), most=2, cost=8e-8),
    "passthrough": Method(("scale",), (), base="ignored", of_base=True, least=1, most=1, cost=2e-9),
}
# what else can be made of models, by other tools of mergekit
OTHERS = ("moe", "extract", "transplant")
# what a value may be: (lowest, highest, whether the lowest itself is allowed)
BOUNDS: Mapping[str, tuple[float, float | None, bool]] = {
    "density": (0, 1, False), "gamma": (0, 1, True), "select_topk": (0, 1, False), "eps": (0, None, False),
    "max_iter": (1, None, True), "tol": (0, None, False), "r": (0, None, True), "alpha": (0, None, True),
}  # fmt: skip
DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
# families whose tensors mergekit knows, by the `model_type` of their configurations: see tests/kinds/test_merge.py
MIXTURES: Mapping[str, tuple[str, ...]] = {  # what experts of these families become
    "mixtral": ("llama", "mistral"), "deepseek": ("llama", "mistral"), "qwen": ("llama", "mistral", "qwen2"), "qwen3": ("qwen3",),
}  # fmt: skip
MIXTURE_FAMILIES = {"mixtral": "mixtral", "deepseek": "deepseek", "qwen": "qwen2_moe", "qwen3": "qwen3_moe"}
APPROXIMATIONS = (
    "omp", "common_interpolation", "subword", "mean", "zero", "randn", "john_hewitt", "landmark_pca", "stb", "mp_rope",
)  # fmt: skip


def out_of_bounds(name: str, setting: Setting) -> str:
    """What is wrong with the values of a parameter; empty when nothing is."""
    low, high, closed = BOUNDS.get(name, (float("-inf"), None, True))
    for value in setting.values:
        if value < low or (value == low and not closed) or (high is not None and value > high):
            span = f"{'from' if closed else 'above'} {low:g}" + (f" to {high:g}" if high is not None else "")
            return f"`{name}` is {value:g}, and it must be {span}"
    return ""


def words(names: tuple[str, ...], otherwise: str = "no parameters") -> str:
    """Names of parameters in a sentence."""
    told = [f"`{each}`" for each in names]
    return " and ".join(filter(None, [", ".join(told[:-1]), told[-1]])) if told else otherwise
