"""Hosts: a step folder runs by itself, sees what it is given, and tells no secret."""

import os
import signal
import sys
from pathlib import Path

import pytest

from zyc.hosts import local
from zyc.world import World

WORLD = World()
BIN = str(Path(sys.executable).parent)


def step(folder: Path, script: str) -> Path:
    """A step folder with this run.sh."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.sh").write_text(script)
    return folder


def test_a_step_runs_in_its_folder_with_exactly_its_environment(tmp_path):
    """Only what is given, a TMPDIR of its own, and what bash itself sets."""
    folder = step(tmp_path / "step", "pwd\ntest -d $TMPDIR\nenv | cut -d= -f1 | sort\n")
    outcome = local.run(WORLD, folder, env={"PATH": os.environ["PATH"], "ZYC_VARS_EPOCHS": "3"})
    where, *names = (folder / "log.txt").read_text().split()
    assert outcome.code == 0
    assert where == str(folder.resolve())
    assert set(names) - {"PWD", "SHLVL", "_", "OLDPWD", "__CF_USER_TEXT_ENCODING"} == {"PATH", "TMPDIR", "ZYC_VARS_EPOCHS"}


def test_the_outcome_says_how_it_went(tmp_path):
    """The exit code of the script, its time, its memory; lines are told as they come."""
    lines: list[str] = []
    outcome = local.run(WORLD, step(tmp_path, "echo one; echo two; exit 5\n"), env=dict(os.environ), on_line=lines.append)
    assert (outcome.code, lines) == (5, ["one", "two"])
    assert outcome.seconds > 0
    assert outcome.peak_memory == 0  # a shell stays below our own size, which hides it


def test_secrets_stay_out_of_the_log(tmp_path):
    """A step may print what it must not: the log has stars."""
    local.run(WORLD, step(tmp_path, "echo key is $KEY\n"), env={**os.environ, "KEY": "hf_secret"}, secrets=("hf_secret",))
    assert (tmp_path / "log.txt").read_text() == "key is ***\n"


def test_the_step_holds_the_lock_of_its_key(tmp_path):
    """The descriptor that it is given is open in it."""
    with WORLD.lock(tmp_path / "lock") as lock:
        folder = step(tmp_path / "step", f"test -e /dev/fd/{lock.descriptor} && echo held\n")
        local.run(WORLD, folder, env=dict(os.environ), pass_descriptors=[lock.descriptor])
        assert (folder / "log.txt").read_text() == "held\n"


@pytest.mark.parametrize("depth", [0, 12])
def test_the_temporary_folder_is_the_steps_own_and_short_enough_for_a_socket(tmp_path, depth):
    """However long the path of a step, its workers can talk; what they leave is on the step's disk, and gone after."""
    socket = "os.environ['TMPDIR'] + '/pymp-12345678/listener-12345678'"
    worker = f"import socket, os; s = socket.socket(socket.AF_UNIX); s.bind({socket})"
    script = f'mkdir "$TMPDIR/pymp-12345678"\n{sys.executable} -c "{worker}"\nls tmp; echo $TMPDIR\n'
    folder = step(tmp_path.joinpath(*["a long name"] * depth), script)
    (folder / "tmp").mkdir()
    (folder / "tmp" / "of an older attempt").touch()
    assert local.run(WORLD, folder, env=dict(os.environ)).code == 0
    inside, temporary = (folder / "log.txt").read_text().split()
    assert inside == "pymp-12345678"
    assert not os.path.lexists(temporary)
    assert not (folder / "tmp").exists()
    assert not Path(temporary).parent.exists() or Path(temporary).parent == folder


def test_an_interrupted_step_is_over_and_cleaned(tmp_path):
    """Ctrl-C passes through the host, after the step has ended."""

    def on_line(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local.run(WORLD, step(tmp_path, "echo ready; sleep 60\n"), env=dict(os.environ), on_line=on_line)
    assert not (tmp_path / "tmp").exists()


def test_a_killed_step_says_so(tmp_path):
    """A negative code is the signal."""
    assert local.run(WORLD, step(tmp_path, "kill -9 $$\n"), env=dict(os.environ)).code == -signal.SIGKILL


def test_the_environment_of_steps_is_scrubbed():
    """Nothing of this machine but where programs and the home are; the same language, zone and hash seed everywhere."""

    class Here(World):
        def environ(self):
            return {
                "PATH": f"/usr/bin::relative:.:/bin:{BIN}",
                "HOME": "/home/me",
                "LC_ALL": "de_DE",
                "X": "1",
            }

    found = local.environment(Here(), {})
    assert found == {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": "/home/me",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
    }
    assert local.environment(Here(), {"HF_HUB_OFFLINE": "1", "TZ": "CET"}) == {**found, "HF_HUB_OFFLINE": "1", "TZ": "CET"}


def test_python_in_a_step_is_the_one_that_runs_zyc(tmp_path):
    """An engine installed beside zyc is found, also when zyc was called by its path."""
    local.run(WORLD, step(tmp_path, "command -v python3\n"), env=local.environment(WORLD, {}))
    assert (tmp_path / "log.txt").read_text().strip() == f"{BIN}/python3"
