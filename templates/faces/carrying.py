"""A step away from its project: its packages and inputs, a run that can be watched, and all that it made in one file.

Works in the folder of the step, with the standard library only; face.json beside it says what the step is.
"""

import hashlib
import io
import json
import os
import platform
import re
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

FACE = Path("face.json")
MEMORY = Path("carried.json")  # what is known of the inputs once they are here, and of the last attempt
MEMBER = re.compile(r"\.\./\.\./([0-9a-f]{2})/(\1[0-9a-f]{62})")
NOTES = ("log.txt", "events.jsonl", "history.jsonl", "answers.json", "report", "recipe")
WHERE = (".", "..", "/content", "/content/drive/MyDrive", "/kaggle/working")  # a parcel of inputs is looked for here
OTHERS = "/kaggle/input"
NOT_OURS = ("PYTHONPATH", "MPLBACKEND")  # of the notebook, not of the step
AT_ONCE = 1 << 20


class Halt(RuntimeError):
    """It cannot go on, and says what to do."""


def face():
    """What the step is."""
    return json.loads(FACE.read_text(encoding="utf-8"))


def put(files):
    """Write files byte for byte."""
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def memory():
    """What is known from earlier calls."""
    return json.loads(MEMORY.read_text(encoding="utf-8")) if MEMORY.exists() else {}


def remember(**facts):
    """Keep it for later calls."""
    fresh = MEMORY.with_suffix(".new")
    fresh.write_text(json.dumps({**memory(), **facts}), encoding="utf-8")
    fresh.replace(MEMORY)


def size(count):
    """Bytes for people."""
    return f"{count / 1e9:,.2f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count:,} B"


# --- packages ---


def lacking(pins):
    """The exact pins that this machine does not have; `2.13.0+cu128` is a build of 2.13.0, and will do."""
    told = []
    for pin in pins:
        name, _, version = pin.partition("==")
        try:
            here = metadata.version(name.partition("[")[0])
        except metadata.PackageNotFoundError:
            here = ""
        if here.partition("+")[0] != version:
            told.append(pin)
    return told


def install():
    """Install what is missing, and nothing else: what satisfies its pin is left alone."""
    pins = face()["pins"]
    missing = lacking(pins)
    if missing:
        print("installing", *missing)
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *missing], check=False)
        if done.returncode or lacking(pins):
            raise Halt(f"these could not be installed: {', '.join(lacking(pins))}")
    print(f"{len(pins)} packages as pinned")


# --- trees, named as zyc's store names them ---


def tree_digest(top):
    """The digest of a folder: names, bytes, links, what runs; no times, no owners."""
    told, filled, pending = [], set(), [""]
    while pending:
        inside = pending.pop()
        with os.scandir(Path(top, inside)) as entries:
            for entry in entries:
                path = f"{inside}/{entry.name}" if inside else entry.name
                filled.add(inside)
                told.append((path, entry))
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
    whole = hashlib.sha256(b"zyc-tree 1\0")
    for record in sorted(record_of(path, entry, path in filled) for path, entry in told):
        whole.update(b"\0".join(record) + b"\0" if record else b"")
    return whole.hexdigest()


def record_of(path, entry, filled):
    """What counts of one path."""
    name = os.fsencode(path)
    if entry.is_symlink():
        target = os.readlink(entry.path)  # noqa: PTH115  # as it is written, to the letter
        member = MEMBER.fullmatch(target)
        return (name, b"member", member[2].encode()) if member else (name, b"link", os.fsencode(target))
    if entry.is_dir(follow_symlinks=False):
        return () if filled else (name, b"folder")
    seen = entry.stat(follow_symlinks=False)
    runs = b"x" if seen.st_mode & 0o100 else b"-"
    return name, b"file", runs, str(seen.st_size).encode(), file_digest(entry.path).encode()


def file_digest(path):
    """The sha256 of a file."""
    whole = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(AT_ONCE):
            whole.update(chunk)
    return whole.hexdigest()


def place_of(tree):
    """Where a tree is kept here."""
    return Path("trees", tree[:2], tree)


def bytes_in(top):
    """How much a folder or file holds."""
    return sum(path.stat().st_size for path in Path(top).rglob("*") if path.is_file() and not path.is_symlink())


