"""Answers of pure functions from earlier calls, by the content of their questions; the file may be deleted at any moment."""

from __future__ import annotations

import marshal
from hashlib import blake2b
from typing import Any

_MAGIC = b"zyc-kept 1\n"


class Kept:
    """Tables of answers. A question names everything that its answer depends on, so an answer is never stale."""

    def __init__(self, context: str = "", earlier: bytes = b"") -> None:
        self.context = context  # the digest of zyc's own source: other code, other answers
        self._old: dict[str, dict[Any, Any]] = {}
        self._new: dict[str, dict[Any, Any]] = {}
        self._used = 0
        self._whole = True
        self._read(earlier)

    def get(self, table: str, question: object) -> Any:
        """The answer, or None."""
        for answers in (self._old, self._new):
            found = answers.get(table, {}).get(question)
            if found is not None:
                self._used += 1
                return found
        return None

    def keep(self, table: str, question: object, answer: object) -> None:
        """Remember an answer; both must be made of plain values."""
        self._new.setdefault(table, {})[question] = answer

    # --- the file: segments that are only ever added to ---

    def _read(self, text: bytes) -> None:
        at = 0
        while at < len(text):
            head = text[at : at + len(_MAGIC) + 64]
            if not head.startswith(_MAGIC):
                break
            size, digest = head[len(_MAGIC) :].split(b"\n", 2)[:2] if head.count(b"\n") >= 3 else (b"0", b"")
            start = at + len(_MAGIC) + len(size) + len(digest) + 2
            body = text[start : start + int(size)] if size.isdigit() else b""
            if not body or blake2b(body, digest_size=16).hexdigest().encode() != digest:
                break
            context, tables = marshal.loads(body)  # noqa: S302  (ours, and digested above)
            if context == self.context:
                for table, answers in tables.items():
                    self._old.setdefault(table, {}).update(answers)
            else:
                self._whole = False
            at = start + len(body)
        self._whole = self._whole and at == len(text)

    def news(self) -> tuple[bytes, bool]:
        """What to write, and whether it replaces the file: nothing new is b''."""
        size = sum(len(answers) for answers in self._old.values())
        stale = not self._whole or size > 2 * self._used + 1000
        if not self._new and not stale:
            return b"", False
        tables = (
            {table: {**self._old.get(table, {}), **self._new.get(table, {})} for table in {*self._old, *self._new}}
            if stale
            else self._new
        )
        if stale and size > 2 * self._used + 1000:
            tables = self._new
        body = marshal.dumps((self.context, tables))
        digest = blake2b(body, digest_size=16).hexdigest()
        return b"%s%d\n%s\n%s" % (_MAGIC, len(body), digest.encode(), body), stale
