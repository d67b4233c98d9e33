"""llama.cpp at the exact version of its Python bindings: its source and its build are there whole, or not at all.

One folder per version for the source, one per version and class of machine for the build, both below `~/.cache/zyc/toolchain`
(`ZYC_TOOLCHAIN` names another place). Standard library only: `python llama_home.py build` makes both ahead of time.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TextIO

Tell = Callable[[str], object]  # takes a line for the log

PACKAGE = "llama-cpp-python"
VERSION = "0.3.36"
DIGESTS = {"0.3.36": "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"}
TOOLS = ("llama-server", "llama-imatrix", "llama-perplexity", "llama-gguf-split", "llama-bench", "llama-quantize")
PROGRAMS = {"cmake": ("cmake",), "c++": ("c++", "g++", "clang++")}
SECONDS = 400  # of processor time that a build takes
OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DCMAKE_BUILD_RPATH_USE_ORIGIN=ON",  # the programs find their libraries wherever the folder is moved
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
)
# Most files are read by the compiler a dozen at a time, since their headers cost more than they do, and optimized little: the
# build takes two thirds of the time, and a token none longer. Tensors, and what walks through a whole vocabulary, a text or a
# cache for each token, are compiled as llama.cpp says.
SWIFT = """\
function(zyc_swift)
  set(joined llama llama-common mtmd server-context llama-server-impl)
  foreach(target ${joined} cpp-httplib llama-bench-impl llama-imatrix)
    if(NOT TARGET ${target})
      return()
    endif()
    target_compile_options(${target} PRIVATE -O1)
  endforeach()
  set_target_properties(${joined} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)

  file(GLOB core ${CMAKE_SOURCE_DIR}/src/llama*.cpp)
  set_source_files_properties(${core} TARGET_DIRECTORY llama PROPERTIES SKIP_UNITY_BUILD_INCLUSION OFF)
  foreach(file common/json tools/mtmd/mtmd-helper tools/mtmd/mtmd-helper-gen)  # they say that they stand alone
    set_source_files_properties(${CMAKE_SOURCE_DIR}/${file}.cpp TARGET_DIRECTORY llama-common mtmd
                                PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endforeach()
  foreach(file common/sampling src/llama-context src/llama-grammar src/llama-kv-cache src/llama-quant src/llama-sampler
               src/llama-vocab src/unicode)
    set_source_files_properties(${CMAKE_SOURCE_DIR}/${file}.cpp TARGET_DIRECTORY llama llama-common
                                PROPERTIES COMPILE_OPTIONS -O3)
  endforeach()
endfunction()
if(CMAKE_CURRENT_SOURCE_DIR STREQUAL CMAKE_SOURCE_DIR AND CMAKE_VERSION VERSION_GREATER_EQUAL 3.19)
  cmake_language(DEFER CALL zyc_swift)
endif()
"""
NOT_NEEDED = re.compile(r"(docs|media|tests|benches)/|models/.*\.gguf$")
# what llama.cpp compiles for when the processor has it
FEATURES = re.compile(r"sse4_2|avx\w*|fma|f16c|bmi2|amx\w*|asimd\w*|sve\w*|i8mm|bf16|fphp|sme\w*")


class Unavailable(Exception):
    """Why llama.cpp cannot be had here, and the next step."""

    def __init__(self, says: str, help_: str = "") -> None:
        super().__init__(f"{says}\nhelp: {help_}" if help_ else says)
        self.says, self.help = says, help_


def home() -> Path:
    """Where toolchains are kept on this machine."""
    if os.environ.get("ZYC_TOOLCHAIN"):
        return Path(os.environ["ZYC_TOOLCHAIN"]).absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).absolute() / "zyc" / "toolchain"


def machine_class() -> str:
    """What a build is good for: system, architecture, C library and what the processor can do."""
    libc = "".join(platform.libc_ver()).replace("glibc", "glibc-")
    words = [platform.system().lower(), platform.machine(), libc, hashlib.sha256(_processor().encode()).hexdigest()[:8]]
    return "-".join(each for each in words if each)


def _processor() -> str:
    """The features that a build is made for, in one line; where they cannot be read, the processor's name."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("flags", "Features"):
                return " ".join(sorted(each for each in value.split() if FEATURES.fullmatch(each)))
    with contextlib.suppress(OSError):
        done = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False)
        return done.stdout.strip()
    return platform.processor()


def source_folder(version: str = VERSION) -> Path:
    """Where the source of a version is, or will be."""
    return home() / f"llama-cpp-{version}-source"


