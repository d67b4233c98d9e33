"""What the tests of a kind may use: golden files."""

from pathlib import Path

import pytest
from golden import Rendering, files_of


@pytest.fixture
def golden(snapshot):
    """Hold the rendered files of a node, or some files, against the golden ones: `golden(workshop.front(), "my-page")`."""
    page = snapshot.use_extension(Rendering)

    def same(front, name="", under=""):
        files = front if isinstance(front, dict) else files_of(front, name)
        for path, text in files.items():
            assert text == page(name=f"{under}{path}")
        home = Path(Rendering.get_location(test_location=page.test_location, index=under))
        left = [path for path in home.rglob("*") if path.is_file() and str(path.relative_to(home)) not in files]
        if not page.update_snapshots:
            assert left == [], "nobody renders these any more"
        for path in left:
            path.unlink()

    return same
