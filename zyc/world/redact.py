"""Copies what a step says to its log without the secrets; a program of its own, so that a step outlives whoever started it."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_STARS = b"***"
VARIABLE = "ZYC_REDACT"  # the secrets, one a line, as hex: whoever may read our environment may read the step's, too


class Redactor:
    """Replaces secrets in a stream of bytes: the same result however the stream is cut."""

    def __init__(self, secrets: Iterable[str]) -> None:
        import re

        known = sorted({part for each in secrets for part in _parts(each)}, key=len, reverse=True)
        self._secrets = known  # longest first: of two that begin alike the longer one is hidden whole
        self._pattern = re.compile(b"|".join(re.escape(each) for each in known)) if known else None
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """What may be shown now; an end that could be the start of a secret is held back."""
        if self._pattern is None:
            return chunk
        text = self._held + chunk
        safe = self._safe(text)
        shown, at = [], 0
        for match in self._pattern.finditer(text):
            if match.start() >= safe:
                break
            shown += [text[at : match.start()], _STARS]
            at = match.end()
        end = max(at, safe)
        shown.append(text[at:end])
        self._held = text[end:]
        return b"".join(shown)

    def flush(self) -> bytes:
        """The rest, when nothing can follow."""
        rest, self._held = self._held, b""
        return self._pattern.sub(_STARS, rest) if self._pattern else rest

    def _safe(self, text: bytes) -> int:
        for at in range(max(0, len(text) - len(self._secrets[0]) + 1), len(text)):
            tail = text[at:]
            if any(len(each) > len(tail) and each.startswith(tail) for each in self._secrets):
                return at
        return len(text)


def _parts(secret: str) -> Iterable[bytes]:
    """A secret, and each long line of one that has many: a key may be printed line by line, or with other line ends."""
    whole = secret.encode("utf-8", "surrogateescape")
    lines = [line.strip() for line in whole.splitlines()] if b"\n" in whole else []
    return [each for each in (whole, *(line for line in lines if len(line) >= 8)) if each]


def variable(secrets: Iterable[str]) -> dict[str, str]:
    """What the environment of the program holds."""
    return {VARIABLE: " ".join(each.encode("utf-8", "surrogateescape").hex() for each in secrets)}


def main() -> None:
    """Read until nobody can write any more."""
    known = os.environ.pop(VARIABLE, "").split()
    redactor = Redactor(bytes.fromhex(each).decode("utf-8", "surrogateescape") for each in known)
    while chunk := os.read(0, 1 << 16):
        _say(redactor.feed(chunk))
    _say(redactor.flush())


def _say(shown: bytes) -> None:
    rest = memoryview(shown)
    while rest:
        try:
            rest = rest[os.write(1, rest) :]
        except OSError:
            return  # a full disk: a step must not stand still because its log does


if __name__ == "__main__":
    main()
