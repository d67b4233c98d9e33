"""A dataset of the hub: the files of one revision, read where the user's own cache has them; nothing is copied."""

import os
from fnmatch import fnmatch
from pathlib import Path

import reading
from flaws import stop

DATA = ("parquet", "jsonl", "json", "csv", "tsv", "txt", "md", "jsonl.gz", "json.gz", "csv.gz", "txt.gz")


def files(source):
    """The files that hold the rows of one part of one subset, with their kinds."""
    card = _card(source)
    patterns = list(source["files"]) or _named_by(card, source)
    wanted = patterns or [f"*.{ending}" for ending in DATA]
    folder = _fetched(source, wanted)
    found = sorted(each for each in folder.rglob("*") if each.is_file() and reading.kind_of(each))
    inside = {each.relative_to(folder).as_posix(): each for each in found}
    names = [name for name in inside if any(fnmatch(name, pattern) for pattern in wanted)]
    if not patterns:
        names = _of_part(folder, names, source)
    if not names:
        stop(f"{source['name']} holds no file of rows that {', '.join(wanted)} names\n  name some: `files: ['data/*.parquet']`")
    return [(inside[name], reading.kind_of(inside[name])) for name in names]


def _token(source):
    return os.environ.get(source["token"]) if source["token"] else None


def _asking(source, ask, **more):
    """Ask the hub, or the user's own cache where there is no hub; what cannot be had is said in words."""
    from huggingface_hub import constants, errors

    name, revision = source["name"], source["revision"] or None
    what = f"the dataset {name}" + (f" at {revision}" if revision else "")
    try:
        return ask(name, repo_type="dataset", revision=revision, token=_token(source), **more)
    except errors.GatedRepoError:
        variable = source["token"] or "HF_TOKEN"
        return stop(
            f"{what} is gated\n  accept its terms on the page of {name}, and set a token of that account: "
            f"`token: $(env.{variable})`"
        )
    except errors.RepositoryNotFoundError:
        return stop(f"the hub has no dataset {name}, or shows it to its members only\n  correct `hub`, or give a `token`")
    except errors.RevisionNotFoundError:
        return stop(f"{name} has no revision {revision}\n  correct `revision`, or leave it out and let `zyc lock` pin the newest")
    except (errors.LocalEntryNotFoundError, errors.IncompleteSnapshotError, errors.HfHubHTTPError, OSError) as error:
        at = f" --revision {revision}" if revision else ""
        place = Path(constants.HF_HUB_CACHE) / f"datasets--{name.replace('/', '--')}"
        return stop(
            f"{what} is not in this machine's cache, and the hub cannot be reached ({type(error).__name__})\n"
            f"  on a machine that reaches it: `hf download {name} --repo-type dataset{at}`; then copy the folder "
            f"`{place.name}` of its cache to `{place}`"
        )


def _card(source):
    """What the card of the dataset says of its files; nothing where it has none."""
    from huggingface_hub import DatasetCard, errors, hf_hub_download

    def ask(name, **more):
        try:
            return hf_hub_download(name, "README.md", **more)
        except errors.LocalEntryNotFoundError:
            return None
        except errors.EntryNotFoundError:
            return None

    path = _asking(source, ask)
    if path is None:
        return {}
    from datasets.utils.metadata import MetadataConfigs

    try:
        return MetadataConfigs.from_dataset_card_data(DatasetCard.load(path).data)
    except ValueError as error:
        return stop(f"the card of {source['name']} cannot be read: {error}\n  name its files: `files: ['data/*.parquet']`")


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


def _fetched(source, patterns):
    """The folder of the revision in the user's cache, with what is wanted of it."""
    from huggingface_hub import snapshot_download

    return Path(_asking(source, snapshot_download, allow_patterns=[*patterns, "README.md"]))


def _of_part(folder, names, source):
    """Those of one part, by the rules of `datasets` for names of files and folders."""
    from datasets.data_files import get_data_patterns, resolve_pattern

    parts = get_data_patterns(str(folder))
    if source["part"] not in parts:
        stop(f"{source['name']} has no part `{source['part']}`\n  `part` can be {', '.join(map(str, parts))}")
    told = {os.path.relpath(each, folder) for pattern in parts[source["part"]] for each in resolve_pattern(pattern, str(folder))}
    return [name for name in names if name in told]
