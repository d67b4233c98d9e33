"""The manifests of the shipped specs are committed: a change of zyc that would build them again is seen in review."""

from pathlib import Path

from zyc.front import Call, open_front
from zyc.graph import Node
from zyc.world import World

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden" / "keys.txt"
WHY = """the keys of shipped specs moved: everybody's results would be built again.
If that is meant, say so in CHANGELOG.md and write this into tests/golden/keys.txt:

"""


def test_an_upgrade_of_zyc_builds_nothing_again():
    """The lines that a node's key is made of are those that were committed; inputs aside, whose trees are not known here."""
    front = open_front(World(), ROOT, Call())
    settled = front.settlement
    lines = [
        f"{node.name}  {label}  {digest}\n"
        for node in settled.graph.vertices.values()
        if isinstance(node, Node)
        for label, digest in settled.nodes[node.name].own
    ]
    assert "".join(lines) == GOLDEN.read_text(encoding="utf-8"), WHY + "".join(lines)
