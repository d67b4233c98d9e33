"""A model that did not travel with its bundle comes from its repository, at the pinned revision."""

from __future__ import annotations

import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath

from . import logs
from .bundle import Broken

HUB = "https://huggingface.co"
TRIES = 5


def model(bundle):
    """Every file that bundle.json names is there; those that were are left alone. What came is verified with the others."""
    settings = bundle.settings
    for name, wanted in bundle.files.items():
        path = bundle.folder / name
        if path.is_file() or not settings.repository:
            continue
        file = str(PurePosixPath(settings.path, PurePosixPath(name).name)) if settings.path else PurePosixPath(name).name
        hub = os.environ.get("HF_ENDPOINT", HUB).rstrip("/")
        _fetch(f"{hub}/{settings.repository}/resolve/{settings.revision}/{file}", path, wanted["bytes"])


def _fetch(url, path, size):
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Path(f"{path}.part")
    for turn in range(TRIES):
        here = part.stat().st_size if part.exists() else 0
        logs.tell("fetching", url=url, here=here, bytes=size)
        try:
            if here < size:
                _go_on(url, part, here)
            if part.stat().st_size == size:
                part.replace(path)
                return
            if part.stat().st_size > size:
                part.unlink()
                raise Broken(f"{url} is longer than the {size:,} bytes that it should have: look at its revision")
        except urllib.error.HTTPError as error:
            if error.code < 500:
                help_ = "look at `repository` and `revision`, and at HF_TOKEN"
                raise Broken(f"{url}: {error.code} {error.reason}; {help_}") from error
        except OSError as error:
            if turn == TRIES - 1:
                raise Broken(f"{url}: {error}; start again to go on from {here:,} bytes") from error
    raise Broken(f"{url} ended {TRIES} times before its {size:,} bytes were there")


def _go_on(url, part, here):
    headers = {"Range": f"bytes={here}-"} if here else {}
    if os.environ.get("HF_TOKEN"):
        headers["Authorization"] = f"Bearer {os.environ['HF_TOKEN']}"
    asked = urllib.request.Request(url, headers=headers)  # noqa: S310  # an address of the bundle's own
    with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
        mode = "ab" if here and answer.status == 206 else "wb"
        with part.open(mode) as file:
            shutil.copyfileobj(answer, file, 1 << 20)
