"""One JSON object a line on standard output: what happened, to whom, how long it took; never what was said, unless asked to."""

from __future__ import annotations

import json
import logging
import sys
import time


def tell(event, level="info", **facts):
    """Write a line; a reader that went away stops nobody."""
    now = time.time()
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    line = {"time": moment, "level": level, "event": event, **{name: value for name, value in facts.items() if value is not None}}
    try:
        sys.stdout.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        return


class Lines(logging.Handler):
    """What libraries log, in the same form; a bug with its traceback."""

    def emit(self, record):
        """One record, one line."""
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else None
        tell("log", record.levelname.lower(), logger=record.name, message=record.getMessage(), trace=trace)


def quiet():
    """Warnings and worse of all libraries; they know no prompts."""
    root = logging.getLogger()
    root.handlers = [Lines()]
    root.setLevel(logging.WARNING)
