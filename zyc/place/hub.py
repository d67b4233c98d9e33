"""The user's own cache of a hub, read through `world`; and the only place where zyc itself asks a hub anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from zyc.kind import Hub, HubNeed
from zyc.world import World

COMMIT = re.compile(r"[0-9a-f]{40}")
_YES = ("1", "on", "yes", "true")
_LARGEST = 8_000_000  # bytes of a text that is read before anything is decided


class Unreached(Exception):
    """A hub did not tell what it was asked: why, and what to do."""

    def __init__(self, why: str, help_: str) -> None:
        self.why, self.help = why, help_
        super().__init__(why)


def cache_of(environ: Mapping[str, str]) -> Path:
    """The folder where every tool of this user keeps what it fetched from a hub."""
    if "HF_HUB_CACHE" in environ:
        return Path(environ["HF_HUB_CACHE"]).expanduser()
    home = environ.get("XDG_CACHE_HOME") or f"{environ.get('HOME', '~')}/.cache"
    return Path(environ.get("HF_HOME") or f"{home}/huggingface").expanduser() / "hub"


def is_offline(environ: Mapping[str, str]) -> bool:
    """Whether the user says that hubs are not to be asked."""
    return environ.get("HF_HUB_OFFLINE", "").lower() in _YES


def folder_of(cache: Path, need: HubNeed) -> Path:
    """Where the cache keeps a repository."""
    return cache / f"{need.type}s--{need.repository.replace('/', '--')}"


def look(world: World, cache: Path, need: HubNeed, pinned: str, *, earlier: Hub | None = None) -> Hub:
    """What the cache holds of a repository at its pin; without one, at the commit that the revision was when it was fetched."""
    home = folder_of(cache, need)
    commit = pinned or (need.revision if COMMIT.fullmatch(need.revision) else "")
    ref = home / "refs" / need.revision
    if not commit and world.exists(ref):
        told = world.read_text(ref).strip()
        commit = told if COMMIT.fullmatch(told) else ""
    if not commit:
        return Hub()
    snapshot = home / "snapshots" / commit
    files: dict[str, int] = {}
    for name, _ in world.walk(snapshot):
        seen = world.stat(snapshot / name, follow=True)  # a link to the bytes
        if seen is not None and seen.kind == "file":
            files[name] = seen.size
    texts = dict(earlier.texts) if earlier is not None else {}
    for name in need.texts:
        if files.get(name, _LARGEST) < _LARGEST:
            texts[name] = world.read(snapshot / name).decode("utf-8", "replace")
    return Hub(commit, texts, files)


def resolve(need: HubNeed, environ: Mapping[str, str], pinned: str = "") -> str:
    """Ask the hub which commit a revision is now, and fetch the small files that plans read into the user's own cache."""
    if is_offline(environ):
        raise Unreached("HF_HUB_OFFLINE is set, so no hub is asked", by_hand(need))
    token = environ.get(need.token)
    try:
        from huggingface_hub import HfApi, hf_hub_download
        from huggingface_hub import errors as told
    except ImportError:
        raise Unreached("the library that asks hubs is not installed", "`pip install huggingface-hub`") from None
    try:
        found = HfApi().repo_info(need.repository, repo_type=need.type, revision=pinned or need.revision, token=token)
        commit = str(found.sha)
        names = {each.rfilename for each in getattr(found, "siblings", None) or ()}
        for name in need.texts:
            if name in names:
                hf_hub_download(need.repository, name, repo_type=need.type, revision=commit, token=token)
    except told.GatedRepoError:
        raise Unreached(*_gated(need)) from None
    except told.RevisionNotFoundError:
        raise Unreached(f"`{need.repository}` has no revision `{need.revision}`", f"its page lists them: {page(need)}") from None
    except told.RepositoryNotFoundError:
        help_ = "check its name; one that is private needs `token: $(env.HF_TOKEN)`"
        raise Unreached(f"the hub has no {need.type} `{need.repository}`", help_) from None
    except Exception as error:  # noqa: BLE001  # whatever a network may do
        raise Unreached(f"the hub cannot be reached ({_brief(error)})", by_hand(need)) from None
    return commit


def send(repository: str, kind: str, files: Mapping[str, Path | bytes], *, token: str, private: bool) -> str:
    """Make the repository where it is not there, and put these files into it as one commit, whose id is given back."""
    try:
        from huggingface_hub import CommitOperationAdd, HfApi
    except ImportError:
        raise Unreached("the library that asks hubs is not installed", "`pip install huggingface-hub`") from None
    api = HfApi(token=token)
    try:
        more = {"space_sdk": "docker"} if kind == "space" else {}
        api.create_repo(repository, repo_type=kind, private=private, exist_ok=True, **more)  # type: ignore[arg-type]
        adds = [CommitOperationAdd(name, each) for name, each in sorted(files.items())]
        done = api.create_commit(repository, adds, commit_message="A bundle of zyc", repo_type=kind)
    except Exception as error:  # noqa: BLE001  # whatever a network, or its other end, may do
        raise Unreached(_brief(error).replace(token, "***"), "") from None
    return str(done.oid)


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def page(need: HubNeed) -> str:
    """Where a person finds the repository."""
    return f"https://huggingface.co/{'' if need.type == 'model' else f'{need.type}s/'}{need.repository}"


def _gated(need: HubNeed) -> tuple[str, str]:
    what = f"`{need.repository}` is gated: its owner wants to know who takes it"
    token = f"set `{need.token}` to a token of yours" if need.token else "say `token: $(env.HF_TOKEN)` and set that variable"
    return what, f"accept its terms at {page(need)}, then {token}"


def by_hand(need: HubNeed) -> str:
    """How a repository gets here without a hub."""
    kind = "" if need.type == "model" else f" --repo-type {need.type}"
    fetch = f"`hf download {need.repository}{kind} --revision {need.revision}` where there is a network"
    field = "from" if need.type == "dataset" else "path"
    return (
        f"{fetch}, and copy its folder of the hub cache here (HF_HUB_CACHE); or keep the files in the project and say `{field}:`"
    )
