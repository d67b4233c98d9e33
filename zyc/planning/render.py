"""Node -> recipe, harness and placement files; values reach scripts as literals of the script's language, never as code."""

from __future__ import annotations

import io
import json
import math
import re
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from zyc.errors import Problem, Span, ZycError, guess, problem
from zyc.kind import GATES, NOTES, PLACEMENT, Case, Filled, Kind, Recipe, Spec
from zyc.planning.known import BLOCK, DEPENDENCY, Template

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2 import Template as JinjaTemplate


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


class RecipeFields:
    """A spec as a template sees it: what decides the result, and nothing else; all of it is no value, each field is."""

    def __init__(self, spec: Spec) -> None:
        apart = (*NOTES, *GATES, *PLACEMENT)
        vars(self).update({name: getattr(spec, name) for name in type(spec).model_fields if name not in apart})


def render(kind: Kind[Any], case: Case[Any], template: Template) -> Rendered:
    """The files of one node."""
    made = kind.recipe(case)
    modules = {name: text for name, text in template.lib.items() if name not in made.without}
    recipe = {**modules, **_filled(kind, case, template, "recipe", made), **_handed(template, made)}
    placement = _filled(kind, case, template, "placement", kind.arrangement(case))
    settings = getattr(case.spec, "placement", None)
    if isinstance(settings, BaseModel):
        placement["settings.json"] = json.dumps(_settings(settings, twin=case.twin), indent=2, sort_keys=True) + "\n"
    return Rendered(recipe, template.harness, placement, template.run)


def _handed(template: Template, made: Recipe) -> dict[str, str]:
    """Parts as they are, and the user's own templates, which the step fills."""
    told = {}
    for part, place in made.parts.items():
        for path, text in template.parts.items():
            if path == part or path.startswith(f"{part}/"):
                rest = path.removeprefix(part).lstrip("/") or path.rpartition("/")[2]
                told["/".join(each for each in ("bundle", place, rest) if each)] = text
    for dest, each in made.filled.items():
        if f"bundle/{dest}" in told:
            raise ZycError(_unfillable(each, 1, f"would stand in the place of the bundle's own `{dest}`", "give it another name"))
        _look_through(each)
        told[f"files/{dest}"] = each.text
    return told


def _look_through(given: Filled) -> None:
    """A template of the user's is refused with its line before anything runs: what is no Jinja, what reads unknown names."""
    from jinja2 import TemplateSyntaxError, meta, nodes

    try:
        tree = _environment("text").parse(given.text)
    except TemplateSyntaxError as error:
        raise ZycError(
            _unfillable(given, error.lineno, f"is not a Jinja template: {(error.message or '').rstrip('.')}", "")
        ) from None
    for name in sorted(meta.find_undeclared_variables(tree) - given.names):
        line = min((each.lineno for each in tree.find_all(nodes.Name) if each.name == name), default=1)
        help_ = guess(name, sorted(given.names), listed="there is")
        raise ZycError(_unfillable(given, line, f"reads `{name}`, which is not there", help_))


def _unfillable(given: Filled, line: int, reason: str, help_: str) -> Problem:
    return problem("bad-template", Span(given.path, line), template=given.path, reason=reason, help=help_)


def _filled(kind: Kind[Any], case: Case[Any], template: Template, folder: str, made: Recipe) -> dict[str, str]:
    """The templates of a folder with their values, and the files that are written as they are."""
    values = {name: RecipeFields(each) if isinstance(each, Spec) else each for name, each in made.values.items()}
    texts = template.recipe if folder == "recipe" else template.placement
    told = {}
    for name, text in texts.items():
        if folder == "recipe" and name in made.without:
            continue
        try:
            told[name] = pinned(fill(text, name, values), case.pins)
        except Exception as error:
            path = f"{kind.name}/{folder}/{name}"
            if path not in template.own:
                raise
            raise ZycError(_unfilled(f"templates/{path}", error, made.values)) from None
    return {**told, **made.files}


def _unfilled(template: str, error: Exception, values: Mapping[str, object]) -> Problem:
    """Why a template of the project's own cannot be filled."""
    import traceback

    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    word = re.search(r"(?:^'(\w+)' is undefined|has no attribute '(\w+)')", str(error))
    reason, help_ = f"cannot be filled: {error}", "a template has values, `if` and `for`"
    if word is not None:
        reason = f"reads `{word[1] or word[2]}`, which is not there"
        help_ = guess(word[1], values, listed="there is") if word[1] else "`zyc schema` shows the fields of every kind"
    return problem("bad-template", Span(template, (lines or [1])[-1] or 1), template=template, reason=reason, help=help_)


