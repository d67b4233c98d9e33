"""Random projects, random changes: what is kept from earlier calls never shows, builds do what plans say, reasons are exact."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import pytest
from desk import Desk
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from zyc import cli, front
from zyc.keeping.journal import Journal
from zyc.kept import Kept

DATA = ("a", "b", "c")
SCRIPTS = ("one", "two")
ONE_FILE = ("specs/one.yml",)
picks = st.integers(0, 1_000_000)


@dataclass
class Node:
    """One node of a random project."""

    salt: int = 0
    inputs: list[str] = field(default_factory=list)
    data: str = ""
    glob: bool = False
    script: str = ""
    var: bool = False
    env: bool = False
    axis: int = 0  # how many members
    blunt: bool = False  # what comes out does not depend on what goes in
    file: str = "one"

    def text(self, name: str, families: set[str]) -> str:
        """The node as it stands in a spec."""
        lines = [f"  {name}:"]
        if self.axis:
            lines.append(f"    matrix: {{k_{name}: {list(range(self.axis))}}}")
        if self.inputs:
            refs = (f"i{at}: [{each}]" if each in families else f"i{at}: {each}" for at, each in enumerate(self.inputs))
            lines.append(f"    inputs: {{{', '.join(refs)}}}")
        files = ([f"d: specs/data/{self.data}.txt"] if self.data else []) + (['g: "specs/data/many/*.txt"'] if self.glob else [])
        if files:
            lines.append(f"    files: {{{', '.join(files)}}}")
        if self.script:
            lines.append(f"    scripts: {{s.sh: scripts/{self.script}.sh}}")
        if self.env:
            lines.append("    env: [MILL]")
        run = [f"echo salt {self.salt}"]
        run += ["bash recipe/s.sh"] if self.script else []
        run += ["echo $ZYC_VARS_V"] if self.var else []
        run += ["echo $MILL"] if self.env else []
        run += [f"echo $ZYC_MATRIX_K_{name.upper()}"] if self.axis else []
        run += ["find -L in -type f | sort | xargs -r cat"] if not self.blunt else []
        return "\n".join([*lines, "    run: |", f"      {{ {'; '.join(run)}; }} > out/x", ""])


class Mill(RuleBasedStateMachine):
    """A project that is changed at random, and asked each time what it would do: by the memos, and without any."""

    @initialize(seed=picks)
    def start(self, seed):
        """A project of a few nodes that stand on each other."""
        self.random = random.Random(seed)
        self.home = Path(tempfile.mkdtemp(prefix="mill-"))
        self.desk = Desk(self.home / "mill", environ={"MILL": "old"})
        self.nodes: dict[str, Node] = {}
        self.value = "v"
        self.fresh = 0
        self.words: tuple[str, ...] = ()
        for name in DATA:
            self.desk.write(f"specs/data/{name}.txt", f"{name}\n")
            self.desk.write(f"specs/data/many/{name}.txt", f"many {name}\n")
        for name in SCRIPTS:
            self.desk.write(f"scripts/{name}.sh", f"echo {name}\n")
        self.desk.write("specs/profiles/other.yml", "zyc: 1\nvars: {v: other}\n")
        for _ in range(self.random.randint(2, 5)):
            self._add()
        self._write()

    def teardown(self):
        """Nothing is left behind."""
        if hasattr(self, "home"):
            for path in (self.home / "mill").rglob("*"):
                if path.is_dir() and not path.is_symlink():
                    path.chmod(0o755)
            shutil.rmtree(self.home)

    # --- the project ---

    def _name(self) -> str:
        self.fresh += 1
        return f"n{self.fresh}"

    def _add(self) -> None:
        pick = self.random
        there = list(self.nodes)
        self.nodes[self._name()] = Node(
            salt=pick.randint(0, 2),
            inputs=pick.sample(there, pick.randint(0, min(2, len(there)))),
            data=pick.choice(["", *DATA]),
            glob=pick.random() < 0.3,
            script=pick.choice(["", "", *SCRIPTS]),
            var=pick.random() < 0.3,
            env=pick.random() < 0.2,
            axis=pick.choice([0, 0, 0, 1, 2]),
            blunt=pick.random() < 0.2,
            file=pick.choice(["one", "two"]),
        )

    def _write(self, *, comment: str = "") -> None:
        families = {name for name, node in self.nodes.items() if node.axis}
        for file in ("one", "two"):
            mine = {name: node for name, node in self.nodes.items() if node.file == file}
            head = "zyc: 1\n" + (f"# {comment}\n" if comment else "")
            if any(node.var for node in mine.values()):
                head += f"vars: {{v: {self.value}}}\n"
            body = "".join(node.text(name, families) for name, node in mine.items())
            self.desk.write(f"specs/{file}.yml", head + ("steps:\n" + body if body else ""))

    def _any(self) -> Node:
        return self.nodes[self.random.choice(list(self.nodes))]

    def _readers(self, name: str) -> list[str]:
        return [other for other, node in self.nodes.items() if name in node.inputs]

    def _inside(self, *parts: str) -> list[Path]:
        """What there is in artifacts/ that may be deleted or damaged."""
        folder = self.desk.root.joinpath("artifacts", *parts)
        return sorted(path for path in folder.glob("*")) if folder.is_dir() else []

    # --- asking ---

    @invariant()
    def ask(self) -> None:
        """The same call by the memos, without any, and by the memos that it has just left: one answer."""
        call = ("plan", "--json", *self.words)
        warm = self.desk.zyc(*call)
        with nothing_kept(self.home):
            cold = self.desk.zyc(*call)
        assert (warm.out, warm.code) == (cold.out, cold.code), "a memo shows"
        time.sleep(0.025)  # what moved a moment ago is looked at again, so nothing would be kept
        again = self.desk.zyc(*call)
        # that an index is gone or damaged is told by whoever needs it first; all else is the same
        told = [each for each in again.err.split("\n\n") if "the index" not in each]
        assert (again.out, told, again.code) == (cold.out, cold.err.split("\n\n"), cold.code), "a memo shows"
        self.said = cold

    # --- changes ---

    @rule()
    def edit_a_recipe(self):
        """Another command: its node runs, and only what stands on it may."""
        name = self.random.choice(list(self.nodes))
        before = self._states() if self.said.code == 0 else None
        self.nodes[name].salt += 1
        self._write()
        self.ask()
        if before is not None and self.said.code == 0:
            cone = self._cone(name)
            moved = {each for each, state in self._states().items() if state != before.get(each)}
            assert {each.split("@")[0] for each in moved} <= cone, "an edit reaches only what stands on it"

    @rule()
    def edit_it_back(self):
        """A command as it was: what was built then is kept."""
        node = self._any()
        node.salt = max(0, node.salt - 1)
        self._write()

    @rule()
    def add_a_node(self):
        """One more."""
        if len(self.nodes) < 7:
            self._add()
            self._write()

    @rule()
    def remove_a_node(self):
        """One less; one that others need is a broken spec for a while."""
        if len(self.nodes) > 2:
            name = self.random.choice(list(self.nodes))
            node = self.nodes.pop(name)
            self._write()
            if self._readers(name):
                self.ask()
                self.nodes = {name: node, **self.nodes}
                self._write()

    @rule()
    def rename_a_node(self):
        """Another name, here and where it is read: it is no other node."""
        name, new = self.random.choice(list(self.nodes)), self._name()
        axes = {each for each, node in self.nodes.items() if node.axis}
        if name in axes:
            return  # its axis is named after it, and would be another
        self.nodes = {(new if each == name else each): node for each, node in self.nodes.items()}
        for node in self.nodes.values():
            node.inputs = [new if each == name else each for each in node.inputs]
        before = self._count("keep") if self.said.code == 0 else None
        self._write()
        self.ask()
        if before is not None and self.said.code == 0:
            assert self._count("keep") == before, "a name is in no key"

    @rule()
    def turn_things_around(self):
        """Another file, another order, a comment: of no matter."""
        before = self._by_name() if self.said.code == 0 and self.words != ONE_FILE else None
        node = self._any()
        if not node.var:
            node.file = "two" if node.file == "one" else "one"
        self._write(comment=f"comment {self.random.randint(0, 9)}")
        self.ask()
        if before is not None and self.said.code == 0:
            assert {name: each["key"] for name, each in self._by_name().items()} == {
                name: each["key"] for name, each in before.items()
            }

    @rule()
    def change_a_shape(self):
        """Members, inputs, files and scripts come and go."""
        node, pick = self._any(), self.random
        match pick.randint(0, 4):
            case 0:
                node.axis = pick.choice([0, 1, 2, 3])
            case 1:
                node.data = pick.choice(["", *DATA])
            case 2:
                node.script = pick.choice(["", *SCRIPTS])
            case 3:
                node.glob = not node.glob
            case 4:
                node.blunt = not node.blunt
        self._write()

    @rule()
    def edit_a_var(self):
        """Another value, or the same."""
        self.value = self.random.choice("vwx")
        self._write()

    @rule()
    def choose_a_profile(self):
        """The next calls are made with another profile, or with none, or set a var themselves."""
        self.words = self.random.choice([(), ("--profile", "other"), ("--set", "vars.v=set"), ONE_FILE, ("--exclude", "n1")])
        self.ask()

    @rule(text=st.sampled_from(["zyc: 1\nvars: {v: other}\n", "zyc: 1\nvars: {v: third}\n", "zyc: 1\n"]))
    def edit_the_profile(self, text):
        """The profile that may be chosen says something else."""
        self.desk.write("specs/profiles/other.yml", text)

    @rule(text=st.sampled_from(["x\n", "y\n", "longer\n"]))
    def edit_a_file(self, text):
        """A data file or a script, in place or by replacement."""
        path = self.random.choice([f"specs/data/{each}.txt" for each in DATA] + [f"scripts/{each}.sh" for each in SCRIPTS])
        if self.random.random() < 0.5:
            self.desk.write("other", text)
            (self.desk.root / "other").rename(self.desk.root / path)
        else:
            self.desk.write(path, text)

    @rule()
    def edit_a_file_in_secret(self):
        """Other bytes of the same length under the same time."""
        path = self.desk.root / "specs/data" / f"{self.random.choice(DATA)}.txt"
        if path.exists():
            seen = path.stat()
            path.write_bytes(bytes(65 + (each + 1) % 26 for each in path.read_bytes()))
            os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))

    @rule()
    def touch_a_file(self):
        """A new time for old bytes."""
        path = self.desk.root / "specs/data" / f"{self.random.choice(DATA)}.txt"
        if path.exists():
            path.touch()

    @rule()
    def link_a_file(self):
        """A data file is a link, which leads here or there."""
        path = self.desk.root / "specs/data" / f"{self.random.choice(DATA)}.txt"
        path.unlink(missing_ok=True)
        path.symlink_to(f"many/{self.random.choice(DATA)}.txt")

    @rule()
    def add_to_a_folder(self):
        """One more file where a glob looks, or one less."""
        path = self.desk.root / "specs/data/many" / f"{self.random.choice('abcdef')}.txt"
        if path.exists():
            path.unlink()
        else:
            path.write_text(path.name)

    @rule()
    def lose_a_file(self):
        """A data file is gone, or back."""
        path = self.desk.root / "specs/data" / f"{self.random.choice(DATA)}.txt"
        if path.exists():
            path.unlink()
        else:
            path.write_text(path.name)

    @rule(name=st.sampled_from(["step/lib/words.py", "step/placement/launch.sh", "run.sh"]))
    def shadow_a_template(self, name):
        """The project's own template takes the place of the built-in one, or steps back."""
        path = self.desk.root / "templates" / name
        if path.exists():
            path.unlink()
        else:
            built_in = Path(cli.__file__).parents[1] / "templates" / name
            text = built_in.read_text() if built_in.exists() else "WORD = 1\n"
            self.desk.write(f"templates/{name}", f"{text}# of our own\n")

    @rule(value=st.sampled_from(["old", "new", None]))
    def change_the_environment(self, value):
        """A variable that a step may ask for."""
        self.desk.environ.pop("MILL", None)
        if value is not None:
            self.desk.environ["MILL"] = value

    @rule()
    def break_a_spec(self):
        """A file that is no YAML for a while."""
        self.desk.write("specs/one.yml", "zyc: 1\nsteps: [")
        self.ask()
        self._write()

    @rule(part=st.sampled_from(["trees", "traces", "roots", "nodes", "memo", "calls", "steps"]), damage=st.booleans())
    def lose_a_part(self, part, damage):
        """Something in artifacts/ is deleted, or a memo is not what was written."""
        parts = {"nodes": ("nodes",), "memo": ("memo",), "calls": ("memo", "calls"), "steps": ("steps",)}
        found = self._inside(*parts.get(part, ("store", part)))
        if found:
            path = self.random.choice(found)
            if damage and path.is_file() and part in ("memo", "calls"):
                text = bytearray(path.read_bytes())
                text[self.random.randrange(len(text))] ^= 1 << self.random.randrange(8)
                path.write_bytes(text)
            else:
                remove(path)

    @rule(damage=st.booleans())
    def lose_the_journal(self, damage):
        """The index is gone, or not what was written."""
        path = self.desk.root / "artifacts/store/journal.sqlite"
        if path.exists() and damage:
            path.write_bytes(path.read_bytes()[: self.random.randrange(4000)])
        elif path.exists():
            path.unlink()
        with patch("desk.memo.replay", lambda _: None):  # whoever is answered from memory does not ask the index
            self.desk.zyc("plan", "--json", *self.words)  # is told once, and made again

    @rule()
    @precondition(lambda self: self.said.code == 0)
    def build_a_part(self):
        """A node and what it needs."""
        name = self.random.choice(list(self.nodes))
        said = self.desk.zyc("build", name, "--json", *(self.words if self.words != ONE_FILE else ()))
        assert said.code in (0, 1, 2), said.text

    @rule()
    @precondition(lambda self: self.said.code == 0)
    def build_it_all(self):
        """What the plan said is what happens, and a second build does nothing."""
        planned = self._states()
        built = self.desk.zyc("build", "--json", *self.words)
        told = {each["node"]: each["fate"] for line in built.lines if (each := json.loads(line)).get("event") == "end"}
        for name, fate in told.items():
            allowed = {
                "keep": {"kept"},
                "run": {"ran", "kept", "failed", "blocked"},
                "maybe": {"ran", "kept", "blocked", "failed"},
            }
            assert fate in allowed[planned[name]], (name, planned[name], fate)
        if built.code == 0:
            again = self.desk.zyc("build", "--json", *self.words)
            fates = {each["fate"] for line in again.lines if (each := json.loads(line))["event"] == "end"}
            assert fates <= {"kept"}, "a second build does nothing"
            self.ask()
            assert set(self._states().values()) <= {"keep"}

    @rule()
    @precondition(lambda self: self.said.code == 0)
    def ask_why(self):
        """A reason is told exactly where the key is another one than at the last build, and for what has none."""
        name = self.random.choice(sorted(self._states()) or list(self.nodes))
        words = tuple(self.words) if self.words[:1] in (("--profile",), ("--set",)) else ()
        told = self.desk.zyc("why", name, "--json", *words)
        assert told.code == 0, told.text
        for answer in told.data if isinstance(told.data, list) else [told.data]:  # a family answers for its members
            mine = [each for each in answer["reasons"] if each["node"] == answer["node"]]
            assert (mine == []) == (answer["plan"] in ("keep", "blocked")), answer

    # --- what was said ---

    def _by_name(self) -> dict[str, dict]:
        return {each["name"]: each for each in self.said.data["nodes"]}

    def _states(self) -> dict[str, str]:
        return {name: each["plan"] for name, each in self._by_name().items()}

    def _count(self, state: str) -> int:
        return self.said.data["counts"][state]

    def _cone(self, name: str) -> set[str]:
        cone = {name}
        while more := {other for each in cone for other in self._readers(each)} - cone:
            cone |= more
        return cone


