"""The text of an argument -> a value of its type, or why it is none: nothing is guessed and nothing is shortened."""

# ruff: noqa: ARG001  # the readers of all types share one signature

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import date, timedelta

TYPES = ("text", "integer", "number", "choice", "date", "time", "path")
LONGEST = 2_000  # characters of an argument that says nothing else
# characters that change how a line is read without being seen: what a person confirms must be what is run
TURNING = {chr(at) for at in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)}
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)
DAYS = {
    "lundi": 0, "mardi": 1, "mercredi": 2, "jeudi": 3, "vendredi": 4, "samedi": 5, "dimanche": 6,
    "monday": 0, "tuesday": 1, "wednesday": 2, "thursday": 3, "friday": 4, "saturday": 5, "sunday": 6,
}  # fmt: skip
NEAR = {"aujourd'hui": 0, "today": 0, "ce soir": 0, "demain": 1, "tomorrow": 1, "après-demain": 2}


class Wrong(ValueError):
    """Why a text is no value of its type."""


@dataclass(frozen=True)
class Argument:
    """What a tool may be told under one name."""

    name: str
    type: str = "text"
    optional: bool = False
    choices: tuple = ()
    least: float | None = None
    most: float | None = None  # for texts and paths: characters
    to: str = ""  # what the built-in tool calls it, where that is another name

    def narrowed(self, own):
        """With the type that the built-in tool needs, where the file asks for less than that."""
        return replace(self, type=own) if self.type == "text" and own != "text" else self


def value_of(argument, text, *, today=None):
    """The value, ready to be used and to be written as JSON."""
    most = argument.most if argument.type in ("text", "path") and argument.most is not None else LONGEST
    if len(text) > most:
        raise Wrong(f"it has {len(text):,} characters, and {most:,.0f} are the most")
    _visible(text)
    return READERS[argument.type](argument, text, today)


def _visible(text):
    for each in text:
        if each in TURNING:
            raise Wrong(f"it holds U+{ord(each):04X}, which changes the order in which it is read")
        if unicodedata.category(each) in ("Cc", "Cs") and each not in "\n\t":
            raise Wrong(f"it holds the control character U+{ord(each):04X}")


def _text(argument, text, today):
    if not text.strip():
        raise Wrong("it is empty")
    return text


def _integer(argument, text, today):
    if not re.fullmatch(r"[+-]?[0-9]{1,15}", text):
        raise Wrong("it is no whole number")
    return _within(argument, int(text))


def _number(argument, text, today):
    if not re.fullmatch(r"[+-]?[0-9]{1,15}([.,][0-9]{1,15})?", text):
        raise Wrong("it is no number")
    return _within(argument, float(text.replace(",", ".")))


def _within(argument, value):
    if argument.least is not None and value < argument.least:
        raise Wrong(f"it is less than {argument.least:g}")
    if argument.most is not None and value > argument.most:
        raise Wrong(f"it is more than {argument.most:g}")
    return value


def _choice(argument, text, today):
    told = unicodedata.normalize("NFC", text)
    if told not in argument.choices:
        raise Wrong(f"it is none of {', '.join(argument.choices)}")
    return told


def _date(argument, text, today):
    told = " ".join(text.casefold().replace("\u2019", "'").split())
    today = today or date.today()  # noqa: DTZ011  # the day that the person has
    if told in NEAR:
        return (today + timedelta(days=NEAR[told])).isoformat()
    day = told.removesuffix(" prochain").removeprefix("next ")
    if day in DAYS:
        return (today + timedelta(days=(DAYS[day] - today.weekday() - 1) % 7 + 1)).isoformat()
    try:
        return _exactly(told).isoformat()
    except ValueError:
        raise Wrong("it is no day: 2026-11-27, demain, lundi") from None


def _exactly(told):
    if (found := re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", told)) is not None:
        return date(*map(int, found.groups()))
    if (found := re.fullmatch(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", told)) is not None:
        day, month, year = map(int, found.groups())
        return date(year, month, day)
    raise ValueError(told)


def _time(argument, text, today):
    found = re.fullmatch(r"([0-9]{1,2})\s?(?:[:hH]\s?([0-9]{2})?)", text.strip())
    if found is None or int(found[1]) > 23 or int(found[2] or 0) > 59:
        raise Wrong("it is no time of day: 18:30, 18h")
    return f"{int(found[1]):02d}:{int(found[2] or 0):02d}"


def _path(argument, text, today):
    return inner(text)


def inner(text):
    """A path that says a place below a folder, on every system; whether a link leads out is seen when it is opened."""
    told = unicodedata.normalize("NFC", text)
    if unicodedata.normalize("NFKC", told) != told:
        raise Wrong("it is written with letters that another system reads otherwise")
    if any(unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") for each in told):
        raise Wrong("it holds a character that cannot be seen")
    if set(told) & set('\\:*?"<>|\u2044\u2215\u29f8'):
        raise Wrong('a path is written with `/`, and without any of \\ : * ? " < > |')
    if not told or told.startswith(("/", "~")):
        raise Wrong("it does not begin in the folder")
    for part in told.split("/"):
        if part in ("", ".", ".."):
            raise Wrong("it leads out of the folder, or nowhere")
        if part != part.strip() or part.endswith("."):
            raise Wrong(f"`{part}` ends with a dot, or has spaces at its ends")
        if len(part.encode()) > 200 or RESERVED.fullmatch(part):
            raise Wrong(f"`{part[:40]}` is a name that some systems keep for themselves")
    return told


READERS = {
    "text": _text, "integer": _integer, "number": _number, "choice": _choice, "date": _date, "time": _time, "path": _path,
}  # fmt: skip
