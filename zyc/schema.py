"""The JSON Schema of a spec file, made from the kinds: every field with its docs."""

from __future__ import annotations

from typing import Any

from zyc import kinds
from zyc.compile.outline import SECTIONS, USES, known_sections
from zyc.fields import NAME
from zyc.kind import Kind

_FAMILY = {
    "matrix": {
        "description": "Makes a family: axes with values (a product), or rows. `$(matrix.AXIS)` is the value in a field.",
        "anyOf": [{"type": "object", "minProperties": 1}, {"type": "array", "items": {"type": "object"}, "minItems": 1}],
    },
    "search": {
        "description": "A matrix that chooses its next member itself: the axes, what decides, how many to try.",
        "type": "object",
        "additionalProperties": False,
        "required": ["over", "runs"],
        "properties": {
            "over": {"type": "object", "description": "Axes: `[low .. high]` or a list of values."},
            "from": {"type": "string", "description": "The family whose measure decides; this one itself when not given."},
            "max": {"type": "string", "description": "The measure to maximise."},
            "min": {"type": "string", "description": "The measure to minimise."},
            "runs": {"type": "integer", "minimum": 1, "description": "How many members to try."},
        },
    },
}


def of_specs() -> dict[str, Any]:
    """The schema of a whole file."""
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {
        "zyc": {"const": 1, "description": "The version of the spec language."},
        "about": {"type": "string", "description": "What this file is for."},
        "use": {"enum": list(USES), "description": "Checked against every licence in the lineage."},
        "vars": {
            "type": "object",
            "description": "Values for `$(vars.NAME)` in this file.",
            "propertyNames": {"pattern": f"^{NAME.pattern}$"},
        },
    }
    for section in sorted(known_sections(), key=lambda each: SECTIONS.index(each) if each in SECTIONS else len(SECTIONS)):
        kind = kinds.of_section(section)
        assert kind is not None
        definitions |= of_kind(kind)
        properties[section] = {
            "type": "object",
            "description": " ".join((kind.__doc__ or "").split()),
            "propertyNames": {"pattern": f"^{NAME.pattern}$"},
            "additionalProperties": {"$ref": f"#/$defs/{kind.name}"},
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "zyc spec",
        "type": "object",
        "required": ["zyc"],
        "additionalProperties": False,
        "properties": properties,
        "$defs": definitions,
    }


def of_kind(kind: Kind[Any]) -> dict[str, Any]:
    """The definitions of one kind: a mapping of its fields, or the text that may stand for them."""
    schema = kind.Spec.model_json_schema(ref_template=f"#/$defs/{kind.name}.{{model}}")
    inner = {f"{kind.name}.{name}": told for name, told in schema.pop("$defs", {}).items()}
    schema["properties"] = {**schema.get("properties", {}), **_FAMILY}
    schema.pop("title", None)
    short = kind.shorthand("text")
    whole = {"anyOf": [{"type": "string"}, schema]} if short is not None else schema
    return {**inner, kind.name: _open(whole)}


def _open(schema: Any) -> Any:
    """A scalar may be an expression instead: `$(vars.epochs)` stands where a number does."""
    if isinstance(schema, list):
        return [_open(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    told = {name: _open(each) for name, each in schema.items() if name != "verbatim"}
    if told.get("type") in ("integer", "number", "boolean"):
        facts = {name: told.pop(name) for name in ("description", "default", "title", "examples") if name in told}
        return {**facts, "anyOf": [told, {"type": "string", "pattern": r"^\$\("}]}
    return told