def remove(path: Path) -> None:
    """A file, a link, or a folder that may be read-only."""
    if path.is_dir() and not path.is_symlink():
        for each in (path, *path.rglob("*")):
            if each.is_dir() and not each.is_symlink():
                each.chmod(0o755)
        shutil.rmtree(path)
    else:
        path.unlink()


@contextmanager
def nothing_kept(home: Path):
    """Calls in here find no memo, no kept answer and no index, and leave none."""
    begin = Journal.__init__

    def elsewhere(self, *args, **kwargs):
        begin(self, *args, **kwargs)
        self.path = home / f"journal-{random.random()}"
        self.path.touch()  # an empty one: that there is none at all would be told

    with (
        patch("desk.memo.replay", lambda _: None),
        patch("zyc.memo.save", lambda *_, **__: None),
        patch.object(front, "Kept", lambda context="", _="": Kept(context)),
        patch("zyc.verbs.save_kept", lambda _: None),
        patch.object(Journal, "__init__", elsewhere),
    ):
        yield
    for path in home.glob("journal-*"):
        path.unlink()


COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True}


def walk(examples, steps, **more):
    """Walk as many projects through as many changes."""
    run_state_machine_as_test(Mill, settings=settings(max_examples=examples, stateful_step_count=steps, **COMMON, **more))


def test_what_is_kept_never_shows():
    """After every change to specs, files, templates, environment and store a plan is what it would be with nothing kept."""
    walk(4, 12, derandomize=True)


@pytest.mark.torture
def test_what_is_kept_never_shows_on_long_ways():
    """The same over many projects and many more changes, others each time."""
    walk(40, 30, database=None, phases=[Phase.generate])


@pytest.mark.torture
def test_what_is_kept_never_shows_however_long_the_way():
    """The same over thousands of changes."""
    walk(300, 50, database=None, phases=[Phase.generate])
