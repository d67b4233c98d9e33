"""The toolchain of llama.cpp: whole or not there, verified, made once whoever asks; tried on a tiny package of the same form."""

import fcntl
import hashlib
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

MODULE = Path(__file__).parent.parent / "templates/lib/llama_home.py"
# a llama.cpp that needs no compiler: each tool is a file that says its name; the last one is as slow as TIME says
CMAKE = """
cmake_minimum_required(VERSION 3.18)
project(tiny NONE)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
foreach(tool llama-server llama-imatrix llama-perplexity llama-gguf-split llama-bench llama-quantize)
  add_custom_target(${tool} COMMAND sh ${CMAKE_SOURCE_DIR}/make.sh ${CMAKE_BINARY_DIR}/bin/${tool})
endforeach()
"""
MAKE = """
echo made >> "$TINY_COUNT"
[ -z "$TINY_FAILS" ] || exit 1
[ -z "$TINY_OFFENCE" ] || [ ! -s "${1%/*}/../swift.cmake" ] || exit 1
sleep "${TINY_SLEEP:-0}"
echo tool > "$1"
ln -sf libtiny.so.1 "${1%/*}/libtiny.so"
echo library > "${1%/*}/libtiny.so.1"
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The module with a toolchain folder of its own, and a package beside it that has the right digest."""
    monkeypatch.setenv("ZYC_TOOLCHAIN", str(tmp_path / "toolchain"))
    monkeypatch.setenv("TINY_COUNT", str(tmp_path / "count"))
    told = importlib.util.spec_from_file_location("llama_home", MODULE)
    module = importlib.util.module_from_spec(told)
    told.loader.exec_module(module)
    package = put(tmp_path / "toolchain" / f"llama_cpp_python-{module.VERSION}.tar.gz")
    monkeypatch.setitem(module.DIGESTS, module.VERSION, hashlib.sha256(package.read_bytes()).hexdigest())
    return module


def put(path, **files):
    """A source package with a tiny llama.cpp in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    below = "llama_cpp_python-0/vendor/llama.cpp"
    files = {"CMakeLists.txt": CMAKE, "make.sh": MAKE, "docs/read.md": "long", "models/vocab.gguf": "long", **files}
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"{below}/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def made(tmp_path):
    """How many tools were compiled."""
    count = tmp_path / "count"
    return len(count.read_text().splitlines()) if count.exists() else 0


def in_another_process(home, *words, **environ):
    """The module as a program, with the digest of the tiny package."""
    code = f"import sys; sys.path.insert(0, {str(MODULE.parent)!r}); import llama_home as home; "
    code += f"home.DIGESTS = {home.DIGESTS!r}; home.main()"
    env = {**os.environ, **environ}
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_a_build_is_made_once_and_holds_the_tools_and_libraries(home, tmp_path):
    """Tools and libraries stand in `bin`, links as links; a second call compiles nothing; nothing else is left lying about."""
    told = []
    folder = home.build(tell=told.append)
    assert {each.name for each in (folder / "bin").iterdir()} == {*home.TOOLS, "libtiny.so", "libtiny.so.1"}
    assert (folder / "bin/libtiny.so").readlink() == Path("libtiny.so.1")
    assert any("building it once" in line for line in told)
    assert made(tmp_path) == len(home.TOOLS)
    assert home.build(tell=told.append) == folder
    assert made(tmp_path) == len(home.TOOLS)
    left = {each.name for each in home.home().iterdir() if not each.name.endswith((".lock", ".gz"))}
    assert left == {folder.name, home.source_folder().name}
    assert home.look()["took"] is not None


def test_the_source_is_there_before_anything_is_compiled(home, monkeypatch):
    """A conversion needs no compiler: the source alone is fetched, without what neither converts nor compiles."""
    monkeypatch.setenv("PATH", "")
    folder = home.source(tell=lambda _: None)
    assert {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()} == {"CMakeLists.txt", "make.sh"}
    assert home.look() | {"home": "", "seconds": 0} == {
        "version": home.VERSION,
        "home": "",
        "source": True,
        "build": False,
        "took": None,
        "lacks": ["cmake", "c++"],
        "seconds": 0,
    }


def test_without_a_compiler_the_programs_are_named(home, monkeypatch):
    """What is missing is said with the command that installs it, before anything is fetched."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(home.Unavailable) as error:
        home.build(tell=lambda _: None)
    assert "no cmake and no c++" in error.value.says
    assert "install" in error.value.help
    assert not home.source_folder().exists()


def test_a_package_with_another_digest_goes_no_further(home):
    """Both digests are said, and nothing of the package is unpacked."""
    package = put(home.home() / f"llama_cpp_python-{home.VERSION}.tar.gz", extra="changed")
    found = hashlib.sha256(package.read_bytes()).hexdigest()
    with pytest.raises(home.Unavailable) as error:
        home.source(tell=lambda _: None)
    assert found in error.value.says
    assert home.DIGESTS[home.VERSION] in error.value.says
    assert not home.source_folder().exists()


def test_a_package_that_holds_something_else_is_no_toolchain(home, monkeypatch):
    """A package without llama.cpp is refused, and no empty folder is left in its place."""
    package = home.home() / f"llama_cpp_python-{home.VERSION}.tar.gz"
    with tarfile.open(package, "w:gz"):
        pass
    monkeypatch.setitem(home.DIGESTS, home.VERSION, hashlib.sha256(package.read_bytes()).hexdigest())
    with pytest.raises(home.Unavailable, match=r"holds no llama\.cpp"):
        home.source(tell=lambda _: None)
    assert not home.source_folder().exists()


