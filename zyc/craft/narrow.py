"""Jinja as transformers sets it up for chat templates, where nobody vouches for a text: nothing long comes of something short."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from jinja2 import TemplateError, ext, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

LONG = 5_000  # letters or entries of anything that a template makes on the way
OPEN, CLOSE = "\x02", "\x03"  # stand round what a mark holds; no template writes them
_WIDE = {"center", "expandtabs", "format", "indent", "ljust", "rjust", "wordwrap", "xmlattr", "zfill"}  # make much of little


class Marks(ext.Extension):
    """`{% generation %}` and its end."""

    tags = {"generation"}

    def parse(self, parser: Any) -> nodes.Node:
        """A call round what the assistant says."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("held"), [], [], body).set_lineno(line)

    def held(self, caller: Callable[[], str]) -> str:
        """What it holds, findable."""
        return f"{OPEN}{caller()}{CLOSE}"


class Narrow(ImmutableSandboxedEnvironment):
    """Whatever is put together, called or computed gives something short, or an error."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[Marks, ext.loopcontrols])
        self.filters = {name: _narrowed(each) for name, each in self.filters.items() if name not in _WIDE}
        self.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
        self.globals |= {"raise_exception": _refuse, "strftime_now": lambda _: "26 Jul 2024"}

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Numbers are computed with, texts are only added."""
        numbers = all(isinstance(each, int | float) for each in (left, right))
        if operator == "**" or not (numbers or operator == "+"):
            raise SecurityError(f"`{operator}` is not computed here")
        return _short(super().call_binop(context, operator, left, right))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Nothing that pads a text."""
        return attr not in _WIDE and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """A width in a format pads, too."""
        if super().wrap_str_format(value) is not None:
            raise SecurityError("`format` is not computed here")

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """As everywhere."""
        return _short(super().call(context, obj, *args, **kwargs))

    def joined(self, *parts: Any) -> str:
        """What stands for `~`."""
        return str(_short("".join(map(str, parts))))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return _Joins().visit(super()._parse(source, name, filename))  # type: ignore[no-any-return]


class _Joins(NodeTransformer):
    """`a ~ b` is `joined(a, b)`: by itself it asks no environment."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Call:  # noqa: N802  # named by Jinja
        self.generic_visit(node)
        return nodes.Call(nodes.EnvironmentAttribute("joined"), node.nodes, [], None, None, lineno=node.lineno)


def _short(made: Any) -> Any:
    if isinstance(made, str | list | tuple | dict) and len(made) > LONG:
        raise SecurityError("it makes a long text of a short one")
    return made


def _narrowed(made: Callable[..., Any]) -> Callable[..., Any]:
    return functools.wraps(made)(lambda *args, **more: _short(made(*args, **more)))


def _refuse(says: str) -> None:
    raise TemplateError(says)
