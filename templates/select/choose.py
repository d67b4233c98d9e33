"""Choose the best member of a family: those whose gates hold, by one measure; ties go to the first."""

import json
import math
import operator
import sys
from pathlib import Path

SIGNS = {"<": operator.lt, "<=": operator.le, "=": operator.eq, "!=": operator.ne, ">=": operator.ge, ">": operator.gt}


def flat(value: object, path: str = "") -> dict[str, float]:
    """Nested measures by dotted names."""
    if isinstance(value, dict):
        return {
            key: number for name, each in value.items() for key, number in flat(each, f"{path}.{name}" if path else name).items()
        }
    return {path: float(value)} if isinstance(value, int | float) else {}


def passes(gate: dict, measures: dict[str, float]) -> bool:
    """Whether a gate holds; one on a measure that is missing or no number does not."""
    value = measures.get(gate["measure"], math.nan)
    bound = gate["bound"] + (measures.get(gate["against"], math.nan) if gate["against"] else 0.0)
    return not math.isnan(value) and not math.isnan(bound) and SIGNS[gate["sign"]](value, bound)


def measured(path: str) -> dict[str, float]:
    """The numbers that a step left; none when it left none."""
    return flat(json.loads(Path(path).read_text(encoding="utf-8"))) if Path(path).exists() else {}


def main() -> int:
    """Link out/ to the winner."""
    settings = json.loads(Path("recipe/settings.json").read_text(encoding="utf-8"))
    best, winner = -math.inf, None
    for member in settings["members"]:
        value = measured(member["measures"]).get(settings["measure"], math.nan)
        score = value if settings["largest"] else -value
        better = score > best or (winner is None and not math.isnan(score))
        if better and all(passes(gate, measured(check["measures"])) for check in member["checks"] for gate in check["gates"]):
            best, winner = score, member
    if winner is None:
        print(f"no member passes its gates with a `{settings['measure']}`", file=sys.stderr)
        return 1
    out = Path("out")
    out.unlink(missing_ok=True)
    out.symlink_to(winner["take"])
    print(f"{winner['label']}: {settings['measure']} is {best if settings['largest'] else -best}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
