"""API keys: only their digests are kept, in one file that is replaced as a whole; what is revoked there is refused at once."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import time
from pathlib import Path


class Wrong(Exception):
    """What cannot be done with the keys, and the next step."""


def place(folder):
    """Where keys are kept: `ZYC_KEYS`, or keys.json in the bundle's folder."""
    return Path(os.environ.get("ZYC_KEYS") or Path(folder) / "keys.json")


def digest(key):
    """What is kept of a key. It is 256 random bits: there is nothing to guess that salt or work would slow down."""
    return hashlib.sha256(key.encode()).hexdigest()


class Keys:
    """The keys of a file, as it is now."""

    def __init__(self, path):
        self.path = Path(path)
        self._seen = self._names = None

    def owner(self, key):
        """Whose key it is; nothing for one that is unknown or revoked."""
        return self._now().get(digest(key))

    def __bool__(self):
        return bool(self._now())

    def readable(self):
        """True; else `Wrong` with the reason."""
        return self._now() is not None

    def _now(self):
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            self._seen, self._names = None, {}
            return self._names
        except OSError as error:
            raise Wrong(f"{self.path} cannot be read: {error.strerror}; give it to the user of the gateway") from error
        seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if seen != self._seen:  # replaced since: a look at its date costs less than a wrong answer
            self._names = {each["sha256"]: each["name"] for each in _read(self.path) if not each.get("revoked")}
            self._seen = seen
        return self._names


def add(path, name):
    """A new key, which is told this once."""
    if not name or not name.isprintable() or len(name) > 100:
        raise Wrong("a key needs a name that can be printed, of at most 100 letters")
    with _changing(path) as told:
        if any(each["name"] == name and not each.get("revoked") for each in told):
            raise Wrong(f"there is a key `{name}` already: revoke it first, or take another name")
        key = f"zk-{secrets.token_urlsafe(32)}"
        told.append({"name": name, "begins": key[:7], "sha256": digest(key), "made": _now(), "revoked": None})
    return key


def revoke(path, name):
    """From now on it opens nothing."""
    with _changing(path) as told:
        found = [each for each in told if each["name"] == name and not each.get("revoked")]
        if not found:
            raise Wrong(f"there is no key `{name}`: `python -m gateway keys list` shows those that there are")
        for each in found:
            each["revoked"] = _now()


def listed(path):
    """All that were ever made, without what would open anything."""
    return [{name: each.get(name) for name in ("name", "begins", "made", "revoked")} for each in _read(Path(path))]


@contextlib.contextmanager
def _changing(path):
    """The entries, to be changed; written as a whole, by one process at a time."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = _read(path)
        yield told
        new = path.with_name(f".{path.name}.new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump({"keys": told}, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        os.close(lock)


def _read(path):
    try:
        return [{**each, "name": str(each["name"]), "sha256": str(each["sha256"])} for each in _told(path)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Wrong(f"{path} cannot be read: {error.strerror}; give it to the user of the gateway") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Wrong(f"{path} is no file of keys: {error}; put it aside and make new ones") from error


def _told(path):
    return json.loads(path.read_text(encoding="utf-8"))["keys"]


def _now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
