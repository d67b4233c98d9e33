"""Numbers with units as people write them: `10%`, `15 s`, `4 GB`, `300M`; and back into words."""

from __future__ import annotations

import re
from typing import NamedTuple

# unit -> (dimension, how many of the dimension's base)
UNITS: dict[str, tuple[str, float]] = {
    "%": ("share", 0.01),
    "ms": ("time", 1e-3),
    "s": ("time", 1.0),
    "min": ("time", 60.0),
    "h": ("time", 3600.0),
    "d": ("time", 86400.0),
    "B": ("bytes", 1.0),
    "kB": ("bytes", 1e3),
    "KB": ("bytes", 1e3),
    "MB": ("bytes", 1e6),
    "GB": ("bytes", 1e9),
    "TB": ("bytes", 1e12),
    "KiB": ("bytes", 2.0**10),
    "MiB": ("bytes", 2.0**20),
    "GiB": ("bytes", 2.0**30),
    "TiB": ("bytes", 2.0**40),
    "k": ("count", 1e3),
    "K": ("count", 1e3),
    "M": ("count", 1e6),
    "G": ("count", 1e9),
    "T": ("count", 1e12),
    "": ("number", 1.0),
}

_QUANTITY = re.compile(r"([-+]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z%]*)")


class Quantity(NamedTuple):
    """A number in the base unit of its dimension."""

    value: float
    dimension: str


def read(text: str) -> Quantity | None:
    """`15 s` is 15.0 of time; None when the text is no quantity."""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None or found[2] not in UNITS:
        return None
    dimension, scale = UNITS[found[2]]
    number = float(found[1].replace("_", ""))
    # dividing keeps 10% at exactly 0.1, where multiplying by 0.01 may not
    return Quantity(number / round(1 / scale) if 0 < scale < 1 else number * scale, dimension)


_MEANT = {
    "second": "s", "seconds": "s", "sec": "s", "secs": "s", "minute": "min", "minutes": "min", "mins": "min", "m": "min",
    "hour": "h", "hours": "h", "hr": "h", "hrs": "h", "day": "d", "days": "d", "percent": "%", "g": "GB", "gigabytes": "GB",
    "megabytes": "MB", "bytes": "B", "million": "M", "billion": "G", "b": "G", "thousand": "k",
}  # fmt: skip


def mend(text: str, dimension: str) -> str:
    """What may have been meant by a text that is no quantity: `did you mean `5 min`?`, or the units that there are."""
    units = [unit for unit, (kind, _) in UNITS.items() if unit and kind == dimension]
    found = _QUANTITY.fullmatch(text.strip())
    if not units or found is None or not found[2]:
        return ""
    alike = [unit for unit in units if unit.lower() == found[2].lower() or unit == _MEANT.get(found[2].lower())]
    return f"did you mean `{found[1]} {alike[0]}`?" if alike else "its units are " + ", ".join(f"`{unit}`" for unit in units)


def in_bytes(count: float) -> str:
    """14500000000 is `14.5 GB`."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count < 100 * size else f"{count / size:.0f} {unit}"
    return f"{count:.0f} B"


def in_time(seconds: float) -> str:
    """95 is `1 min 35 s`."""
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    for unit, size, rest, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            more = (whole % size) // part
            return f"{whole // size} {unit} {more} {rest}" if more else f"{whole // size} {unit}"
    return f"{whole} s"


def about(seconds: float) -> str:
    """A time as exactly as arithmetic knows it: `40 s`, `8 min`, `3 h`, `12 d`, `3.7 years`."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    for size, below, unit in ((60, 5400, "min"), (3600, 129600, "h"), (86400, 400 * 86400, "d")):
        if seconds < below:
            return f"{round(seconds / size)} {unit}"
    return f"{seconds / (365.25 * 86400):.1f} years"


def in_share(share: float) -> str:
    """0.75 is `75 %`."""
    return f"{share * 100:.3g} %"


def in_number(value: float) -> str:
    """A number without noise: 1200 and 0.0412."""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}"
