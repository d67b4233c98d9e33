"""The weights of MLC: what its list of shards says, and whether the shards hold it."""

from __future__ import annotations

import json
from pathlib import Path

LISTS = ("tensor-cache.json", "ndarray-cache.json")  # by what newer and older versions call it


def listed(folder: Path) -> dict[str, object]:
    """The list of shards; None of its names being there is an error."""
    for name in LISTS:
        if (folder / name).is_file():
            told: dict[str, object] = json.loads((folder / name).read_text(encoding="utf-8"))
            return told
    raise SystemExit(f"error: {folder} has no list of its weights: neither {' nor '.join(LISTS)}")


def flaws(folder: Path) -> list[str]:
    """What is missing, cut short, or lies outside its shard."""
    told, found = listed(folder)["records"], []
    assert isinstance(told, list)
    if not told:
        found.append("there is no shard")
    for shard in told:
        path = folder / shard["dataPath"]
        if not path.is_file():
            found.append(f"{path.name} is not there")
            continue
        if path.stat().st_size != shard["nbytes"]:
            found.append(f"{path.name} has {path.stat().st_size:,} bytes of {shard['nbytes']:,}")
        ends = [each["byteOffset"] + each["nbytes"] for each in shard["records"]]
        if max(ends, default=0) > shard["nbytes"]:
            found.append(f"{path.name} ends before its last tensor")
    return found


def size(folder: Path) -> int:
    """The bytes of all shards."""
    return sum(path.stat().st_size for path in folder.glob("params_shard_*.bin"))