def _settings(settings: BaseModel, *, twin: bool) -> dict[str, Any]:
    """Where and how fast; a twin runs on one core, so that its numbers can be repeated."""
    values = settings.model_dump(mode="json")
    return {**values, "cpus": 1} if twin and "cpus" in values else values


LANGUAGES = ("py", "json", "yml", "yaml")  # of the files that take values


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
    from jinja2 import StrictUndefined  # the import costs more than most plans
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # a plan runs nothing of the project's

    def finalize(value: Any) -> str:
        if isinstance(value, StrictUndefined):
            str(value)  # raises: a name that nobody gave
        return literal(value, language)

    return ImmutableSandboxedEnvironment(  # scripts, not HTML: `finalize` writes literals
        undefined=StrictUndefined, finalize=finalize, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )


@lru_cache(maxsize=256)
def _compiled(language: str, text: str) -> JinjaTemplate:
    return _environment(language).from_string(text)


def fill(text: str, name: str, values: Mapping[str, object]) -> str:
    """A template with its values put in as literals; a file of another language is a constant."""
    language = _language(name)
    if language not in LANGUAGES or not any(mark in text for mark in ("{{", "{%", "{#")):
        return text
    return _compiled(language, text).render(values)


def pinned(text: str, pins: Mapping[str, str]) -> str:
    """The script with the exact version behind each dependency of its `# /// script` block."""

    def versions(block: re.Match[str]) -> str:
        return DEPENDENCY.sub(lambda found: f'"{found[1]}{found[2] or ""}=={pins["package:" + found[1]]}"', block[0])

    return BLOCK.sub(versions, text)


# --- the lint: an expression stands where a literal can, in no quotes, comment or heredoc ---

Flaw = tuple[int, str, str]  # line, sentence, help

_SENTINEL = "zyc_value_{}_"
_MEANT = re.compile(r"\{\{-?\s*[a-z_]|\{%")  # what looks like a value or a branch where there are none
_INSIDE = "puts a value inside quotes, a comment or another word"
_BEFORE = ("return", "in", "is", "not", "and", "or", "if", "elif", "else", "while", "assert", "yield", "raise")
_AFTER = ("in", "is", "not", "and", "or", "if", "else", "for")
_ASSIGNS = re.compile(r":=|(?![=!<>]=).*=")
_BLOCK_SCALAR = re.compile(r"(?:^|[:\s-])[|>][-+0-9]*\s*(?:#.*)?$")


def flaws(name: str, text: str) -> Iterator[Flaw]:
    """What is wrong with a template. All branches are looked at, whatever the values."""
    from jinja2 import TemplateSyntaxError

    language = _language(name)
    if language not in LANGUAGES:
        found = _MEANT.search(text)
        if found is not None:
            help_ = "only .py, .json and .yml files take values; shell files are constants"
            yield text.count("\n", 0, found.start()) + 1, f"puts a value into a .{language or 'text'} file", help_
        return
    try:
        flat, lines, logic = _flattened(text, language)
    except TemplateSyntaxError as error:
        yield error.lineno, f"is not a Jinja template: {(error.message or '').partition('. ')[0].rstrip('.')}", ""
        return
    for line, word in logic:
        yield (
            line,
            f"uses `{word}`",
            "a template has values, `if` and `for`: compute the rest in `Kind.recipe`, or in a module of lib/",
        )
    yield from dict.fromkeys((_python_flaws if language == "py" else _data_flaws)(flat, lines))


def _flattened(text: str, language: str) -> tuple[str, list[int], list[tuple[int, str]]]:
    """The template with every branch in it, loops twice, and a sentinel for each value; the lines of the values; other logic."""
    from jinja2 import nodes

    parts: list[str] = []
    lines: list[int] = []
    logic: list[tuple[int, str]] = []

    def walk(node: nodes.Node) -> None:
        if isinstance(node, nodes.Output):
            for each in node.nodes:
                if isinstance(each, nodes.TemplateData):
                    parts.append(each.data)
                else:
                    sentinel = _SENTINEL.format(len(lines))
                    parts.append(sentinel if language == "py" else f'"{sentinel}"')
                    lines.append(each.lineno)
            return
        if not isinstance(node, nodes.Template | nodes.If | nodes.For):
            logic.append((node.lineno, type(node).__name__.lower()))
        for _ in range(2 if isinstance(node, nodes.For) else 1):
            for child in node.iter_child_nodes():
                if not isinstance(child, nodes.Expr):
                    walk(child)

    walk(_environment(language).parse(text))
    return "".join(parts), lines, logic


