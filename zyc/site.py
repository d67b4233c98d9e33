"""The machine's own settings, `zyc.yml` and `zyc.local.yml`: what this place has and what it costs; never part of a key."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError

from zyc import fields
from zyc.errors import Span, ZycError, guess, problem
from zyc.kind import Fields
from zyc.source import Map, parse

FILES = ("zyc.yml", "zyc.local.yml")


class HostSite(Fields):
    """What one host has to give; what is not said is measured."""

    cpus: fields.Integer | None = Field(None, ge=1)
    """Processor cores that steps may use."""
    memory: fields.Bytes | None = None
    """Memory that steps may use, such as `24 GB`."""
    gpus: fields.Integer | None = Field(None, ge=0)
    """Accelerators that steps may use."""
    price: fields.Number = Field(0.0, ge=0)
    """What an hour costs, in your currency."""


class Site(Fields):
    """The settings of this place."""

    hosts: dict[fields.Name, HostSite] = Field(default_factory=dict)
    """The hosts by name; `local` is this machine."""

    @property
    def here(self) -> HostSite:
        """What is said of this machine."""
        return self.hosts.get("local", HostSite())


def read(texts: dict[str, bytes]) -> Site:
    """The shared settings, and those of this machine over them."""
    merged: dict[str, dict[str, object]] = {}
    for file, text in texts.items():
        document = parse(text, file)
        if document.problems:
            raise ZycError(document.problems)
        root: Any = document.root or Map()
        for key in root:
            if key != "hosts" or not isinstance(root[key], Map):
                hint = guess(key, Site.model_fields)
                raise ZycError(
                    problem(
                        "bad-site", Span(file, key.line, key.column, key.width), file=file, reason=f"no field `{key}`", help=hint
                    )
                )
        for name, values in (root.get("hosts") or {}).items():
            if not isinstance(values, Map):
                at = Span(file, name.line, name.column, name.width)
                raise ZycError(
                    problem("bad-site", at, file=file, reason=f"the host `{name}` needs fields", help="write `local: {cpus: 2}`")
                )
            merged.setdefault(str(name), {}).update(values)
    try:
        return Site.model_validate({"hosts": merged})
    except ValidationError as errors:
        told = []
        for each in errors.errors(include_url=False):
            path = ".".join(str(part) for part in each["loc"])
            context = each.get("ctx", {})
            reason = (
                f"`{path}`: expected {context['what']}, found {context['found']}"
                if "what" in context
                else f"`{path}`: {each['msg']}"
            )
            known = guess(str(each["loc"][-1]), HostSite.model_fields) if each["type"] == "extra_forbidden" else ""
            told.append(problem("bad-site", Span(next(reversed(texts))), file=" or ".join(texts), reason=reason, help=known))
        raise ZycError(told) from None
