"""A project in a temporary folder: write specs, plan them, build them, all in this process."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from faulty import Quick

from zyc import kinds
from zyc.errors import ZycError
from zyc.front import Call, Front, open_front, save_kept
from zyc.place.project import Project
from zyc.planning.plan import Plan
from zyc.preflight import hindrances
from zyc.runner import Build, Ending, Options

TEXT = """
anna an ann nana banana ban bananas cabana cab cabs scab scabs cannas canna can cans scan scans bans nab nabs
sac sacs sanac casa basan bassa nasca ana anas baa baas aba abas abba abbas babas baba caba cabas nacsa sabba
"""
WORDS = TEXT.split()
KEPT = (kinds.stems, kinds.load, kinds.label, kinds.section_stem, kinds.coercions, kinds.templates_of)


@contextmanager
def beside(folder: Path) -> Iterator[None]:
    """The kinds of a folder beside the built-in ones."""
    kinds.__path__.append(str(folder))
    _forget()
    try:
        yield
    finally:
        kinds.__path__.remove(str(folder))
        _forget()


def _forget() -> None:
    for each in KEPT:
        each.cache_clear()


class Workshop:
    """One project and what a person does in it."""

    EXAMPLE = Path(__file__).parent

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("data/words.txt", "\n".join(WORDS) + "\n")
        self.card("data/card.json")
        (root / "specs").mkdir(parents=True, exist_ok=True)

    def write(self, path: str, text: str) -> None:
        """A file of the user's."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def card(self, path: str, **facts: object) -> None:
        """The card of a corpus."""
        self.write(path, json.dumps({"words": len(WORDS), "alphabet": "abcns", "licence": "cc0-1.0", **facts}))

    def spec(self, text: str, name: str = "letters") -> None:
        """A spec file; its first line is written here."""
        self.write(f"specs/{name}.yml", f"zyc: 1\n{text}")

    def front(self, *select: str, **call: object) -> Front:
        """The front half of a call."""
        return open_front(Quick(), self.root, Call(select, **call))

    def plan(self, *select: str, **call: object) -> Plan:
        """What would happen; the answers are kept for the next call, as the verbs do it."""
        front = self.front(*select, **call)
        plan = front.plan
        save_kept(front)
        return plan

    def build(self, *select: str, **call: object) -> Mapping[str, Ending]:
        """Build it, and what happened; a call that cannot start is an error."""
        front = self.front(*select, **call)
        problems = hindrances(front, front.plan)
        if problems:
            raise ZycError(problems)
        endings = Build(front, front.plan, lambda _: None, options=Options(keep_going=True)).run()
        save_kept(front)
        return endings

    @property
    def project(self) -> Project:
        """Where its things are."""
        return Project(self.root)

    def tree(self, node: str, *, twin: bool = False) -> Path:
        """What a node left."""
        return self.project.link(node, twin=twin)

    def problems(self, *select: str, **call: object) -> list[tuple[str, str, dict[str, object]]]:
        """What is wrong: place, code and facts of each problem; the wording has tests of its own."""
        try:
            self.plan(*select, **call)
        except ZycError as error:
            return [(str(each.spans[0]).partition("/")[2], each.code, dict(each.facts)) for each in error.problems]
        return []
