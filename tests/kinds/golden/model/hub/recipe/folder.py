"""A model's folder as transformers saves it: what belongs to it is taken, and half-written files are told at once."""

import json
import os
import shutil
import struct
from pathlib import Path

INDEX = "model.safetensors.index.json"
CONFIGS = ("config.json", "generation_config.json", INDEX)
TOKENIZERS = (
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "chat_template.jinja", "chat_template.json", "training_template.jinja", "zyc.json",
)  # fmt: skip


def patterns(*, code=False):
    """What is fetched of a repository: never pickles, never the same weights in another format."""
    names = [*CONFIGS, "*.safetensors", *TOKENIZERS]
    return [*names, "*.py"] if code else names


def is_whole(home):
    """Whether a folder of the hub cache has all that is needed."""
    home = Path(home)
    names = {each.name for each in home.iterdir()}
    if "config.json" not in names or not names & {"tokenizer.json", "tokenizer.model", "vocab.json"}:
        return False
    if INDEX in names:
        return set(json.loads((home / INDEX).read_text())["weight_map"].values()) <= names
    return "model.safetensors" in names


def take(source, out, *, code=False, share=False):
    """Copy weights and configuration, once they are shown to be whole; with `share` no byte of the weights is copied."""
    source, out = Path(source), Path(out)
    shards = weights_of(source)
    for name in shards:
        header(source / name)
    names = [*shards, *(name for name in CONFIGS if (source / name).exists())]
    if code:
        names += sorted(each.name for each in source.glob("*.py"))
    for name in names:
        place(source / name, out / name, share=share and name in shards)


def weights_of(source):
    """The names of the shards; those that are missing are an error."""
    source = Path(source)
    if (source / INDEX).exists():
        wanted = sorted(set(json.loads((source / INDEX).read_text())["weight_map"].values()))
    else:
        wanted = sorted(each.name for each in source.glob("*.safetensors")) or ["model.safetensors"]
    gone = [name for name in wanted if not (source / name).exists()]
    if gone:
        raise SystemExit(
            f"{len(gone)} of {len(wanted)} files with weights are missing: {', '.join(gone[:3])}: copy the folder again"
        )
    return wanted


def header(path):
    """What a file of safetensors says that it holds: names, types, shapes; the file must be as long as it says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if length + 8 > size:
            raise SystemExit(f"{path.name} ends in its header: it is half-written, copy it again")
        try:
            told = json.loads(file.read(length))
        except ValueError:
            raise SystemExit(f"{path.name} is no file of safetensors") from None
    told.pop("__metadata__", None)
    end = 8 + length + max((each["data_offsets"][1] for each in told.values()), default=0)
    if end != size:
        raise SystemExit(f"{path.name} has {size:,} bytes and should have {end:,}: it is half-written, copy it again")
    return told


def place(source, target, *, share=False):
    """A file with the same bytes: with `share` the same file under another name, where the disk can do that.

    Otherwise a file of our own; a disk that can lets both have the bytes until one of the two is written.
    """
    if share:
        try:
            os.link(source.resolve(), target)
        except OSError:  # another disk, or one without links
            pass
        else:
            return
    with source.open("rb") as read, target.open("wb") as written:
        left = os.fstat(read.fileno()).st_size
        try:
            while left:
                took = os.copy_file_range(read.fileno(), written.fileno(), left)
                if not took:
                    break
                left -= took
        except (AttributeError, OSError):
            read.seek(0)
            written.seek(0)
            written.truncate()
            shutil.copyfileobj(read, written, 2**24)
