"""Text -> the events of a YAML parser: the C one, or the pure one where that is not installed, made to agree."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any, cast

# YAML 1.1 ends a plain scalar at `?` and at `:` within brackets, YAML 1.2 only where they stand like punctuation. So the
# parsers are shown a stand-in of the same width for those inside a text (`http://x`, `Tu viens ?`).
_INNER_COLON = re.compile(r":(?<=[^\s?,\[\]{}\"'&*]:)(?=[^\s,\[\]{}])")
_INNER_QUERY = re.compile(r"(?:(?<=[^\s:?,\[\]{}\"'-])|(?<=[^\s:?,\[\]{}\"'-] ))\?+")
_ANCHOR = re.compile(r"[&*]([A-Za-z0-9_-]+)(?=[\s?:,\]}%@`])")
_BLANK = re.compile(r"[ \r\n]*")
SHOWN = {0xFDD0: ":", 0xFDD1: "?"}


def hide(text: str) -> str:
    """The text with the stand-ins, which take as much room as what they stand for."""
    text = _INNER_COLON.sub("\ufdd0", text)
    return _INNER_QUERY.sub(lambda found: "\ufdd1" * len(found[0]), text) if "?" in text else text


def events_of(text: str) -> Callable[[], Any]:
    """Gives the next event of the C parser, or of the pure one where that is not installed."""
    try:
        parser = import_module("_ruamel_yaml_clibz").CParser(text.encode())
    except ImportError:
        return _pure_events(text)
    return cast("Callable[[], Any]", parser.get_event)


def _pure_events(text: str) -> Callable[[], Any]:
    """Gives the next event of the pure parser, which refuses here what the C parser refuses."""
    events, errors = import_module("ruamel.yaml.events"), import_module("ruamel.yaml.error")
    loader = _pure_loader(text, errors)
    flows = [False]

    def following() -> Any:
        try:
            event = loader.get_event()
        except (ValueError, OverflowError):
            raise errors.MarkedYAMLError("", None, "character code", loader.get_mark()) from None
        if isinstance(event, events.CollectionStartEvent):
            flows.append(event.flow_style)
        elif isinstance(event, events.CollectionEndEvent):
            flows.pop()
        if anchor := getattr(event, "anchor", None):
            named = _ANCHOR.match(text, event.start_mark.index)
            if named is None or named[1] != anchor:
                raise errors.MarkedYAMLError("an anchor", event.start_mark)
        plain = flows[-1] and isinstance(event, events.ScalarEvent) and not event.style
        if found := plain and re.search("[:?]", event.value):
            event.start_mark.index += found.start()
            raise errors.MarkedYAMLError("", None, f"unexpected '{found[0]}'", event.start_mark)
        return event

    return following


def _pure_loader(text: str, errors: Any) -> Any:
    """The pure parser, which accepts here what the C parser accepts."""
    loader = import_module("ruamel.yaml.loader").BaseLoader(text)

    def indentation() -> tuple[list[str], int, Any]:
        blank = _BLANK.match(loader.buffer, loader.pointer)
        *above, own = re.split(r"\r\n?|\n", blank[0] if blank else "")
        loader.forward(len(blank[0]) - len(own) if blank else 0)
        mark = loader.get_mark()
        loader.forward(len(own))
        if loader.peek() == "\t":
            raise errors.MarkedYAMLError("", None, "tab", loader.get_mark())
        return ["\n"] * len(above), max(map(len, (*above, own))), mark

    check_value = loader.check_value
    loader.doc_infos = [SimpleNamespace()]  # where it writes the version of a misplaced %YAML line
    loader.scan_block_scalar_indentation = indentation  # its own refuses a first line of fewer blanks than the text has
    loader.check_value = lambda: (
        check_value() or (loader.flow_level and loader.buffer[loader.pointer - 1] in "\"']}")
    )  # `["a":b]`
    return loader