def build_folder(version: str = VERSION) -> Path:
    """Where the build of a version for this machine is, or will be."""
    return home() / f"llama-cpp-{version}-{machine_class()}"


def lacks() -> list[str]:
    """The programs that a build needs and this machine has not."""
    return [name for name, ways in PROGRAMS.items() if not any(map(shutil.which, ways))]


def look(version: str = VERSION) -> dict[str, object]:
    """What is here, for a person to read."""
    built, note = build_folder(version), {}
    with contextlib.suppress(OSError, ValueError):
        note = json.loads((built / "built.json").read_text())
    return {
        "version": version,
        "home": str(home()),
        "source": source_folder(version).is_dir(),
        "build": built.is_dir(),
        "took": note.get("seconds"),
        "lacks": lacks(),
        "seconds": round(SECONDS / _cores()),
    }


# --- the two stages ---


def source(version: str = VERSION, tell: Tell = print) -> Path:
    """The folder of llama.cpp's source, fetched if it is not here: all that a conversion needs."""
    folder = source_folder(version)
    if folder.is_dir():
        return folder
    with _lock(f"source-{version}", tell):
        if folder.is_dir():  # somebody else fetched it while we waited
            return folder
        work = _fresh(home() / f".fetching-{version}")
        package = _package(version, work, tell)
        tell(f"llama.cpp {version}: unpacking")
        _unpack(package, work / "tree")
        _publish(work / "tree", folder)
        shutil.rmtree(work)
    return folder


def build(version: str = VERSION, tell: Tell = print) -> Path:
    """The folder with the tools and libraries of llama.cpp in its `bin`, built if it is not here."""
    folder = build_folder(version)
    if folder.is_dir():
        return folder
    missing = lacks()
    if missing:
        raise Unavailable(f"llama.cpp cannot be built: this machine has no {' and no '.join(missing)}", _install(missing))
    tree = source(version, tell)
    with _lock(f"build-{folder.name}", tell) as lock:
        if folder.is_dir():
            return folder
        # one that was cut short goes on where it was, if it is made by the same program
        work = home() / f".building-{folder.name}-{_maker()}"
        work.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        _compile(tree, work, lock, tell)
        ready = _fresh(home() / f".ready-{folder.name}")
        _collect(work / "bin", ready / "bin")
        note = {"version": version, "class": machine_class(), "seconds": round(time.monotonic() - began)}
        (ready / "built.json").write_text(json.dumps(note, indent=2) + "\n")
        _publish(ready, folder)
        shutil.rmtree(work)
        tell(f"llama.cpp {version}: built in {note['seconds']} s")
    return folder


def bindings(version: str = VERSION, tell: Tell = print) -> ModuleType:
    """The module `llama_cpp` on the libraries of the build, which come from the very source that converts."""
    from importlib import metadata

    try:
        here = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        here = None
    if here != version:
        raise Unavailable(f"{PACKAGE} {version} is needed, and {here or 'none'} is installed", bindings_command(version))
    if "llama_cpp" not in sys.modules:
        os.environ["LLAMA_CPP_LIB_PATH"] = str(build(version, tell) / "bin")
    import llama_cpp

    return llama_cpp


def bindings_command(version: str = VERSION) -> str:
    """How the bindings are installed without a second build of llama.cpp."""
    return (
        f'CMAKE_ARGS="-DLLAMA_BUILD=OFF -DLLAVA_BUILD=OFF" pip install --no-binary {PACKAGE} {PACKAGE}=={version}'
        f"  (zyc builds the libraries: `zyc doctor --build`)"
    )


# --- how ---


