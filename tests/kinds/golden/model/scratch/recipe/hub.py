"""A repository of a hub at one commit: what the user's own cache holds is used, and only what is missing is fetched."""

import os
from pathlib import Path


def page(repository, kind):
    """Where a person finds it."""
    return f"https://huggingface.co/{'' if kind == 'model' else kind + 's/'}{repository}"


def by_hand(repository, commit, kind):
    """How its files get here without a network."""
    kept = f"{kind}s--{repository.replace('/', '--')}"
    return (
        f"what is needed: {repository} at commit {commit}. Where there is a network, "
        f"`hf download {repository} --revision {commit}{'' if kind == 'model' else ' --repo-type ' + kind}`; "
        f"then copy the folder {kept} into the hub cache of this machine"
    )


def fetch(repository, commit, patterns, *, whole, kind="model", token=""):
    """The folder of the snapshot; `whole` tells of a folder whether all that is needed is there."""
    from huggingface_hub import errors, snapshot_download

    told = {"repo_type": kind, "revision": commit, "allow_patterns": list(patterns), "token": os.environ.get(token) or None}
    try:
        here = Path(snapshot_download(repository, local_files_only=True, **told))
        if whole(here):
            return here
    except errors.LocalEntryNotFoundError:
        pass
    try:
        return Path(snapshot_download(repository, **told))
    except errors.GatedRepoError:
        remedy = f"set {token}" if token else "say `token: $(env.HF_TOKEN)` in its spec and set that variable"
        raise SystemExit(f"{repository} is gated: accept its terms at {page(repository, kind)}, then {remedy}") from None
    except errors.RepositoryNotFoundError:
        raise SystemExit(f"the hub has no {kind} {repository}, or none that this token may read") from None
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SystemExit(f"{repository} cannot be fetched: {reason}\n{by_hand(repository, commit, kind)}") from None
