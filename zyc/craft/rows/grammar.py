"""A grammar that writes examples: what its file says, checked before anything is written, and how many items it has."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from zyc.errors import guess

NAME = re.compile(r"[a-z][a-z0-9_]*")
MARK = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
INSIDE = re.compile(r"([a-z][a-z0-9_]*)(?:\.([A-Za-z][A-Za-z0-9_]*))?(?:\|(capital|upper|lower))?")
ROLES = ("system", "user", "assistant", "tool")
OWN = ("form", "original", "copy")  # slots that every grammar has
TOP = ("grammar", "about", "slots", "distinct", "columns", "forms", "copies", "tools")
MOST_VALUES = 100_000


class Wrong(Exception):
    """What is wrong with a grammar: the line, a sentence, the next step."""

    def __init__(self, at: object, says: str, help_: str = "") -> None:
        super().__init__(says)
        self.line = int(getattr(at, "line", 0))
        self.says = says
        self.help = help_


@dataclass(frozen=True, slots=True)
class Grammar:
    """A grammar as plain data: every text is a text, every range is written out."""

    slots: Mapping[str, Mapping[str, Any]]
    forms: Mapping[str, Mapping[str, Any]]
    columns: Mapping[str, Any] = field(default_factory=dict)
    distinct: tuple[tuple[str, ...], ...] = ()
    copies: Mapping[str, Any] | None = None
    tools: tuple[Any, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As the recipe has it."""
        return {
            "slots": self.slots,
            "forms": self.forms,
            "columns": self.columns,
            "distinct": [list(each) for each in self.distinct],
            "copies": self.copies,
            "tools": list(self.tools),
        }

    def size(self, slot: str) -> int:
        """How many values a slot may have at a time."""
        told = self.slots[slot]
        if "of" in told:
            return self.size(told["of"])
        if "by" in told:
            return max(len(each) for each in told["values"].values())
        return len(told["values"])

    def labels(self, slot: str) -> list[str]:
        """What the values of a slot are called: the text, or the `id` of a value of several parts."""
        if slot == "form":
            return list(self.forms)
        told = self.slots[slot]
        if "of" in told:
            return self.labels(told["of"])
        values = [each for them in told["values"].values() for each in them] if "by" in told else told["values"]
        return [label_of(each) for each in values]

    def used(self, form: str, *, items: bool = True) -> list[str]:
        """The slots that a form draws, in the order of their names; without its columns, those that make an item another one."""
        told = self.forms[form]
        texts = [told["messages"]] if "messages" in told else [told["columns"]]
        texts += [] if items else [self.columns, told["columns"]]
        seen: dict[str, None] = {}
        ahead = [name for each in texts for name in names_in(each)]
        while ahead:
            name = ahead.pop()
            if name in seen or name in OWN:
                continue
            seen[name] = None
            slot = self.slots[name]
            ahead += [slot["by"]] if "by" in slot else []
            ahead += names_in(self.slots[slot["of"]] if "of" in slot else slot.get("values"))
        return sorted(seen)

    def capacity(self, form: str, fixed: Sequence[str] = ()) -> int:
        """How many different items a form can write at most."""
        return math.prod(self.size(name) for name in self.used(form) if name not in fixed)


def label_of(value: Any) -> str:
    """What a value is called in balances, columns and hold-outs."""
    return str(value["id"]) if isinstance(value, Mapping) else str(value)


def names_in(value: Any) -> list[str]:
    """The slots that texts name, however deep they stand."""
    return [each[1] for each in _marks(value)]


def _marks(value: Any) -> list[re.Match[str]]:
    found = (INSIDE.fullmatch(each[1]) for text in texts_in(value) for each in MARK.finditer(text) if each[1] is not None)
    return [each for each in found if each is not None]


