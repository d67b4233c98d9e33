"""`zyc`: the same call over an unchanged project prints what it printed; everything else goes to the table of verbs."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def main(argv: list[str] | None = None) -> int:
    """Run one call and give its exit code; as a program of its own it ends here."""
    if argv is not None:
        return _run(argv, program=False)
    # Python has no stream where the shell closed one
    sys.stdout, sys.stderr = (each or open(os.devnull, "w") for each in (sys.stdout, sys.stderr))  # noqa: PTH123, SIM115
    try:
        code = _run(sys.argv[1:], program=True)
    except BrokenPipeError:
        code = 0  # whoever read us has had enough
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # what could not be written is told already
            stream.flush()
    # taking ten thousand nodes apart one by one, only to end, costs more than planning them
    os._exit(code)


def _complete(line: str) -> int:
    """Words for the shell, which waits: nothing but the standard library while no spec has moved."""
    from zyc import complete

    found = complete.answer(line)
    if found is None:
        from zyc.cli import learn_words

        learn_words()
        found = complete.answer(line) or []
    sys.stdout.write("".join(f"{word}\n" for word in found))
    return 0


def _run(words: list[str], *, program: bool) -> int:
    if words in (["--version"], ["-V"]):
        from zyc import __version__

        sys.stdout.write(f"zyc {__version__}\n")
        return 0
    if words[:1] == ["__complete"] and len(words) == 2:
        return _complete(words[1])
    from zyc import memo

    code = memo.replay(words)
    if code is not None:
        return code
    import gc

    # how specs are read is not for a plugin of somebody else's package to say; looking for plugins takes long, too
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

    # a call lives for a second and makes no rubbish worth looking for
    gc.disable()
    if program:
        import signal

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends us politely gets what Ctrl-C gets
    from zyc.cli import run

    return run(words)


if __name__ == "__main__":
    sys.exit(main())
