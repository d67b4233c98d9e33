"""Runs `code.py` of this folder; from then on Python refuses sockets, processes, foreign libraries, and to write elsewhere."""

import os
import resource
import runpy
import sys
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
REFUSED += ("gc.", "shutil.", "fcntl.", "resource.", "mmap.", "sqlite3.", "winreg.")
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate")
CHANGES += ("os.utime", "os.chdir", "os.setxattr", "os.removexattr", "os.mkfifo", "os.mknod")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def guard():
    """The hook; what it stands on is its own, so that code cannot put something else in its place."""
    home, real, decode, separator = os.path.realpath(Path.cwd()), os.path.realpath, os.fsdecode, os.sep
    text, number, path, any_of, every_of, is_a = str, int, (str, bytes, os.PathLike), any, all, isinstance
    refused, changes, writes = REFUSED, CHANGES, WRITES
    error = PermissionError

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


limit(*map(int, sys.argv[1:4]))
sys.addaudithook(guard())
runpy.run_path("code.py", run_name="__main__")
