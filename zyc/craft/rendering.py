"""What a chat template of somebody else's writes: read and rendered once, without trusting it, in so many lines and no more."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import FrameType
from typing import Any

LINES = 100_000  # of Python that a template may take for one short chat: those of models take some hundreds
MOST = 200_000  # letters that it may write
_ASKED, _ANSWER = "Bonjour !", "Zyzzyva"


@dataclass(frozen=True, slots=True)
class Looked:
    """What a chat template of the user's writes for a question and its answer."""

    flaw: str = ""  # why it is no template
    marked: bool = False  # whether it tells what an assistant says
    after: str | None = None  # what stands behind the answer; None where it renders no such chat here
    learned: str = ""  # what its marks hold


@lru_cache(maxsize=256)
def looked(text: str, *, eos: str, bos: str = "<s>") -> Looked:
    """Read it as transformers does, and render one chat with it; a text is looked at once."""
    from jinja2 import TemplateSyntaxError, nodes

    from zyc.craft.narrow import CLOSE, OPEN, Narrow

    environment = Narrow()
    try:
        marked = any(True for _ in environment.parse(text).find_all(nodes.CallBlock))
    except TemplateSyntaxError as error:
        return Looked(flaw=f"line {error.lineno}: {(error.message or '').rstrip('.')}")
    except RecursionError:
        return Looked(flaw="it is nested too deeply")
    said = [{"role": "user", "content": _ASKED}, {"role": "assistant", "content": _ANSWER}]
    tokens = {"bos_token": bos, "eos_token": eos, "unk_token": "<unk>", "pad_token": "<pad>"}
    try:
        template = environment.from_string(text)
        told = _counted(template.generate(messages=said, tools=None, add_generation_prompt=False, **tokens))
    except Exception:  # noqa: BLE001  # code of somebody else's may raise anything: then nothing is known of it
        return Looked(marked=marked)
    learned = "".join(part.partition(CLOSE)[0] for part in told.split(OPEN)[1:])
    _, found, after = told.rpartition(_ANSWER)
    return Looked(marked=marked, after=after.replace(OPEN, "").replace(CLOSE, "") if found else None, learned=learned)


def _counted(parts: Iterator[str]) -> str:
    """What a template writes, within so many lines: counted, as a clock would tell a busy machine something else."""
    left, told = LINES, ""

    def watch(_frame: FrameType, _event: str, _argument: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise TimeoutError(f"more than {LINES:,} lines")
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        for part in parts:
            told += part
            if len(told) > MOST:
                raise TimeoutError("it writes too much for one short chat")
        return told
    finally:
        sys.settrace(before)
