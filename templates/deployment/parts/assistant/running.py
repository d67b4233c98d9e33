"""A tool that may run -> what came of it, within its time: a built-in one, or a program of the person's without any shell."""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass

from . import doing
from .toolbox import MARK

MOST_SAID = 16_384  # bytes of a program's output
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR",
        "DBUS_SESSION_BUS_ADDRESS", "SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "TEMP", "TMP", "PATHEXT")  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a tool ended, and what it says to the model."""

    status: str  # ok, failed, missing, late, declined
    text: str
    why: str = ""  # for the person and the log

    @property
    def fine(self):
        """Whether what was asked for was done."""
        return self.status == "ok"


def run(desk, tool, values):
    """The outcome; whatever goes wrong inside a tool is one, too."""
    done = _program if tool.command else _built_in
    try:
        return done(desk, tool, values)
    except doing.MISSING as error:
        return Outcome("missing", desk.words["missing"], str(error))
    except TimeoutError:
        return Outcome("late", desk.words["late"], f"{tool.timeout:g} s")
    except doing.FAILED as error:
        return Outcome("failed", desk.words["failed"], str(error))


def _built_in(desk, tool, values):
    names = {each.name: each.to or each.name for each in tool.arguments}
    given = {names[name]: value for name, value in values.items()}
    if tool.runs in ("open_app", "close_app"):
        given["apps"] = tool.apps
    ended = []

    def work():
        try:
            ended.append((doing.TOOLS[tool.runs](desk, **given), None))
        except Exception as error:  # noqa: BLE001  # told to whoever waits
            ended.append((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(tool.timeout)
    if not ended:
        raise TimeoutError
    text, error = ended[0]
    if error is not None:
        if not isinstance(error, (*doing.MISSING, *doing.FAILED)):
            return Outcome("failed", desk.words["failed"], f"{type(error).__name__}: {error}")
        raise error
    return Outcome("ok", text)


def command_of(tool, values):
    """The program with its arguments: a value stands where its mark stands, and is never taken for an option."""
    told = []
    for part in tool.command:
        if "{" in part and not set(MARK.findall(part)) - {each.name for each in tool.arguments}:
            filled = MARK.sub(lambda found: str(values.get(found[1], "")), part)
            if MARK.match(part) and filled.startswith(("-", "/", "@")) and "--" not in told:
                raise doing.Failed(f"`{filled[:20]}` would be read as an option")
            if "\0" in filled:
                raise doing.Failed("it holds a NUL")
            told.append(filled)
        else:
            told.append(part)
    return told


def _program(desk, tool, values):
    own = {"start_new_session": True} if os.name == "posix" else {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command_of(tool, values),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=desk.folder.root,
                env=environment,
                **own,
            )
        except (OSError, ValueError) as error:
            raise doing.Failed(f"{tool.command[0]}: {getattr(error, 'strerror', None) or error}") from None
        try:
            status = process.wait(tool.timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        finally:
            _end(process)
        said.seek(0)
        text = said.read(MOST_SAID).decode("utf-8", "replace").strip()
    if status:
        return Outcome("failed", desk.words["failed"], f"{tool.command[0]} ended with {status}: {text[:200]}")
    return Outcome("ok", text or desk.words["ok"])


def _end(process):
    """The program and all that it started, gone."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(3)