def texts_in(value: Any) -> list[str]:
    """Every text in something."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for each in value.values() for text in texts_in(each)]
    return [text for each in value for text in texts_in(each)] if isinstance(value, list | tuple) else []


# --- reading ---


def read(data: object) -> Grammar:
    """The grammar that a file holds; raises Wrong with the line."""
    top = _mapping(data, data, "a grammar", "start with `grammar: 1`")
    _known(top, TOP, "a grammar")
    if str(top.get("grammar")) != "1":
        _wrong(data, "a grammar starts with `grammar: 1`", "add that line")
    if "slots" not in top or "forms" not in top:
        _wrong(
            data, f"a grammar needs `{'forms' if 'slots' in top else 'slots'}`", "it has `slots` of values, and `forms` of texts"
        )
    slots = {
        _name(name): _slot(name, each)
        for name, each in _mapping(top["slots"], data, "`slots`", "write `name: [one, two]`").items()
    }
    columns = _columns(top.get("columns", {}), data)
    forms = {
        _name(name): _form(name, each) for name, each in _mapping(top["forms"], data, "`forms`", "write `name: {...}`").items()
    }
    grammar = Grammar(slots, forms, columns, _distinct(top), _copies(top), tuple(_plain(top.get("tools", []))))
    for told in _references(grammar, top):
        raise told
    return grammar


def _wrong(at: object, says: str, help_: str = "") -> NoReturn:
    raise Wrong(at, says, help_)


def _mapping(value: object, at: object, what: str, help_: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not value:
        _wrong(value if hasattr(value, "line") else at, f"{what} is a mapping", help_)
    return value


def _known(value: Mapping[str, Any], words: Sequence[str], what: str) -> None:
    for key in value:
        if key not in words:
            _wrong(key, f"{what} has no `{key}`", guess(str(key), words, listed="it has"))


def _name(key: str) -> str:
    if NAME.fullmatch(key) is None or key in OWN:
        says = f"`{key}` is a slot that every grammar has" if key in OWN else f"`{key}` is no name"
        _wrong(key, says, "names are lower-case letters, digits and `_`")
    return str(key)


def _plain(value: Any) -> Any:
    """Texts without their places; only `true`, `false` and numbers of tools are no texts."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else str(value)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        _wrong(value, f"{what} is a text", "")
    for found in MARK.finditer(value):
        if found[0] in ("{{", "}}"):
            continue
        if found[1] is None or INSIDE.fullmatch(found[1]) is None:
            shown = found[0] if found[1] is not None else value[found.start() : found.start() + 20]
            _wrong(
                value, f"`{shown}` names no slot", "write `{slot}`, `{slot.part}` or `{slot|capital}`; `{{` and `}}` are braces"
            )
    return str(value)


def _slot(name: str, value: object) -> dict[str, Any]:
    if isinstance(value, list | tuple):
        return {"values": _values(name, value)}
    told = _mapping(
        value, name, f"the slot `{name}`", "write `[one, two]`, `{of: SLOT}`, `{by: SLOT, values: {...}}` or `{from: 1, to: 90}`"
    )
    if "of" in told:
        _known(told, ("of",), f"the slot `{name}`")
        return {"of": str(told["of"])}
    if "by" in told:
        _known(told, ("by", "values"), f"the slot `{name}`")
        inner = _mapping(
            told.get("values"), name, f"`values` of the slot `{name}`", "write the values of each: `{one: [...], two: [...]}`"
        )
        return {"by": str(told["by"]), "values": {str(key): _values(name, each) for key, each in inner.items()}}
    _known(told, ("from", "to", "step"), f"the slot `{name}`")
    first, last, step = (
        _integer(told.get(word, default), name, word) for word, default in (("from", "1"), ("to", ""), ("step", "1"))
    )
    if step < 1 or last < first or (last - first) // step >= MOST_VALUES:
        _wrong(
            name,
            f"the slot `{name}` counts from {first} to {last} by {step}",
            f"count upwards, to at most {MOST_VALUES:,} values",
        )
    return {"values": [str(each) for each in range(first, last + 1, step)]}


def _integer(value: object, at: object, word: str) -> int:
    if not isinstance(value, str) or re.fullmatch(r"-?\d{1,15}", value) is None:
        _wrong(at, f"`{word}` is a whole number", "write `{from: 1, to: 90}`")
    return int(value)


