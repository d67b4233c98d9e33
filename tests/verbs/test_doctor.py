"""`zyc doctor` and llama.cpp: what is here, what it would take, and how to have it before it is needed."""

import errno
import json
import os
import subprocess
import sys

from zyc.place.doctor import llama_home
from zyc.world import World


def finding(desk, **environ):
    """What it says of llama.cpp."""
    (told,) = (each for each in desk.zyc("doctor", "--json", **environ).data if each["name"] == "llama.cpp")
    return told


def looked(desk):
    """What the toolchain's own program says on this desk."""
    done = subprocess.run(
        [sys.executable, llama_home(), "look"], env=desk.process_environ(), capture_output=True, check=True, text=True
    )
    return json.loads(done.stdout)


def test_what_is_not_here_yet_is_told_with_its_time_and_command(bare):
    """A machine without llama.cpp is told how many minutes it takes once, and that no build needs it before."""
    told = finding(bare)
    assert (told["fine"], told["needed"], told["mend"]) == (False, False, "zyc doctor --build")
    assert told["says"].startswith("not here: about ")
    assert bare.zyc("doctor").code == 0


def test_each_stage_is_told(bare):
    """The source, which conversions need, and the build are told apart."""
    place = bare.root / "place"
    source = place / f"llama-cpp-{looked(bare)['version']}-source"
    source.mkdir(parents=True)
    assert finding(bare, ZYC_TOOLCHAIN=str(place))["says"].startswith("its source is here: about ")
    code = (
        f"import sys; sys.path.insert(0, {str(llama_home().parent)!r}); import llama_home; print(llama_home.build_folder().name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (place / done.stdout.strip()).mkdir()
    told = finding(bare, ZYC_TOOLCHAIN=str(place))
    assert (told["fine"], told["says"]) == (True, f"{looked(bare)['version']}, built for this machine")


def test_a_build_that_cannot_be_made_ends_with_1(bare):
    """`--build` on a machine without a compiler says what is missing, and ends with 1."""
    (bare.root / "empty").mkdir()
    done = bare.shell("PATH=$PWD/empty " + f"{sys.executable} -m zyc doctor --build")
    assert done.code == 1
    assert "this machine has no cmake and no c++" in done.err


def test_a_folder_that_one_may_not_write_to_is_no_matter_of_disks(desk, monkeypatch):
    """Who is refused is told to look at whose it is; a file system that cannot do it is another matter."""
    for code, words in ((errno.EACCES, "ls -ld"), (errno.EOPNOTSUPP, "move the project to a local disk")):

        def refuses(*_, code=code, **__):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(World, "symlink", refuses)
        (told,) = (each for each in desk.zyc("doctor", "--json").data if each["name"] == "file system")
        assert (told["fine"], words in told["mend"]) == (False, True)
