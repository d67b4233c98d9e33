"""One folder that nothing leads out of: paths are followed part by part, and no link is ever followed."""

import contextlib
import os
import secrets
import stat
from pathlib import Path

from .values import inner

BY_DESCRIPTOR = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")  # not on Windows


class Outside(Exception):
    """A path that leads out of the folder, or to what is no plain file."""


class Folder:
    """A folder, and what may be done below it."""

    def __init__(self, root):
        self.root = Path(root).resolve()
        self.root.mkdir(parents=True, exist_ok=True)

    def read(self, path, most):
        """The first bytes of a file, and whether that is all of it."""
        with self._parent(path) as (parent, name):
            descriptor = self._opened(parent, name, os.O_RDONLY)
            with open(descriptor, "rb") as file:  # noqa: PTH123  # a descriptor
                told = file.read(most + 1)
        return told[:most], len(told) <= most

    def write(self, path, data):
        """A file with this content, whole or not at all; folders on the way are made."""
        with self._parent(path, make=True) as (parent, name):
            self._look(parent, name)
            new = f".{secrets.token_hex(8)}.new"
            # a name of its own, then renamed: what stood there, even a link, is replaced and never followed
            descriptor = self._opened(parent, new, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                with open(descriptor, "wb") as file:  # noqa: PTH123
                    file.write(data)
                self._renamed(parent, new, name)
            except OSError:
                with contextlib.suppress(OSError):
                    self._removed(parent, new)
                raise

    def remove(self, path):
        """The file is gone."""
        with self._parent(path) as (parent, name):
            if self._look(parent, name) is None:
                raise FileNotFoundError(path)
            self._removed(parent, name)

    def names(self, most=200):
        """Files below it, in order; links are not among them."""
        found = []
        for home, folders, files in os.walk(self.root, followlinks=False):
            folders.sort()
            for name in sorted(files):
                path = Path(home, name)
                if not path.is_symlink() and len(found) < most:
                    found.append(path.relative_to(self.root).as_posix())
        return found

    # --- one part after the other ---

    @contextlib.contextmanager
    def _parent(self, path, *, make=False):
        parts = inner(path).split("/")
        if not BY_DESCRIPTOR:
            yield self._walked(parts[:-1], make=make), parts[-1]
            return
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in parts[:-1]:
                deeper = self._deeper(descriptor, part, make=make)
                os.close(descriptor)
                descriptor = deeper
            yield descriptor, parts[-1]
        finally:
            os.close(descriptor)

    @staticmethod
    def _deeper(descriptor, part, *, make):
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=descriptor)
        try:
            return os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
        except (NotADirectoryError, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise Outside(f"`{part}` is no folder, or a link") from None

    def _walked(self, parts, *, make):
        place = self.root
        for part in parts:
            place = place / part
            if make and not os.path.lexists(place):
                place.mkdir()
            if not os.path.lexists(place):
                raise FileNotFoundError(str(place))
            if _is_link(place) or not place.is_dir():
                raise Outside(f"`{part}` is no folder, or a link")
        if self.root != place.resolve() and self.root not in place.resolve().parents:
            raise Outside("it leads out of the folder")
        return place

    def _look(self, parent, name):
        """What stands there: nothing, or a plain file; anything else is refused."""
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False) if BY_DESCRIPTOR else os.lstat(parent / name)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode) or (not BY_DESCRIPTOR and _is_link(parent / name)):
            raise Outside(f"`{name}` is no plain file, or a link")
        return found

    def _opened(self, parent, name, flags):
        if not flags & os.O_CREAT and self._look(parent, name) is None:
            raise FileNotFoundError(name)
        more = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        try:
            descriptor = (
                os.open(name, flags | more, 0o600, dir_fd=parent)
                if BY_DESCRIPTOR
                else os.open(parent / name, flags | more, 0o600)
            )
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Outside(f"`{name}` cannot be opened as a plain file: {error.strerror}") from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise Outside(f"`{name}` is no plain file")
        return descriptor

    @staticmethod
    def _renamed(parent, old, new):
        if BY_DESCRIPTOR:
            os.replace(old, new, src_dir_fd=parent, dst_dir_fd=parent)
        else:
            (parent / old).replace(parent / new)

    @staticmethod
    def _removed(parent, name):
        if BY_DESCRIPTOR:
            os.unlink(name, dir_fd=parent)
        else:
            (parent / name).unlink()


def _is_link(path):
    """A symbolic link, or on Windows a junction, which Python does not call one."""
    told = os.lstat(path)
    return stat.S_ISLNK(told.st_mode) or bool(getattr(told, "st_file_attributes", 0) & 0x400)
