"""A project that is killed while it is built: who is killed when, who writes what meanwhile, and what is there in the end."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from desk import REPOSITORY

from zyc.keeping.store import Store
from zyc.world import World

WORLD = World()

# Each step says who writes into its folder; one that finds another one alive there tells on both.
LIB = """
begin() {
  name=$1
  if ! mkdir "$HOME/writing/$name" 2> /dev/null; then
    other=$(cat "$HOME/writing/$name/pid" 2> /dev/null || echo 0)
    case $(ps -o stat= -p "$other" 2> /dev/null || true) in
      '' | Z*) ;;
      *) echo "$name $$ beside $other" >> "$HOME/violations" ;;
    esac
  fi
  echo $$ > "$HOME/writing/$name/pid"
  echo "$name" >> "$HOME/starts"
}
fill() { # a bit at a time, each kept
  for i in $(seq "$1"); do
    [ -e "state/$i" ] && continue
    sleep 0.03
    echo "$name $i" > state/fresh
    mv state/fresh "state/$i"
  done
  cat $(seq -f state/%g "$1") > out/filled
}
end() { rm -r "$HOME/writing/$name"; }
"""
RESUME = "placement: {resume: true}, "


def _step(name: str, inputs: str, run: str, *, resume: bool = False) -> str:
    listed = ", ".join(f"{each}: {each}" for each in inputs)
    given = f"inputs: {{{listed}}}, " if inputs else ""
    scripts = "scripts: {lib.sh: scripts/lib.sh}"
    return f'  {name}: {{{given}{scripts}, {RESUME if resume else ""}run: ". recipe/lib.sh; begin {name}; {run}; end"}}\n'


_ALL = "cat $(find -L in -type f | sort) > out/all"
STEPS = {
    "a": ("", "echo 1 > out/a", False),
    "b": ("", "sleep 0.1; seq 100 > out/b", False),
    "c": ("", "fill 6", True),
    "d": ("a", "fill 4", True),
    "e": ("ab", f"sleep 0.05; {_ALL}; sleep 0.05; sync out/all", False),
    "f": ("c", f"{_ALL}; sleep 0.1; echo more >> out/all", False),
    "g": ("de", "fill 5; echo '{\\\"n\\\": 5}' > measures.json", True),
    "h": ("f", f"mkdir out/deep; {_ALL}; sleep 0.05; mv out/all out/deep/all; ln -s deep/all out/link", False),
    "i": ("b", f"for i in 1 2 3 4 5; do echo $i >> out/n; sleep 0.03; done; {_ALL}", False),
    "j": ("gh", f"{_ALL}; chmod +x out/all", False),
    "k": ("ij", "fill 3; head -c 300000 /dev/zero > out/zeros", True),
    "l": ("jk", _ALL, False),
}


@dataclass
class Victim:
    """One project, its builds, and what is done to them."""

    root: Path
    dice: random.Random = field(default_factory=random.Random)
    killed: Counter[str] = field(default_factory=Counter)  # steps whose processes were killed
    kills: int = 0
    seconds: float = 0.0  # of an uninterrupted build

    def __post_init__(self) -> None:
        for folder in ("specs", "scripts", "writing"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "scripts/lib.sh").write_text(LIB)
        steps = "".join(_step(name, inputs, run, resume=resume) for name, (inputs, run, resume) in STEPS.items())
        (self.root / "specs/mill.yml").write_text(f"zyc: 1\nsteps:\n{steps}")

    def start(self, *words: str) -> subprocess.Popen:
        """`zyc build`, in a group of its own; what it says is in files, which outlive it."""
        environ = {**os.environ, "HOME": str(self.root), "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
        with (self.root / "said").open("w") as said:
            command = [sys.executable, "-m", "zyc", "build", "--json", *words]
            return subprocess.Popen(command, cwd=self.root, env=environ, stdout=said, stderr=said, start_new_session=True)

    @property
    def said(self) -> str:
        """What the last build said."""
        return (self.root / "said").read_text()

    def build(self) -> None:
        """An uninterrupted build, which must end well."""
        begun = time.monotonic()
        with self.start() as driver:
            code = driver.wait(timeout=120)
        self.seconds = time.monotonic() - begun
        assert code == 0, self.said

    def living(self) -> dict[str, int]:
        """The leaders of the steps that run now: name of the step, process."""
        found = {}
        for card in (self.root / "artifacts/steps").glob("*/process.json"):
            try:
                told = json.loads(card.read_text())
                command = (card.parent / "recipe/command.sh").read_text()
            except (OSError, ValueError):
                continue
            if told["born"] and WORLD.born(told["pid"]) == told["born"]:
                found[command.split("begin ")[1].split(";")[0]] = told["pid"]
        return found

    def strike(self, driver: subprocess.Popen, whom: str) -> None:
        """Kill -9: the driver, its group, the leader of a step, a step with all its processes, or several of them."""
        self.kills += 1
        steps = self.living()
        chosen = self.dice.choice(sorted(steps)) if steps else ""
        if whom in ("driver", "driver and leader", "all"):
            _kill(driver.pid)
        if whom == "driver's group":
            _kill(driver.pid, group=True)
        if whom in ("leader", "driver and leader") and chosen:
            self.killed[chosen] += 1
            _kill(steps[chosen])
        for name in steps if whom == "all" else [chosen] if whom == "step" and chosen else []:
            self.killed[name] += 1
            _kill(steps[name], group=True)

    def round(self, kills: int) -> None:
        """Built from nothing, and killed so many times on the way."""
        for name in ("artifacts", "starts"):
            WORLD.remove_tree(self.root / name)
        self.killed.clear()
        for _ in range(kills):
            with self.start() as driver:
                # later builds have less to do: half of the strikes come early
                moment = self.dice.uniform(0.15, self.seconds) * self.dice.choice([0.5, 1])
                try:
                    driver.wait(timeout=moment)
                except subprocess.TimeoutExpired:
                    self.strike(driver, self.dice.choice(WHOM))
                driver.wait(timeout=60)
            assert driver.returncode in (0, 1, -signal.SIGKILL), self.said
            assert "Traceback" not in self.said

    def trees(self) -> dict[str, str]:
        """What each node has, by its digest."""
        nodes = self.root / "artifacts/nodes"
        return {path.name: path.readlink().name for path in nodes.iterdir()}

    def starts(self) -> Counter[str]:
        """How often each step began here: none, perhaps, where another project does the work."""
        file = self.root / "starts"
        return Counter(file.read_text().split() if file.exists() else ())

    def check(self, trees: dict[str, str]) -> None:
        """The bytes of an uninterrupted build; nobody beside another; no work twice but what was killed; a whole store."""
        assert self.trees() == trees
        assert not (self.root / "violations").exists(), (self.root / "violations").read_text()
        assert not self.living()
        starts = self.starts()
        assert all(starts[name] <= 1 + self.killed[name] for name in STEPS), (starts, self.killed)
        store = Store.open(WORLD, self.root / "artifacts/store")
        assert all(store.recheck(tree) for tree in store.present())
        for card in (self.root / "artifacts/steps").glob("*/job.json"):  # a kill after the trace was written leaves one
            assert list((self.root / "artifacts/store/traces").rglob(f"{card.parent.name}*")), card


WHOM = ("driver", "driver's group", "leader", "step", "driver and leader", "all")


def _kill(pid: int, *, group: bool = False) -> None:
    try:
        (os.killpg if group else os.kill)(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
