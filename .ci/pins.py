"""Completes constraints.txt: the pins that stand in it are kept, whatever is missing is resolved anew."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PINS = Path("constraints.txt")
OF_TORCH = "triton"  # torch for an accelerator brings its own version
HEADER = """\
# The versions that are tested together, for all extras and dependency groups (Linux, Python 3.11, torch for CPU).
# To move some, delete their lines and run `make pins`. A package stands under the first title that needs it.
"""


def resolve() -> dict[str, dict]:
    """Name -> metadata of everything that all extras and groups install, under the pins that stand."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    done = subprocess.run([*pip, "-c", str(PINS), ".[all,liger]", "--group", "dev"], stdout=subprocess.PIPE, check=True)
    found = [each["metadata"] for each in json.loads(done.stdout)["install"]]
    return {canonicalize_name(each["name"]): each for each in found}


def closure(asked: list[str], packages: dict[str, dict]) -> set[str]:
    """The names that these requirements install, themselves included."""
    todo = [Requirement(each) for each in asked]
    seen: set[tuple[str, str]] = set()
    while todo:
        need = todo.pop()
        name = canonicalize_name(need.name)
        for extra in ("", *need.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            wanted = [Requirement(each) for each in packages[name].get("requires_dist", [])]
            todo += [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": extra})]
    return {name for name, _ in seen}


def main() -> None:
    """Write the pins, grouped by what needs them first."""
    project = tomllib.loads(Path("pyproject.toml").read_text())
    extras = {name: [f"zyc[{name}]"] for name in project["project"]["optional-dependencies"]}
    groups = project["dependency-groups"]
    titles = {"core": ["zyc"], "fast": extras.pop("fast"), "test": groups["test"], "check": groups["check"], **extras}
    packages = resolve()
    text, left = HEADER, set(packages) - {"zyc", OF_TORCH}
    for title, asked in titles.items():
        names = sorted(closure(asked, packages) & left)
        left -= set(names)
        if names:
            # A local version, such as torch's `+cpu`, names a build and not a release: a GPU machine has another.
            text += f"\n# {title}\n" + "".join(f"{name}=={packages[name]['version'].split('+')[0]}\n" for name in names)
    if left:
        sys.exit(f"no extra or group accounts for {', '.join(sorted(left))}")
    PINS.write_text(text)


if __name__ == "__main__":
    main()
