"""Runs the converter and reads what it says: harmless warnings are left out, and a failure is explained."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from staging import Told, Trap

HARMLESS = re.compile(
    r"Unknown RoPE type: default"
    r"|Unknown separator token .* in TemplateProcessing<pair>"
    r"|Duplicated key name .*, overwriting it with new value"  # what we tell it, it may say too
    r"|Mismatch between tokenizer_config add_bos_token"  # we tell it
    r"|The attention mask|PyTorch was not found"
)
PROGRESS = re.compile(r"Writing:\s+(\d+)%")
ENDS = {
    "BPE pre-tokenizer was not recognized": "its tokenizer splits text in a way that llama.cpp does not know by its ids:"
    " name the way in the tokenizer's `pre`, or take a tokenizer that llama.cpp knows",
    "assert max(tokenizer": "transformers gives its tokenizer more ids than the embedding has rows: some families' classes add a"
    " token of their own unless the tokenizer names an `unk_token`",
    "is not supported": "llama.cpp's converter does not know this architecture",
}


@contextmanager
def converting(command: list[str], told: Told, home: Path, *, progress: Callable[[int], None]) -> Iterator[None]:
    """Converts beside what else is done, then says how far it is; why it failed is told after the converter's last words."""
    answers = {"--pre": told.pre, "--bos": told.bos, "--space": told.space, "--ends": told.ends}
    words = [word for name, value in answers.items() if value is not None for word in (name, _word(value))]
    command = [sys.executable, str(Path(__file__).with_name("converter.py")), *command, "--home", str(home), *words]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    with subprocess.Popen(command, **pipe) as step:
        yield
        last, why = _follow(step, progress)
    if step.returncode:
        print("\n".join(last), file=sys.stderr)
        raise Trap(why or f"the converter failed with {step.returncode}: see its last words above")


def _follow(step: subprocess.Popen, progress: Callable[[int], None]) -> tuple[deque[str], str]:
    """Its last words, and what they say of why it failed."""
    last: deque[str] = deque(maxlen=30)
    why = ""
    for line in _lines(step):
        percent = PROGRESS.search(line)
        if percent:
            progress(int(percent[1]))
            continue
        last.append(line)
        why = why or next((reason for sign, reason in ENDS.items() if sign in line), "")
        if line.startswith(("WARNING", "ERROR")) and not HARMLESS.search(line):
            print(line)
    return last, why


def _lines(step: subprocess.Popen) -> Iterator[str]:
    # a progress bar writes over itself
    return (part.rstrip() for line in step.stdout for part in line.split("\r") if part.strip())


def _word(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
