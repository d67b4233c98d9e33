"""Makes the store beside it, of the format `zyc-store 1`: two members and what collects them, with traces and roots.

It was run once, by the zyc that wrote that format first, and is kept to show what is in the store. Another format gets a
folder of its own; this one must open for as long as its format is known.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from zyc.keeping.store import Store
from zyc.keeping.traces import Roots
from zyc.world import World

HERE = Path(__file__).parent


def main() -> None:
    """Build, and keep what is not made again by looking at it."""
    with tempfile.TemporaryDirectory() as there:
        project = Path(there)
        (project / "specs").mkdir()
        shutil.copy(HERE / "mill.yml", project / "specs")
        for words in (["build"], ["build", "--twin"]):
            subprocess.run([sys.executable, "-m", "zyc", *words], cwd=project, check=True)
        shutil.copytree(project / "artifacts" / "store", HERE / "store", symlinks=True)
        for name in ("journal.sqlite", "locks", "tmp", "roots"):
            World().remove_tree(HERE / "store" / name)
        store = Store.open(World(), HERE / "store")
        for twin in (False, True):
            last = Roots(Store(World(), project / "artifacts" / "store"), project, twin=twin).all()
            for node, key in last.items():
                Roots(store, "/mill", twin=twin).set(node, key)
        World().thaw(HERE / "store")  # as a checkout has it: no mode of a store is trusted
        World().remove_tree(project / "artifacts")
    os.sync()


if __name__ == "__main__":
    main()
