"""Node -> recipe, harness and placement files; values reach scripts as literals of the script's language, never as code."""

from __future__ import annotations

import io
import json
import math
import re
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from zyc.errors import Problem, Span, problem
from zyc.kind import Case, Kind
from zyc.known import BLOCK, DEPENDENCY, Template

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, slots=True)
class Rendered:
    """The files of a step folder, by path; only `recipe` decides the key."""

    recipe: Mapping[str, str] = field(default_factory=dict)
    harness: Mapping[str, str] = field(default_factory=dict)
    placement: Mapping[str, str] = field(default_factory=dict)
    run: str = ""

    def files(self) -> dict[str, str]:
        """Every file with its path in the step folder."""
        told = {"run.sh": self.run}
        for folder in ("recipe", "harness", "placement"):
            told |= {f"{folder}/{name}": text for name, text in getattr(self, folder).items()}
        return told


def render(kind: Kind[Any], case: Case[Any], template: Template) -> Rendered:
    """The files of one node."""
    made = kind.recipe(case)
    recipe = dict(template.lib)
    for name, text in template.recipe.items():
        recipe[name] = pinned(fill(text, name, made.values), case.pins)
    recipe |= made.files
    placement = dict(template.placement)
    settings = getattr(case.spec, "placement", None)
    if isinstance(settings, BaseModel):
        placement["settings.json"] = json.dumps(_settings(settings, twin=case.twin), indent=2, sort_keys=True) + "\n"
    return Rendered(recipe, template.harness, placement, template.run)


def _settings(settings: BaseModel, *, twin: bool) -> dict[str, Any]:
    """Where and how fast; a twin runs on one core, so that its numbers can be repeated."""
    values = settings.model_dump(mode="json")
    return {**values, "cpus": 1} if twin and "cpus" in values else values


def literal(value: Any, language: str) -> str:
    """A value as a literal of the language that a file is written in."""
    plain = _plain(value)
    if language == "py":
        return python_literal(plain)
    if language in ("json", "yml", "yaml"):
        return quoted(json.dumps(plain, ensure_ascii=False, allow_nan=False), wide="\\U{:08x}" if language != "json" else "")
    raise ValueError(f"no way to write a value into a .{language} file")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, str | int | float):
        return str(value) if isinstance(value, str) else value
    raise TypeError(f"a template was given {type(value).__name__}, which no script can read")


def python_literal(value: Any) -> str:
    """A Python literal as a person would write it: double quotes, letters as they are, the rest escaped."""
    if isinstance(value, str):
        return quoted(json.dumps(value, ensure_ascii=False), wide="\\U{:08x}")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{python_literal(key)}: {python_literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(python_literal(each) for each in value) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)


def quoted(text: str, *, wide: str) -> str:
    """JSON text with all that does not print escaped; above 16 bits as the language has it, or as JSON's pairs."""
    if text.isprintable():
        return text

    def escape(char: str) -> str:
        if char.isprintable() or char == "\n":
            return char
        return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else wide.format(ord(char)) if wide else json.dumps(char)[1:-1]

    return "".join(map(escape, text))


def _language(name: str) -> str:
    return name.rsplit(".", 1)[-1] if "." in name else ""


@cache
def _environment(language: str) -> Environment:
    from jinja2 import Environment, StrictUndefined  # the import costs more than most plans

    def finalize(value: Any) -> str:
        if isinstance(value, StrictUndefined):
            str(value)  # raises: a name that nobody gave
        return literal(value, language)

    return Environment(  # noqa: S701  (scripts, not HTML: `finalize` writes literals)
        undefined=StrictUndefined, finalize=finalize, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )


def fill(text: str, name: str, values: Mapping[str, object]) -> str:
    """A template with its values put in as literals."""
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return text
    return _environment(_language(name)).from_string(text).render(values)


def pinned(text: str, pins: Mapping[str, str]) -> str:
    """The script with the exact version behind each dependency of its `# /// script` block."""

    def versions(block: re.Match[str]) -> str:
        return DEPENDENCY.sub(lambda found: f'"{found[1]}{found[2] or ""}=={pins["package:" + found[1]]}"', block[0])

    return BLOCK.sub(versions, text)


# --- the lint: an expression stands where a literal can, in no quotes, comment or heredoc ---

_SENTINEL = "zyc_value_{}_"


def flaws(name: str, text: str) -> Iterator[tuple[int, str, str]]:
    """What is wrong with a template: line, sentence, help. All branches are looked at, whatever the values."""
    from jinja2 import TemplateSyntaxError

    language = _language(name)
    try:
        flat, lines = _flattened(text, language)
    except TemplateSyntaxError as error:
        yield error.lineno, f"is not a Jinja template: {error.message}", ""
        return
    if not lines:
        return
    if language == "py":
        yield from _python_flaws(flat, lines)
    elif language in ("json", "yml", "yaml"):
        yield from _data_flaws(flat, lines)
    else:
        yield (
            lines[0],
            f"puts a value into a .{language or 'text'} file",
            "only .py, .json and .yml files take values; shell files are constants",
        )


def _flattened(text: str, language: str) -> tuple[str, list[int]]:
    """The template with every branch in it and a sentinel for each expression, and the lines of the expressions."""
    from jinja2 import nodes

    parts: list[str] = []
    lines: list[int] = []

    def walk(node: nodes.Node) -> None:
        if isinstance(node, nodes.Output):
            for each in node.nodes:
                if isinstance(each, nodes.TemplateData):
                    parts.append(each.data)
                else:
                    sentinel = _SENTINEL.format(len(lines))
                    parts.append(sentinel if language == "py" else f'"{sentinel}"')
                    lines.append(each.lineno)
        else:
            for child in node.iter_child_nodes():
                if not isinstance(child, nodes.Expr):
                    walk(child)

    walk(_environment(language).parse(text))
    return "".join(parts), lines


def _python_flaws(flat: str, lines: list[int]) -> Iterator[tuple[int, str, str]]:
    alone = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(flat).readline):
            if token.type == tokenize.NAME:
                alone.add(token.string)
    except (tokenize.TokenError, SyntaxError) as error:
        yield lines[0], f"is not Python once its values are in: {error.args[0]}", ""
        return
    for at, line in enumerate(lines):
        if _SENTINEL.format(at) not in alone:
            yield (
                line,
                "puts a value inside quotes, a comment or another word",
                "write `name = {{ value }}`: the value brings its own quotes",
            )


def _data_flaws(flat: str, lines: list[int]) -> Iterator[tuple[int, str, str]]:
    for at, line in enumerate(lines):
        written = f'"{_SENTINEL.format(at)}"'
        here = flat.index(written)
        before = flat[flat.rfind("\n", 0, here) + 1 : here]
        outside = before.count('"') % 2 == 0 and before.count("'") % 2 == 0
        if not outside or re.search(r"(^|\s)#", before) or not re.search(r"(^|[:,\[{-])\s*$", before):
            yield (
                line,
                "puts a value inside quotes, a comment or another word",
                "write `name: {{ value }}`: the value brings its own quotes",
            )


def template_problems(templates: Mapping[str, Template]) -> list[Problem]:
    """What is wrong with the templates of the project's own: they are held to the same rule as ours."""
    return [
        problem("bad-template", Span(f"templates/{path}", line), template=f"templates/{path}", reason=sentence, help=help_)
        for path, text in sorted({path: text for each in templates.values() for path, text in each.own.items()}.items())
        for line, sentence, help_ in flaws(path, text)
    ]