def _values(name: str, value: object) -> list[Any]:
    if not isinstance(value, list | tuple) or not value:
        _wrong(value if hasattr(value, "line") else name, f"the values of the slot `{name}` are a list", "write `[one, two]`")
    told: list[Any] = []
    for each in value:
        if isinstance(each, Mapping):
            if "id" not in each:
                _wrong(each, f"a value of `{name}` with parts needs an `id`", "write `{id: freedom, the: la liberté}`")
            told.append({str(part): _text(text, f"`{part}` of a value of `{name}`") for part, text in each.items()})
        else:
            told.append(_text(each, f"a value of `{name}`"))
    labels = [label_of(each) for each in told]
    double = next((each for each in labels if labels.count(each) > 1), None) if len(labels) < 5_000 else None
    if double is not None:
        _wrong(value if hasattr(value, "line") else name, f"`{double}` is twice among the values of `{name}`", "remove one")
    return told


def _columns(value: object, at: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        _wrong(value if hasattr(value, "line") else at, "`columns` is a mapping", "write `topic: '{topic}'`")
    return {
        str(name): [_text(part, f"`{name}`") for part in each] if isinstance(each, list | tuple) else _text(each, f"`{name}`")
        for name, each in value.items()
    }


def _form(name: str, value: object) -> dict[str, Any]:
    told = _mapping(value, name, f"the form `{name}`", "write `{messages: [...]}` or `{columns: {...}}`")
    _known(told, ("messages", "columns"), f"the form `{name}`")
    form: dict[str, Any] = {"columns": _columns(told.get("columns", {}), name)}
    if "messages" in told:
        messages = told["messages"]
        if not isinstance(messages, list | tuple) or not messages:
            _wrong(name, f"`messages` of the form `{name}` is a list", "write `- user: ...`")
        form["messages"] = [_message(each, name) for each in messages]
    elif not form["columns"]:
        _wrong(name, f"the form `{name}` says nothing", "it has `messages`, or `columns` such as `question` and `answer`")
    return form


def _message(value: object, form: str) -> dict[str, Any]:
    told = _mapping(value, form, f"a message of `{form}`", "write `user: ...`")
    roles = [role for role in told if role in ROLES or role == "call"]
    if len(told) != 1 or not roles:
        word = next((key for key in told if key not in (*ROLES, "call")), next(iter(told)))
        _wrong(word, f"a message of `{form}` has one role, not `{word}`", guess(str(word), (*ROLES, "call"), listed="roles are"))
    role = roles[0]
    if role != "call":
        return {"role": str(role), "content": _text(told[role], f"what {role} says")}
    # `call: {add_todo: {text: "{todo}"}}` is what the assistant writes to call a tool
    call = _mapping(told["call"], form, "`call`", "write `call: {add_todo: {text: '{todo}'}}`")
    if len(call) != 1:
        _wrong(form, "`call` names one tool", "write `call: {add_todo: {text: '{todo}'}}`")
    tool, given = next(iter(call.items()))
    arguments = given if isinstance(given, Mapping) else {}
    return {
        "role": "assistant",
        "call": str(tool),
        "arguments": {str(key): _text(each, f"`{key}` of `{tool}`") for key, each in arguments.items()},
    }


def _distinct(top: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    value = top.get("distinct", [])
    rows = value if isinstance(value, list | tuple) else [value]
    rows = [rows] if rows and all(isinstance(each, str) for each in rows) else rows
    return tuple(tuple(str(each) for each in row) for row in rows)


def _copies(top: Mapping[str, Any]) -> dict[str, Any] | None:
    value = top.get("copies")
    if value is None:
        return None
    told = _mapping(value, top, "`copies`", "write `copies: {each: 3, vary: [ask]}`")
    _known(told, ("each", "vary"), "`copies`")
    vary = told.get("vary", [])
    return {
        "each": _integer(told.get("each", ""), top, "each"),
        "vary": [str(name) for name in (vary if isinstance(vary, list | tuple) else [vary])],
    }


# --- what must be there ---


def _references(grammar: Grammar, top: Mapping[str, Any]) -> Iterator[Wrong]:
    """Each thing that one looks at may rely on those before it."""
    yield from _dependent(grammar, top)
    yield from _named(grammar, top)
    yield from _circles(grammar, top)
    yield from _parts(grammar, top)
    chats = ["messages" in form for form in grammar.forms.values()]
    if any(chats) and not all(chats):
        yield Wrong(_key(top, "forms"), "some forms have `messages`, some only `columns`", "rows of one dataset have one form")


def _missing(grammar: Grammar, name: str, where: str, at: object) -> Wrong:
    hint = guess(name, [*grammar.slots, *OWN], listed="there is")
    return Wrong(at, f"{where} names the slot `{name}`, which is not there", hint)


def _dependent(grammar: Grammar, top: Mapping[str, Any]) -> Iterator[Wrong]:
    """Slots that are of another, or by another."""
    for slot, told in grammar.slots.items():
        at, other = _key(top["slots"], slot), told.get("of", told.get("by", slot))
        if other not in grammar.slots:
            yield _missing(grammar, other, f"the slot `{slot}`", at)
        elif "values" not in grammar.slots[other] or (other != slot and "by" in grammar.slots[other]):
            yield Wrong(at, f"the slot `{slot}` goes by `{other}`, which has no values of its own", "name the slot that has them")
        elif "by" in told:
            labels = grammar.labels(other)
            lacking = [each for each in labels if each not in told["values"]]
            unknown = [each for each in told["values"] if each not in labels]
            if lacking or unknown:
                what = f"has no values for `{lacking[0]}`" if lacking else f"has values for `{unknown[0]}`, which is none"
                yield Wrong(at, f"the slot `{slot}` {what} of `{other}`", "a slot `by` another has a list for each of its values")


def _named(grammar: Grammar, top: Mapping[str, Any]) -> Iterator[Wrong]:
    """Every slot that is named is there."""
    slots, forms = top["slots"], top["forms"]
    places = [
        (names_in(told.get("values", {})), f"a value of `{slot}`", _key(slots, slot)) for slot, told in grammar.slots.items()
    ]
    places += [(names_in(told), f"the form `{form}`", _key(forms, form)) for form, told in grammar.forms.items()]
    places.append((names_in(grammar.columns), "`columns`", _key(top, "columns")))
    for names, where, at in places:
        for name in names:
            if name not in grammar.slots and name not in OWN:
                yield _missing(grammar, name, where, at)
    plain = [(name, "distinct") for row in grammar.distinct for name in row]
    plain += [(name, "copies") for name in (grammar.copies["vary"] if grammar.copies else ())]
    for name, word in plain:
        if name not in grammar.slots:
            yield _missing(grammar, name, f"`{word}`", _key(top, word))


def _circles(grammar: Grammar, top: Mapping[str, Any]) -> Iterator[Wrong]:
    """A slot whose values hold itself would never end."""

    def reaches(name: str, wanted: str, seen: set[str]) -> bool:
        for each in names_in(grammar.slots[name].get("values", {})):
            if each == wanted:
                return True
            if each in grammar.slots and each not in seen:
                seen.add(each)
                if reaches(each, wanted, seen):
                    return True
        return False

    for slot in grammar.slots:
        if reaches(slot, slot, set()):
            yield Wrong(_key(top["slots"], slot), f"the values of `{slot}` hold `{{{slot}}}` again", "a slot cannot hold itself")


def _parts(grammar: Grammar, top: Mapping[str, Any]) -> Iterator[Wrong]:
    """`{concept.the}` needs a part `the` in every value of `concept`."""
    places = [(f"the form `{form}`", told) for form, told in grammar.forms.items()] + [("`columns`", grammar.columns)]
    places += [(f"the slot `{slot}`", told.get("values", {})) for slot, told in grammar.slots.items()]
    seen: set[tuple[str, str]] = set()
    for where, value in places:
        for inside in _marks(value):
            slot, part = inside[1], inside[2]
            if part is None or slot not in grammar.slots or (slot, part) in seen:
                continue
            seen.add((slot, part))
            told = grammar.slots[slot]
            told = grammar.slots[told["of"]] if "of" in told else told
            values = [each for them in told["values"].values() for each in them] if "by" in told else told["values"]
            lacking = next((each for each in values if not isinstance(each, Mapping) or part not in each), None)
            if lacking is not None:
                label = label_of(lacking)
                says = f"`{label}`, a value of `{slot}`, has no part `{part}`, which {where} names"
                yield Wrong(_key(top["slots"], slot), says, f"write `{{id: {label}, {part}: ...}}`")


def _key(mapping: Mapping[str, Any], name: str) -> object:
    """A key with its place."""
    return next((key for key in mapping if key == name), name)
