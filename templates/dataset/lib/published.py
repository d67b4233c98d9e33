"""A dataset of the hub: the files of one commit, read where the user's own cache has them; nothing is copied."""

from pathlib import Path

import hub
import reading
from flaws import stop

DATA = ("parquet", "jsonl", "json", "csv", "tsv", "txt", "md", "jsonl.gz", "json.gz", "csv.gz", "txt.gz")


def files(source):
    """The files that hold the rows of one part of one subset, with their kinds."""
    patterns = list(source["files"]) or _named_by(_card(_fetched(source, [])), source)
    folder = _fetched(source, patterns or [f"*.{ending}" for ending in DATA])
    paths = _matching(folder, patterns) if patterns else _of_part(folder, source)
    told = [(path, reading.kind_of(path)) for path in paths if path.name != "README.md" and reading.kind_of(path)]
    if not told:
        what = ", ".join(f"`{each}`" for each in patterns or DATA)
        stop(f"{source['name']} has no file of rows among {what}\n  name its files: `files: ['data/*.parquet']`")
    return told


def _matching(folder, patterns):
    """The files that patterns name, as `datasets` reads them: `*` stays inside one name."""
    from datasets.data_files import DataFilesList

    try:
        return [Path(each) for each in sorted(DataFilesList.from_patterns(patterns, base_path=str(folder)))]
    except FileNotFoundError:
        return []


def _fetched(source, patterns):
    """The folder of the commit in the user's cache, with what is wanted of it."""
    from huggingface_hub import constants

    def whole(folder):
        """Without a network, what is there has to do."""
        return constants.HF_HUB_OFFLINE and folder.is_dir()

    wanted = ["README.md", *patterns]
    return hub.fetch(source["name"], source["commit"], wanted, whole=whole, kind="dataset", token=source["token"])


def _card(folder):
    """What the card of the dataset says of its files, subset by subset; nothing where it says nothing."""
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    path = folder / "README.md"
    if not path.exists():
        return {}
    try:
        return MetadataConfigs.from_dataset_card_data(DatasetCard.load(path, ignore_metadata_errors=True).data)
    except ValueError as error:
        return stop(f"the card of the dataset cannot be read: {error}\n  name its files: `files: ['data/*.parquet']`")


def _named_by(card, source):
    """The patterns that a card has for a subset and a part."""
    if not card:
        if source["subset"]:
            return [f"{source['subset']}/*", f"*/{source['subset']}/*"]
        return []
    default = next((name for name, told in card.items() if told.get("default")), "default" if "default" in card else None)
    name = source["subset"] or default or (next(iter(card)) if len(card) == 1 else "")
    if name not in card:
        says = f"has no subset `{name}`" if name else "has several subsets"
        stop(f"{source['name']} {says}\n  `subset` can be {', '.join(card)}")
    told = card[name].get("data_files")
    if told is None or isinstance(told, str):
        return [told] if told else []
    if isinstance(told, dict):
        told = [{"split": split, "path": path} for split, path in told.items()]
    if told and isinstance(told[0], str):
        return list(told)
    parts = {each["split"]: each["path"] for each in told}
    if source["part"] not in parts:
        stop(f"{source['name']} has no part `{source['part']}`\n  `part` can be {', '.join(parts)}")
    path = parts[source["part"]]
    return [path] if isinstance(path, str) else list(path)


def _of_part(folder, source):
    """Those of one part, by the rules of `datasets` for names of files and folders."""
    from datasets.data_files import DataFilesDict, get_data_patterns

    try:
        parts = DataFilesDict.from_patterns(get_data_patterns(str(folder)), base_path=str(folder))
    except FileNotFoundError:
        parts = {}
    if parts and source["part"] not in parts:
        stop(f"{source['name']} has no part `{source['part']}`\n  `part` can be {', '.join(map(str, parts))}")
    return [Path(each) for each in sorted(parts.get(source["part"], ()))]
