"""Golden recipes: what is rendered, each file under its own name and ending, to be read in review like any script."""

from pathlib import Path

from syrupy.data import Snapshot, SnapshotCollection
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode


class Rendering(SingleFileSnapshotExtension):
    """`test_plain` in `test_step.py` has its files below `golden/step/plain/`, by the path that the assertion names."""

    file_extension = ""
    _write_mode = WriteMode.TEXT

    @classmethod
    def dirname(cls, *, test_location):
        """The golden folder of a test file."""
        home = Path(test_location.filepath)
        return str(home.parent / "golden" / home.stem.removeprefix("test_"))

    @classmethod
    def get_snapshot_name(cls, *, test_location, index=0):  # noqa: ARG003  # its signature is syrupy's
        """A test has one rendering, of many files."""
        return test_location.snapshot_name

    @classmethod
    def get_location(cls, *, test_location, index):
        """Where one of the files stands."""
        case = test_location.snapshot_name.removeprefix("test_")
        return str(Path(cls.dirname(test_location=test_location), case, str(index)))

    @classmethod
    def matches_test_location(cls, *, test_location, snapshot_location):
        """The files of a test file are those of its folder."""
        return Path(snapshot_location).is_relative_to(cls.dirname(test_location=test_location))

    def is_snapshot_location(self, *, location):
        """Whatever stands there is golden."""
        return True

    def owns_snapshot_collection(self, *, filepath, test_location):
        """The folder holds nothing else."""
        return True

    def read_snapshot_collection(self, *, snapshot_location):
        """The name that the test had that wrote the file."""
        collection = SnapshotCollection(location=snapshot_location)
        below = snapshot_location.partition("/golden/")[2].split("/")
        collection.add(Snapshot(name=f"test_{below[1]}"))
        return collection


def files_of(front, name):
    """What decides how a node runs, by path: its recipe and its placement."""
    files = front.settlement.rendered(front.graph.vertices[name]).files()
    return {path: text for path, text in files.items() if path.startswith(("recipe/", "placement/"))}