def _python_flaws(flat: str, lines: list[int]) -> Iterator[Flaw]:
    if not lines:
        return
    alone: set[str] = set()
    quoted = 0  # since 3.12 the words in the braces of an f-string are tokens too
    before = after = None
    try:
        tokens = [
            each
            for each in tokenize.generate_tokens(io.StringIO(flat).readline)
            if each.type not in (tokenize.NL, tokenize.COMMENT)
        ]
    except (tokenize.TokenError, SyntaxError):
        yield lines[0], "is not Python once its values are in", "close every bracket and quote, and align what belongs together"
        return
    for before, here, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        quoted += {"FSTRING_START": 1, "FSTRING_END": -1}.get(tokenize.tok_name[here.type], 0)
        if here.type == tokenize.NAME and not quoted and _follows(before) and _precedes(after):
            alone.add(here.string)
    for at, line in enumerate(lines):
        if _SENTINEL.format(at) not in alone:
            yield line, _INSIDE, "write `name = {{ value }}`: the value brings its own quotes"


def _follows(before: tokenize.TokenInfo | None) -> bool:
    """Whether a value may stand after a token."""
    if before is None or before.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
        return True
    return before.string in _BEFORE or (before.type == tokenize.OP and before.string not in (".", "@", ")", "]", "}"))


def _precedes(after: tokenize.TokenInfo | None) -> bool:
    """Whether a value may stand before a token."""
    if after is None or after.type in (tokenize.NEWLINE, tokenize.ENDMARKER):
        return True
    return after.string in _AFTER or (after.type == tokenize.OP and after.string != "(" and not _ASSIGNS.fullmatch(after.string))


def _data_flaws(flat: str, lines: list[int]) -> Iterator[Flaw]:
    texts = flat.split("\n")
    blocks = set(_in_blocks(texts))
    for at, line in enumerate(lines):
        written = f'"{_SENTINEL.format(at)}"'
        row = next(row for row, text in enumerate(texts) if written in text)
        before, after = texts[row].split(written)
        outside = (
            before.count('"') % 2 == 0 and before.count("'") % 2 == 0 and row not in blocks and not re.search(r"(^|\s)#", before)
        )
        if not outside or not re.search(r"(^|[:,\[{-])\s*$", before) or not re.match(r"\s*($|[:,\]}]|\s#)", after):
            yield line, _INSIDE, "write `name: {{ value }}`: the value brings its own quotes"


def _in_blocks(texts: list[str]) -> Iterator[int]:
    """The rows of YAML that belong to a block of text."""
    block: int | None = None
    for row, text in enumerate(texts):
        depth = len(text) - len(text.lstrip(" "))
        if block is not None and (depth > block or not text.strip()):
            yield row
            continue
        block = depth if _BLOCK_SCALAR.search(text) else None


def template_problems(templates: Mapping[str, Template], pins: Mapping[str, str]) -> list[Problem]:
    """What is wrong with the templates: those of the project's own are held to the same rule as ours."""
    # modules of lib/ and parts are copied as they are
    own = {
        path: text
        for each in templates.values()
        for path, text in each.own.items()
        if not {"lib", "parts"} & {*path.split("/")[:-1]}
    }
    told = [
        problem("bad-template", Span(f"templates/{path}", line), template=f"templates/{path}", reason=sentence, help=help_)
        for path, text in sorted(own.items())
        for line, sentence, help_ in flaws(path, text)
    ]
    for kind, template in sorted(templates.items()):
        for name in template.dependencies:
            if f"package:{name}" not in pins:
                path, hint = f"templates/{kind}", f"install it (`pip install {name}`), or pin `package:{name}` in zyc.lock"
                told.append(
                    problem("bad-template", template=path, reason=f"names the package `{name}`, which has no pin", help=hint)
                )
    return told