@pytest.mark.slow
def test_a_package_index_that_cannot_be_reached_is_explained(home, monkeypatch, capfd):
    """The error names the file to put there by hand, and where; pip's own words stand before it."""
    (home.home() / f"llama_cpp_python-{home.VERSION}.tar.gz").unlink()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(home.Unavailable) as error:
        home.source(tell=lambda _: None)
    assert f"put llama_cpp_python-{home.VERSION}.tar.gz into {home.home()}" in error.value.help
    assert "ERROR" in capfd.readouterr().err
    assert not home.source_folder().exists()


def test_a_folder_that_cannot_be_written_is_explained(home, monkeypatch, tmp_path):
    """The error names the variable that moves it."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZYC_TOOLCHAIN", str(tmp_path / "file" / "below"))
    with pytest.raises(home.Unavailable, match="ZYC_TOOLCHAIN"):
        home.source(tell=lambda _: None)


@pytest.mark.slow
def test_a_build_that_fails_is_no_build_and_goes_on_later(home, tmp_path, monkeypatch, capfd):
    """The last lines and the whole log are shown; nothing is published, and the next try ends whole."""
    monkeypatch.setenv("TINY_FAILS", "1")
    with pytest.raises(home.Unavailable) as error:
        home.build(tell=lambda _: None)
    log = Path(error.value.help.split()[-1])
    assert log.is_file()
    assert capfd.readouterr().err.strip().splitlines()[-1] in log.read_text()
    assert not home.build_folder().exists()
    monkeypatch.delenv("TINY_FAILS")
    assert (home.build(tell=lambda _: None) / "bin/llama-server").is_file()


def test_a_compiler_that_takes_offence_at_the_short_way_goes_the_long_one(home, monkeypatch):
    """Files that cannot be compiled together are compiled one by one."""
    monkeypatch.setenv("TINY_OFFENCE", "1")
    told = []
    assert (home.build(tell=told.append) / "bin/llama-server").is_file()
    assert any("each file by itself" in line for line in told)


@pytest.mark.slow
def test_the_short_way_fits_the_version_that_is_pinned(tmp_path):
    """Every target and file that it names is there: files are joined, and what is hot is not."""
    spec = importlib.util.spec_from_file_location("llama_home", MODULE)
    home = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(home)
    (tmp_path / "swift.cmake").write_text(home.SWIFT)
    configure = ["cmake", "-S", str(home.source()), "-B", str(tmp_path), *home.OPTIONS]
    subprocess.run([*configure, f"-DCMAKE_PROJECT_INCLUDE={tmp_path}/swift.cmake"], check=True, capture_output=True)
    commands = {each["file"]: each["command"] for each in json.loads((tmp_path / "compile_commands.json").read_text())}
    for target in ("llama", "llama-common", "mtmd", "server-context", "llama-server-impl"):
        assert any(f"/{target}.dir/Unity/" in file for file in commands)
    for name in ("common/sampling", *(f"src/llama-{each}" for each in ("sampler", "vocab", "kv-cache", "grammar"))):
        (command,) = [command for file, command in commands.items() if file.endswith(f"/{name}.cpp")]
        assert command.rindex("-O3") > command.rindex("-O1")


@pytest.mark.slow
def test_two_who_ask_at_once_make_it_once(home, tmp_path):
    """The second waits, says so, and takes what the first one made."""
    both = [in_another_process(home, "build", TINY_SLEEP="0.2") for _ in range(2)]
    told = [each.communicate(timeout=60) for each in both]
    assert [each.returncode for each in both] == [0, 0], told
    assert {out.strip() for out, _ in told} == {str(home.build_folder())}
    assert made(tmp_path) == len(home.TOOLS)
    assert sum("waiting" in err for _, err in told) >= 1


@pytest.mark.slow
def test_a_builder_that_is_killed_leaves_no_second_writer(home, tmp_path):
    """While what a killed builder had started still runs, its lock is held; then the next one ends whole."""
    first = in_another_process(home, "build", TINY_SLEEP="2")
    until = time.monotonic() + 30
    while made(tmp_path) == 0 and time.monotonic() < until:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    lock = home.home() / f".build-{home.build_folder().name}.lock"
    with lock.open("r+") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not home.build_folder().exists()
    assert (home.build(tell=lambda _: None) / "bin/llama-server").is_file()


def test_a_build_is_for_a_class_of_machines(home, monkeypatch):
    """Another processor has another folder; the same one always the same."""
    here = home.build_folder()
    assert home.build_folder() == here
    monkeypatch.setattr(home, "_processor", lambda: "avx2 fma")
    assert home.build_folder() != here
    assert home.source_folder() == home.home() / f"llama-cpp-{home.VERSION}-source"


def test_bindings_of_another_version_are_refused_with_the_command(home):
    """The command installs the bindings without compiling llama.cpp a second time."""
    with pytest.raises(home.Unavailable) as error:
        home.bindings("0.0.1")
    assert "llama-cpp-python==0.0.1" in error.value.help
    assert "-DLLAMA_BUILD=OFF" in error.value.help


def test_the_version_is_the_one_that_is_tested():
    """The toolchain, its digest and the pin of the bindings are moved together."""
    pins = (MODULE.parent.parent.parent / "constraints.txt").read_text()
    told = json.loads(subprocess.run([sys.executable, MODULE, "look"], capture_output=True, check=True).stdout)
    assert f"llama-cpp-python=={told['version']}\n" in pins
    assert f'DIGESTS = {{"{told["version"]}"' in MODULE.read_text()
