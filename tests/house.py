"""A store with results in it and a project that has some of them, without a spec or a step."""

from pathlib import Path

from faulty import Quick

from zyc.keeping.store import Store
from zyc.keeping.traces import Roots, Trace, Traces
from zyc.place.project import Project


def digest(number: int) -> str:
    """A key that is easy to see."""
    return f"{number:064x}"


class House:
    """A project, its store, and what is in it."""

    def __init__(self, root: Path, *, links: bool = False) -> None:
        self.links = links
        self.root = root
        (root / "specs").mkdir(parents=True)
        self.world = Quick()
        self.project = Project(root)
        self.store = Store.open(self.world, self.project.store)
        self.traces = Traces(self.store)

    def result(self, number: int, *inputs: str, node: str = "", seconds: float = 1.0, where: Path | None = None) -> str:
        """A result, its trace, and the node that has it as its last one."""
        out = self.root / f"out{number}"
        out.mkdir()
        (out / "file").write_text(f"{number}" * 5_000)
        tree = self.store.publish(out)
        told = {f"in/{at}": ("", each) for at, each in enumerate(inputs)}
        trace = Trace(digest(number), "step", tree.digest, tree.bytes, inputs=told, seconds=seconds)
        self.traces.write(trace)
        if node:
            Roots(self.store, where or self.root).set(node, digest(number))
            if self.links:
                self.store.expose(self.project.link(node), tree.digest)
        return tree.digest

    def whole(self) -> bool:
        """Whether every tree is what its name says, and every group leads to trees that are here."""
        return all(
            self.store.recheck(tree) and all(self.store.has(each) for each in self.store.members(tree))
            for tree in self.store.present()
        )