# --- inputs ---


def bring():
    """Every input at its place below in/, checked: from the parcel, or made here by its own recipe."""
    told = face()
    others = lacking(told["pins"])
    if others and os.environ.get("ZYC_PACKAGES") != "here":
        words = "where nothing can be installed, ZYC_PACKAGES=here runs it with those that are here, and what comes home says so"
        raise Halt(f"packages are missing: python -m pip install {' '.join(others)}\n  {words}")
    if others:
        print(f"with the packages that are here, not {' '.join(others)}")
    check_variables(told["variables"])
    missing = wanted(told)
    if missing:
        unpack(found(told["parcel"], missing), told)
    trees = memory().get("trees", {})
    for each in told["inputs"]:
        if each["how"] == "made here":
            trees[each["place"]] = made_here(each)
            remember(trees=trees)
        link(Path("in", each["place"]), Path("files", each["place"]) if each["how"] == "file" else place_of(tree_of(each)))
        print(f"in/{each['place']}  {each['how']}")
    remember(spent=spent(memory()), began=time.time(), stamps=stamps(told))


def spent(seen):
    """The seconds of the attempts here that state/ stands on: until their last sign."""
    signs = [path.stat().st_mtime for path in map(Path, ("exit", "log.txt")) if path.exists()]
    if "began" not in seen or not signs or not any(path.name[0] != "." for path in Path("state").glob("*")):
        return 0.0
    return seen.get("spent", 0.0) + max(0.0, max(signs) - seen["began"])


def check_variables(variables):
    """What the step reads of its environment must be there, and be what its key says."""
    for each in variables:
        value = os.environ.get(each["name"]) or from_colab(each["name"])
        if value is None:
            raise Halt(f"set the variable {each['name']} first: the step reads it")
        if each["digest"] and hashlib.sha256(value.encode()).hexdigest() != each["digest"]:
            raise Halt(f"the variable {each['name']} has another value than in the project: this would be another key")
        os.environ[each["name"]] = value


def from_colab(name):
    """A secret of the notebook's, where there is such a thing."""
    try:
        from google.colab import userdata

        return userdata.get(name)
    except Exception:  # noqa: BLE001  # there is none, or no leave to read it
        return None


def tree_of(each):
    """The tree of an input, said by the face or found here."""
    return each["tree"] or memory()["trees"][each["place"]]


def wanted(told):
    """The inputs of the parcel that are not here yet."""
    trees = [tree for each in told["inputs"] for tree in each["trees"]]
    files = [each["place"] for each in told["inputs"] if each["how"] == "file"]
    return [tree for tree in trees if not place_of(tree).exists()] + [each for each in files if not Path("files", each).exists()]


def found(parcel, missing):
    """The file with the inputs, wherever it was put."""
    nearby = [Path(each, parcel) for each in WHERE] + sorted(Path(OTHERS).glob(f"*/{parcel}"))
    for path in nearby:
        if path.is_file():
            return path
    try:
        from google.colab import files

        print(f"choose {parcel}")
        files.upload()
    except ImportError:
        pass
    if Path(parcel).is_file():
        return Path(parcel)
    raise Halt(f"{len(missing)} inputs are missing: put {parcel} beside this notebook, or upload it, and run this cell again")


def unpack(parcel, told):
    """Take the inputs out of their file; each is what its name says, or none of them is taken."""
    fresh = Path("unpacking")
    shutil.rmtree(fresh, ignore_errors=True)
    print(f"unpacking {parcel.name}, {size(parcel.stat().st_size)}")
    with tarfile.open(parcel, "r:") as tar:
        tar.extractall(fresh, filter="data")
    for tree in {tree for each in told["inputs"] for tree in each["trees"]}:
        if tree_digest(fresh / place_of(tree)) != tree:
            raise Halt(f"{parcel.name} is damaged: {tree[:12]} is not what its name says; carry it here again")
    for each in told["inputs"]:
        for path, digest in each["files"].items():
            if file_digest(fresh / path) != digest:
                raise Halt(f"{parcel.name} is damaged: {path} is not what was packed; carry it here again")
    for path in [*fresh.glob("trees/*/*"), *fresh.glob("files/*")]:
        target = path.relative_to(fresh)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            path.rename(target)
    shutil.rmtree(fresh)


