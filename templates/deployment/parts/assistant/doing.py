"""What the built-in tools do: each is handed checked values, and says in a few words what came of it."""

# ruff: noqa: ARG001  # every tool is handed the desk

import ast
import contextlib
import operator
import subprocess
import unicodedata

from .confined import Outside

MOST_READ = 16_384  # bytes of a file that are handed to the model
MOST_SHOWN = 50  # rows


class Failed(Exception):
    """A tool could not do it; the text says why."""


class Missing(Failed):
    """What it was about is not there."""


def add_todo(desk, text, when=""):
    """One more task."""
    desk.add("todos", {"text": text, "when": when, "since": desk.clock().isoformat(timespec="seconds")})
    return desk.words["ok"]


def list_todos(desk, about=""):
    """The tasks, or those that speak of something."""
    rows = [each for each in desk.rows("todos") if _speaks(each, about)]
    told = "\n".join(each["text"] + (f" ({each['when']})" if each.get("when") else "") for each in rows[:MOST_SHOWN])
    return told or desk.words["nothing"]


def clear_todos(desk, about):
    """The tasks that speak of something are gone."""
    rows = desk.rows("todos")
    kept = [each for each in rows if not _speaks(each, about)]
    if len(kept) == len(rows):
        return desk.words["nothing"]
    desk.keep("todos", kept)
    return desk.words["ok"]


def _speaks(row, about):
    def plain(text):
        return unicodedata.normalize("NFC", text).casefold()

    return plain(about) in plain(f"{row.get('text', '')} {row.get('when', '')}")


def note(desk, text):
    """One more note, found by the next search."""
    desk.add("notes", {"text": text, "since": desk.clock().isoformat(timespec="seconds")})
    return desk.words["ok"]


def search_notes(desk, query):
    """What the notes say about it, the best first."""
    return "\n".join(desk.find(query)) or desk.words["nothing"]


def read_file(desk, path):
    """The beginning of a text file."""
    data, whole = desk.folder.read(path, MOST_READ)
    if b"\0" in data:
        raise Failed(f"{path} is no text")
    return data.decode("utf-8", "replace") + ("" if whole else "\n[...]")


def write_file(desk, path, text):
    """A text file with this content."""
    desk.folder.write(path, text.encode())
    return desk.words["ok"]


def delete_file(desk, path):
    """The file is gone."""
    desk.folder.remove(path)
    return desk.words["ok"]


def list_files(desk):
    """The files of the folder."""
    return "\n".join(desk.folder.names(MOST_SHOWN)) or desk.words["nothing"]


def open_app(desk, name, apps=None):
    """An application that the person listed is started."""
    command = (apps or {}).get(name)
    if command is None:
        raise Failed(desk.words["no_app"].format(path=desk.home / "apps.json"))
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        started = subprocess.Popen(list(command), start_new_session=True, **quiet)
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}") from None
    desk.started.setdefault(name, []).append(started)
    return desk.words["ok"]


def close_app(desk, name, apps=None):
    """An application that this assistant started is ended; those of others are never touched."""
    running = [each for each in desk.started.pop(name, []) if each.poll() is None]
    if not running:
        raise Missing(name)
    for each in running:
        each.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            each.wait(3)
    return desk.words["ok"]


def send_message(desk, to, text):
    """A message in the outbox; whoever carries it away is not this program."""
    desk.add("outbox", {"to": to, "text": text, "since": desk.clock().isoformat(timespec="seconds")})
    return desk.words["ok"]


def timer(desk, minutes, label=""):
    """Tells the person once so many minutes are over."""
    if not 0 < minutes <= 10_080:
        raise Failed("the time is not between 0 and 10,080 minutes")
    desk.add("timers", {"due": desk.clock().timestamp() + minutes * 60, "label": label or f"{minutes:g} min"})
    return desk.words["ok"]


def due(desk):
    """The labels of the timers that are over; each is told once."""
    rows, at = desk.rows("timers"), desk.clock().timestamp()
    over = [each for each in rows if each["due"] <= at]
    if over:
        desk.keep("timers", [each for each in rows if each["due"] > at])
    return [str(each["label"]) for each in over]


def now(desk):
    """Day and time."""
    return desk.clock().strftime("%Y-%m-%d %H:%M")


# --- arithmetic, and nothing else ---

TWO = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
ONE = {ast.UAdd: operator.pos, ast.USub: operator.neg}
LARGEST = 1e100
MOST_SUM = 200  # characters


def calculator(desk, expression):
    """The value of an expression of numbers, + - * / // % ** and brackets."""
    text = expression.replace("\u00d7", "*").replace("\u00f7", "/").replace("^", "**").replace("\u2212", "-").strip()
    if len(text) > MOST_SUM:
        raise Failed(f"the expression is longer than {MOST_SUM} characters")
    try:
        value = _value(ast.parse(text, mode="eval").body)
    except ZeroDivisionError:
        raise Failed("a number is divided by zero") from None
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError, TypeError):
        raise Failed(f"`{text}` is no sum that can be done") from None
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _value(node):
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value = node.value
    elif isinstance(node, ast.UnaryOp) and type(node.op) in ONE:
        value = ONE[type(node.op)](_value(node.operand))
    elif isinstance(node, ast.BinOp) and type(node.op) in TWO:
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Pow) and (abs(right) > 1_000 or (left and float(abs(left)) ** abs(right) > LARGEST)):
            raise ValueError(node)
        value = TWO[type(node.op)](left, right)
    else:
        raise ValueError(node)
    if isinstance(value, complex) or abs(value) > LARGEST:
        raise ValueError(node)
    return value


TOOLS = {
    each.__name__: each
    for each in (
        add_todo, list_todos, clear_todos, note, search_notes, read_file, write_file, delete_file, list_files,
        open_app, close_app, send_message, timer, now, calculator,
    )
}  # fmt: skip
MISSING = (FileNotFoundError, Missing)
FAILED = (Failed, Outside, OSError)
