"""`zyc`: the same call over an unchanged project prints what it printed; everything else goes to the table of verbs."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """Run one call and give its exit code."""
    words = sys.argv[1:] if argv is None else argv
    if words in (["--version"], ["-V"]):
        from zyc import __version__

        sys.stdout.write(f"zyc {__version__}\n")
        return 0
    from zyc import memo

    code = memo.replay(words)
    if code is not None:
        return code
    import gc

    # a call lives for a second and makes no rubbish worth looking for
    gc.disable()
    from zyc.cli import run

    return run(words)


if __name__ == "__main__":
    sys.exit(main())