def made_here(each):
    """The tree of an input that its own recipe fetches on this machine."""
    home, known = Path("fetch", each["place"]), memory().get("trees", {}).get(each["place"])
    if known and place_of(known).exists():
        return known
    print(f"fetching in/{each['place']}")
    if subprocess.run(["bash", str(home / "run.sh")], env=environment(), stdin=subprocess.DEVNULL, check=False).returncode:
        raise Halt(f"in/{each['place']} could not be fetched: its last words are above")
    tree = tree_digest(home / "out")
    if each["tree"] and tree != each["tree"]:
        raise Halt(
            f"in/{each['place']} came out as {tree[:12]} here, and as {each['tree'][:12]} in the project: pin its revision"
        )
    place_of(tree).parent.mkdir(parents=True, exist_ok=True)
    (home / "out").rename(place_of(tree))
    return tree


def link(path, target):
    """Let a path lead to what is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        path.unlink()
    path.symlink_to(os.path.relpath(target, path.parent))


def stamps(told):
    """How the inputs look: a step may only read them."""
    tops = [
        place_of(tree) for each in told["inputs"] for tree in each["trees"] or ([] if each["how"] == "file" else [tree_of(each)])
    ]
    seen = {}
    for top in [*tops, Path("files")]:
        for path in sorted(top.rglob("*")):
            if path.is_file() and not path.is_symlink():
                seen[str(path)] = [path.stat().st_size, path.stat().st_mtime_ns]
    return seen


# --- the run ---


def environment():
    """What the step sees: this machine's variables, this Python first, and what would move its result held still."""
    here = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    path = os.pathsep.join([str(Path(sys.executable).parent), here.get("PATH", os.defpath)])
    still = {"PATH": path, "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}
    settings = Path("placement/settings.json")
    cpus = json.loads(settings.read_text(encoding="utf-8")).get("cpus", 1) if settings.exists() else 1
    return {"OMP_NUM_THREADS": str(cpus), **here, **still}


def run():
    """Run the step and show how far it is; it goes on from state/ when it was cut short. Interrupt it, and it keeps a state."""
    shutil.rmtree("out", ignore_errors=True)  # what an attempt that was cut short left is no part of the result
    Path("measures.json").unlink(missing_ok=True)
    with Path("log.txt").open("ab") as log:
        child = subprocess.Popen(
            ["bash", "run.sh"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            show(child, log)
        except KeyboardInterrupt:
            os.killpg(child.pid, signal.SIGINT)
            show(child, log)
        code = child.wait()
    remember(peak_memory=peak())
    if code:
        raise Halt(f"the step ended with {code}: its last words are above; run this cell again, and it goes on from state/")


def show(child, log):
    """Pass on what the step prints, and its bar in between."""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        bar = ""
        while True:
            if selector.select(timeout=2):
                chunk = os.read(child.stdout.fileno(), AT_ONCE)
                if not chunk:
                    return
                log.write(chunk)
                sys.stdout.write(("\r\033[K" if bar else "") + chunk.decode("utf-8", "replace"))
                bar = ""
            elif bar != (bar := told_bar()):
                sys.stdout.write(f"\r\033[K{bar}")
            sys.stdout.flush()


def told_bar():
    """How far the step says it is."""
    path = Path("events.jsonl")
    try:
        last = json.loads(path.read_bytes()[-4096:].splitlines()[-1])
        done = int(24 * last["step"] / last["of"])
    except (OSError, ValueError, LookupError, TypeError, ZeroDivisionError):
        return ""
    rest = [
        f"{name} {value:,.4g}" for name, value in last.items() if name not in ("step", "of") and isinstance(value, int | float)
    ]
    return f"{'█' * done}{'░' * (24 - done)}  step {last['step']:,}/{last['of']:,}  " + "  ".join(rest)


def peak():
    """Bytes that the largest process of the step held at most."""
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


# --- bringing it home ---


def pack():
    """One file with all that was made, for `zyc adopt`; its name."""
    told, seen = face(), memory()
    if not Path("exit").exists() or Path("exit").read_text(encoding="utf-8").split() != ["ended", "0"]:
        raise Halt("the step has not ended well: there is nothing to bring home yet")
    if not Path("out").is_dir() or not any(Path("out").iterdir()):
        raise Halt("the step left nothing in out/")
    if stamps(told) != seen["stamps"]:
        raise Halt("an input changed while the step ran: begin again in a fresh folder")
    target = Path("..", told["result"])
    fresh = target.with_name(f"{target.name}.new")
    with tarfile.open(fresh, "w", format=tarfile.PAX_FORMAT) as tar:
        add_text(tar, "adopt.json", json.dumps(account(told, seen), indent=1))
        if Path("measures.json").exists():
            tar.add("measures.json", filter=bare)
        tar.add("out", filter=bare)
        for name in NOTES:
            if Path(name).exists():
                tar.add(name, filter=bare)
    fresh.replace(target)
    twin = " --twin" if told["twin"] else ""
    print(f"{told['result']}  {size(target.stat().st_size)}\nbring it home, and there: zyc adopt {told['result']}{twin}")
    return str(target)


def bare(entry):
    """Without owners and times; no file that Python left beside a script."""
    if "__pycache__" in entry.name:
        return None
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def add_text(tar, name, text):
    """A file from a text."""
    entry = tarfile.TarInfo(name)
    entry.size = len(text.encode())
    tar.addfile(entry, io.BytesIO(text.encode()))


def account(told, seen):
    """What was made of what, where, and how long it took."""
    known = {f"in/{place}": tree for place, tree in seen.get("trees", {}).items()}
    manifest = [[label, digest or known[label]] for label, digest in told["manifest"]]
    key = hashlib.sha256("".join(f"{label}\t{digest}\n" for label, digest in manifest).encode()).hexdigest()
    measures = Path("measures.json")
    return {
        "format": told["format"],
        "face": told["face"],
        "node": told["node"],
        "kind": told["kind"],
        "twin": told["twin"],
        "key": key,
        "manifest": manifest,
        "fields": told["fields"],
        "placement": told["placement"],
        "tree": tree_digest("out"),
        "measures": file_digest(measures) if measures.exists() else "",
        "fetched": [fetched(each, seen) for each in told["inputs"] if each["how"] == "made here"],
        "environment": {"zyc": told["zyc"], **surroundings(told["pins"])},
        "started": datetime.fromtimestamp(seen["began"], UTC).isoformat(timespec="seconds"),
        "seconds": round(seen.get("spent", 0.0) + max(0.0, Path("exit").stat().st_mtime - seen["began"]), 3),
        "peak_memory": seen.get("peak_memory", 0),
    }


def fetched(each, seen):
    """An input that this machine made: its key gave this tree."""
    path = Path("fetch", each["place"], "measures.json")
    tree = seen["trees"][each["place"]]
    return {
        "place": each["place"],
        "key": each["key"],
        "tree": tree,
        "bytes": bytes_in(place_of(tree)),
        "measures": json.loads(path.read_text(encoding="utf-8")) if path.exists() else {},
    }


def surroundings(pins):
    """The machine in the words of a trace; no names of hosts or users."""
    told = {"python": platform.python_version(), "platform": sys.platform, "machine": platform.machine()}
    if "google.colab" in sys.modules or os.environ.get("COLAB_RELEASE_TAG"):
        told["host"] = "colab"
    elif os.environ.get("KAGGLE_KERNEL_RUN_TYPE"):
        told["host"] = "kaggle"
    elif os.environ.get("SLURM_JOB_ID"):
        told["host"] = "slurm"
    device = accelerator()
    if device:
        told["accelerator"] = device
    for pin in pins:
        name = pin.partition("==")[0].partition("[")[0]
        try:
            told[f"package:{name}"] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    others = lacking(pins)
    if others:
        told["not as pinned"] = " ".join(others)
    return told


def accelerator():
    """What this machine's accelerator is called."""
    if shutil.which("nvidia-smi") is None:
        return ""
    words = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    names = told.stdout.split("\n")[:-1] if told.returncode == 0 else []
    return ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))


def download():
    """Offer the file to the browser, where a notebook can."""
    try:
        from google.colab import files
    except ImportError:
        return
    files.download(str(Path("..", face()["result"]).resolve()))


def main(word):
    """One step of a batch job: bring or pack."""
    try:
        {"bring": bring, "pack": pack}[word]()
    except Halt as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
