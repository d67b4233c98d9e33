"""Runs `code.py` and then `checks.py` of this folder; when both came to their end, a word that only it was told is passed on.

From the first line of the code on, Python refuses sockets, processes, foreign libraries, and to write elsewhere.
"""

import _posixsubprocess
import os
import resource
import sys
import types
from pathlib import Path

REFUSED = (
    "socket.",
    "subprocess.",
    "os.fork",
    "os.exec",
    "os.spawn",
    "os.posix_spawn",
    "os.system",
    "os.kill",
    "pty.",
    "ctypes.",
)
REFUSED += ("gc.", "shutil.", "fcntl.", "resource.", "mmap.", "sqlite3.", "syslog.", "winreg.", "sys._current_frames")
# what reaches the system, or an interpreter without this guard, and tells no hook of it
FOREIGN = ("_ctypes", "ctypes", "cffi", "_cffi_backend", "_posixsubprocess", "_posixshmem", "_interpreters", "_xxsubinterpreters")
FOREIGN += ("_testcapi", "_testinternalcapi", "_tkinter", "_dbm", "_gdbm", "readline")
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate")
CHANGES += ("os.utime", "os.chdir", "os.setxattr", "os.removexattr", "os.mkfifo", "os.mknod")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def guard():
    """The hook; what it stands on is its own, so that code cannot put something else in its place."""
    home, real, decode, separator = os.path.realpath(Path.cwd()), os.path.realpath, os.fsdecode, os.sep
    text, number, path, any_of, every_of, is_a = str, int, (str, bytes, os.PathLike), any, all, isinstance
    refused, changes, writes, foreign = REFUSED, CHANGES, WRITES, FOREIGN
    error, absent = PermissionError, ImportError

    def inside(where):
        if is_a(where, number):
            return True  # a file that is open already
        there = real(decode(where))
        return there == home or there.startswith(home + separator)

    def hook(event, args):
        if event == "open":
            mode, flags = args[1], args[2]
            wants = (is_a(mode, text) and any_of(each in mode for each in "wax+")) or (is_a(flags, number) and flags & writes)
            if wants and not inside(args[0]):
                raise error("nothing outside may be written")
        elif event == "import":
            if args[0] in foreign:
                raise absent(f"{args[0]} is refused")
        elif event.startswith(refused):
            raise error(f"{event} is refused")
        elif event.startswith(changes) and not every_of(inside(each) for each in args if is_a(each, path)):
            raise error("nothing outside may be changed")

    return hook


def limit(seconds, memory, file):
    """Processor, memory, bytes of a file and of what is printed, open files; no picture of the memory is left behind."""
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, file),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def no_process(*_):
    """In the place of what starts a process and tells no hook of it; modules that only might start one are imported as ever."""
    raise PermissionError("a process is refused")


def main(seconds, memory, file, told, heard):
    """The code under a name that is not `__main__`: what it does as a program is not asked. The checks see what it made."""
    word = os.read(told, 64)
    os.close(told)
    limit(seconds, memory, file)
    _posixsubprocess.fork_exec = no_process
    answer = types.ModuleType("answer")
    sys.modules["answer"] = sys.modules["__main__"] = answer
    write, run = os.write, exec  # before the code can put something in their places
    whole = [compile(Path(name).read_bytes(), name, "exec", dont_inherit=True) for name in ("code.py", "checks.py")]
    sys.addaudithook(guard())
    for name, each in zip(("answer", "__main__"), whole, strict=True):
        answer.__name__ = name
        run(each, vars(answer))
    write(heard, word)


main(*map(int, sys.argv[1:6]))
