"""`why` names the very file that moved, in folders and globs too."""

from zyc.planning.why import reasons


def _told(workshop):
    front = workshop.front()
    return [str(each) for each in reasons(front.plan, "rows", front.read_trace)]


def _project(workshop, path):
    workshop.write("data/a.csv", "1\n")
    workshop.write("data/b.csv", "2\n")
    workshop.spec(f"steps:\n  rows: {{files: {{rows: '{path}'}}, run: cat in/rows/*.csv > out/all}}\n")
    workshop.build()


def test_each_file_of_a_glob_is_told(workshop):
    """A new one, a changed one and one that is gone, each by its name."""
    _project(workshop, "data/*.csv")
    workshop.write("data/a.csv", "3\n")
    (workshop.root / "data/b.csv").unlink()
    workshop.write("data/c.csv", "4\n")
    assert _told(workshop) == ["the file `data/a.csv` changed", "the file `data/b.csv` is gone", "the file `data/c.csv` is new"]


def test_each_file_of_a_folder_is_told(workshop):
    """A folder is as good as a glob."""
    _project(workshop, "data")
    workshop.write("data/b.csv", "5\n")
    assert _told(workshop) == ["the file `data/b.csv` changed"]


def test_a_changed_command_does_not_name_files(workshop):
    """What did not move is not told."""
    _project(workshop, "data/*.csv")
    workshop.spec("steps:\n  rows: {files: {rows: 'data/*.csv'}, run: sort in/rows/*.csv > out/all}\n")
    assert _told(workshop) == ["`run` cat in/rows/*.csv > out/all -> sort in/rows/*.csv > out/all"]
