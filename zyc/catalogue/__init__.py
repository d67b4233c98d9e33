"""Public facts that let a plan work offline: models by their repository, classes of machines; read when first asked for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from zyc.errors import nearest as nearest_word
from zyc.types import Model


@cache
def table(name: str) -> Mapping[str, Any]:
    """One of the data files beside this module."""
    told: dict[str, Any] = json.loads(resources.files(__package__).joinpath(f"{name}.json").read_text("utf-8"))
    return told


def row(told: Mapping[str, Any], part: str, name: str) -> dict[str, Any]:
    """One row of a table by its columns; those that it leaves out are not there."""
    return dict(zip(told["columns"][part], told[part][name], strict=False))


def model(repository: str) -> Model | None:
    """The facts of a public model: `mistralai/Mistral-7B-v0.1`; None when it is not listed."""
    told = table("models")
    name = told["renamed"].get(repository, repository)
    if name not in told["models"]:
        return None
    facts = {"window": None, "dtype": "bf16", **row(told, "models", name)}
    shape, tokenizer = row(told, "shapes", facts.pop("shape")), row(told, "tokenizers", facts.pop("tokenizer"))
    del shape["parameters"]
    facts["window"] = facts["window"] or None
    facts["marked"] = tokenizer["template"] not in ("", "own")  # a template of ours, which has the form with marks
    return Model(name=name, tokenizer=tokenizer.pop("identity"), quantized="", code=False, **facts, **shape, **tokenizer)


def published(repository: str) -> int | None:
    """The published count of parameters of a listed model."""
    told = table("models")
    if repository not in told["models"]:
        return None
    return int(row(told, "shapes", told["models"][repository][0])["parameters"])


def repositories() -> tuple[str, ...]:
    """The models that are listed."""
    return tuple(table("models")["models"])


_SIZE = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)([bm])(?![a-z0-9])")


def nearest(repository: str) -> str | None:
    """The listed model whose name is nearest: `meta-llama/Llama-3.1-7B` may mean `meta-llama/Llama-3.1-8B`."""
    names: dict[str, str] = {name.lower(): name for name in (*table("models")["renamed"], *repositories())}
    asked = repository.lower()
    if "/" not in asked:
        names = {name.rpartition("/")[2]: full for name, full in names.items()}
    if asked in names:
        return names[asked]
    size = _SIZE.search(asked)
    if size is not None:  # a size that there is not: the next one of the same name
        alike = [(found, name) for name in names if (found := _SIZE.search(name)) and _SIZE.sub("", name) == _SIZE.sub("", asked)]
        if alike:
            return names[min(alike, key=lambda each: abs(math.log(_billions(each[0]) / _billions(size))))[1]]
    close = nearest_word(asked, names)
    return names[close] if close else None


def _billions(size: re.Match[str]) -> float:
    return max(float(size[1]), 0.001) * (1.0 if size[2] == "b" else 0.001)
