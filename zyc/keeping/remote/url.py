"""A remote at any URL that fsspec knows: the one module that imports it; credentials are that library's own business."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from typing import Any, TypeVar

from zyc.errors import ZycError, problem
from zyc.keeping.remote.shelf import stems_of
from zyc.world import AnyPath

# here an upload is there whole or not at all; elsewhere it goes to a name of its own first
_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "adl", "az", "oci", "oss", "memory"}
_USER = re.compile(r"(?<=://)(?:[^/?#]*|[^/?#:]*:.*)@")  # a secret key may hold slashes
_RANGE = re.compile(r"range|\b416\b", re.IGNORECASE)
_QUERY = re.compile(r"[?#].*", re.DOTALL)

Result = TypeVar("Result")


class Url:
    """A shelf at a URL."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._files, self._root = _opened(url)
        protocol = self._files.protocol
        self._whole = bool(_WHOLE & {*([protocol] if isinstance(protocol, str) else protocol)})

    def _at(self, path: str) -> str:
        return f"{self._root.rstrip('/')}/{path}"

    def stems(self, folder: str) -> frozenset[str]:
        """The digests that name the files below a folder, from one listing."""
        try:
            return stems_of(self._plainly(lambda: list(self._files.find(self._at(folder)))))
        except FileNotFoundError:
            return frozenset()

    def size(self, path: str) -> int | None:
        """The bytes of a file, or nothing when there is none."""
        try:
            seen = self._plainly(lambda: self._files.info(self._at(path)))
        except FileNotFoundError:
            return None
        return int(seen["size"]) if seen.get("type") == "file" else None

    def piece(self, path: str, *, start: int, most: int) -> bytes:
        """At most so many bytes of a file, from a place on."""
        try:
            return bytes(self._plainly(lambda: self._files.cat_file(self._at(path), start=start, end=start + most)))
        except FileNotFoundError:
            raise
        except OSError as error:
            # what is behind the end is an error to some servers
            if _RANGE.search(str(error)) and (size := self.size(path)) is not None and size <= start:
                return b""
            raise

    def put(self, path: str, data: bytes) -> None:
        """A small file, whole or not at all."""
        self._place(path, lambda target: self._files.pipe_file(target, data))

    def send(self, path: str, source: AnyPath) -> None:
        """A file of this machine, whole or not at all."""
        self._place(path, lambda target: self._files.put_file(os.fspath(source), target))

    def drop(self, path: str) -> None:
        """Take back a file that was just sent."""
        self._plainly(lambda: self._files.rm_file(self._at(path)))

    def settle(self) -> None:
        """What such a place has answered for lasts."""

    def is_empty(self) -> bool:
        """Whether nothing at all is there."""
        try:
            return not self._plainly(lambda: self._files.ls(self._root, detail=False))
        except FileNotFoundError:
            return True

    def _place(self, path: str, write: Callable[[str], None]) -> None:
        target = self._at(path)
        if self._whole:
            self._plainly(lambda: write(target))
            return
        beside = f"{target}.{os.urandom(8).hex()}.part"
        self._plainly(lambda: self._files.makedirs(target.rpartition("/")[0], exist_ok=True))
        self._plainly(lambda: write(beside))
        self._plainly(lambda: self._files.mv(beside, target))

    def _plainly(self, act: Callable[[], Result]) -> Result:
        """Whatever a library says of a trouble becomes an OSError that says it without the secrets of the URL."""
        try:
            return act()
        except FileNotFoundError:
            raise
        except PermissionError as error:
            raise OSError(errno.EACCES, self._said(error)) from None
        except NotImplementedError:
            raise OSError(errno.EROFS, "nothing can be written at such a URL") from None
        except (AttributeError, NameError, AssertionError):
            raise  # a bug
        except Exception as error:  # noqa: BLE001  # each library has its own, and nobody lists them
            raise OSError(errno.EIO, self._said(error)) from None

    def _said(self, error: Exception) -> str:
        words = getattr(error, "strerror", None) or f"{error}" or type(error).__name__
        return without_secrets(str(words), self._url)


def shown(url: str) -> str:
    """A URL as people may see it: without user, password, and what follows a question mark."""
    return _QUERY.sub("", _USER.sub("", url))


def without_secrets(text: str, url: str) -> str:
    """A text in which the secret parts of a URL are starred out, wherever they stand."""
    user, query = _USER.search(url), _QUERY.search(url)
    parts = {*(re.split("[:@]", user[0]) if user else ()), *(re.split("[?&#=]", query[0]) if query else ())}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) > 3:
            text = text.replace(part, "***")
    return shown(text)


def _opened(url: str) -> tuple[Any, str]:
    """The file system of a URL, which remembers no listing, and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise ZycError(problem("no-remote-library", remote=shown(url), reason="fsspec is not installed")) from None
    try:
        files, root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True, **_settings(url))
    except ImportError as error:
        raise ZycError(problem("no-remote-library", remote=shown(url), reason=without_secrets(str(error), url))) from None
    except ValueError as error:
        raise ZycError(problem("bad-remote", remote=shown(url), reason=without_secrets(str(error), url))) from None
    return files, root


def _settings(url: str) -> dict[str, object]:
    """What S3 needs besides what the user's own settings say, which go before."""
    if not url.startswith(("s3://", "s3a://")):
        return {}
    from fsspec.config import conf

    # some servers answer for a piece with the checksum of the whole; a sha256 is held against all that arrives anyway
    own = conf.get("s3", {}).get("config_kwargs", {})
    return {"config_kwargs": {"response_checksum_validation": "when_required", **own}}