@contextlib.contextmanager
def _lock(name: str, tell: Tell) -> Iterator[int]:
    """One process at a time; whoever it starts holds the lock too, so a killed one leaves no second writer."""
    try:
        home().mkdir(parents=True, exist_ok=True)
        descriptor = os.open(home() / f".{name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise Unavailable(f"{home()} cannot be written: {error.strerror}", "set ZYC_TOOLCHAIN to a folder of yours") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            tell("llama.cpp: another process is making it; waiting")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _publish(work: Path, folder: Path) -> None:
    """Make a folder be there, whole."""
    descriptor = os.open(work, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    work.rename(folder)  # rename last: others may look at any moment


def _package(version: str, work: Path, tell: Tell) -> Path:
    """The source package, from beside the toolchains if a person put it there, else by pip; its digest is that of ours."""
    name = f"llama_cpp_python-{version}.tar.gz"
    by_hand = home() / name
    if by_hand.is_file():
        _verify(by_hand, version)
        return by_hand
    tell(f"llama.cpp {version}: fetching its source")
    wanted = work / "wanted.txt"
    known = f" --hash=sha256:{DIGESTS[version]}" if version in DIGESTS else ""
    wanted.write_text(f"{PACKAGE}=={version}{known}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command = [*pip, "--no-binary", PACKAGE, "--dest", str(work), "--requirement", str(wanted)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        raise Unavailable(
            f"the source package of {PACKAGE} {version} could not be fetched",
            f"put {name} into {home()} by hand, or let pip reach a package index",
        )
    _verify(work / name, version)
    return work / name


def _verify(package: Path, version: str) -> None:
    """A package that is not the one that was tested goes no further; one of another version was held against its index by pip."""
    if version not in DIGESTS:
        return
    with package.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != DIGESTS[version]:
        raise Unavailable(
            f"{package.name} is not the package that zyc was tested with: its sha256 is {found}, not {DIGESTS[version]}",
            f"remove {package} and fetch it anew",
        )


def _unpack(package: Path, folder: Path) -> None:
    """The tree of llama.cpp out of the package, without what neither converts nor compiles."""
    folder.mkdir()
    with tarfile.open(package) as archive:
        for member in archive:
            _, found, path = member.name.partition("/vendor/llama.cpp/")
            if found and not NOT_NEEDED.match(path):
                member.name = path
                archive.extract(member, folder, filter="data")
    if not (folder / "CMakeLists.txt").is_file():
        raise Unavailable(f"{package.name} holds no llama.cpp", f"remove {package} and fetch it anew")


def _compile(tree: Path, work: Path, lock: int, tell: Tell) -> None:
    """Configure and compile, saying how far it is; the whole output is kept until it has worked."""
    generator = ["-G", "Ninja"] if _maker() == "ninja" else []
    configure = ["cmake", *generator, "-S", str(tree), "-B", str(work), *OPTIONS]
    make = ["cmake", "--build", str(work), "--parallel", str(_cores()), "--target", *TOOLS]
    swift = work / "swift.cmake"
    tell(f"llama.cpp: building it once for this machine, about {max(1, round(SECONDS / _cores() / 60))} min")
    with (work / "build.log").open("w") as kept:
        for way in (SWIFT, ""):
            swift.write_text(way)
            try:
                _run([*configure, f"-DCMAKE_PROJECT_INCLUDE={swift}"], kept, lock, tell)
                _run(make, kept, lock, tell)
            except Unavailable:  # another version, or a compiler that takes offence
                if not way:
                    raise
                tell("llama.cpp: the short way failed; once more, each file by itself")
            else:
                return


def _run(command: list[str], kept: TextIO, lock: int, tell: Tell) -> None:
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    told = time.monotonic()
    with subprocess.Popen(command, pass_fds=(lock,), **pipe) as step:
        for line in step.stdout:
            kept.write(line)
            far = re.match(r"\[\s*(\d+/\d+|\d+%)\]", line)
            if far and time.monotonic() - told > 10:
                told = time.monotonic()
                tell(f"llama.cpp: {far[1].replace('/', ' of ')}")
    if step.returncode:
        kept.flush()
        last = "".join(Path(kept.name).read_text().splitlines(keepends=True)[-30:])
        print(last, file=sys.stderr)
        raise Unavailable(f"`{' '.join(command[:2])}` of llama.cpp failed", f"the whole output is in {kept.name}")


def _collect(made: Path, folder: Path) -> None:
    """The programs and libraries out of the build tree, links as links."""
    folder.mkdir()
    for path in sorted(made.iterdir()):
        if path.name in TOOLS or re.search(r"\.(so|dylib|metal|metallib)(\.|$)", path.name):
            shutil.copy2(path, folder / path.name, follow_symlinks=False)
    missing = [each for each in TOOLS if not (folder / each).is_file()]
    if missing:
        raise Unavailable(f"the build of llama.cpp made no {', '.join(missing)}", f"remove {made.parent} and try again")


def _maker() -> str:
    return "ninja" if shutil.which("ninja") else "make"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _install(missing: list[str]) -> str:
    if sys.platform == "darwin":
        return "xcode-select --install" if missing == ["c++"] else "brew install cmake"
    return f"apt install {' '.join({'c++': 'g++'}.get(each, each) for each in missing)}"


def main() -> None:
    """`look` tells what is here as JSON, `source` and `build` make it be here and print where."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=("look", "source", "build"))
    parser.add_argument("--version", default=VERSION)
    told = parser.parse_args()
    try:
        if told.stage == "look":
            print(json.dumps(look(told.version)))
        else:
            print({"source": source, "build": build}[told.stage](told.version, lambda text: print(text, file=sys.stderr)))
    except Unavailable as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
