"""The folder that is served: what bundle.json says, and that every file of the model is the one that it names."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path


class Broken(Exception):
    """Why this folder cannot be served, and the next step."""


@dataclass(frozen=True)
class Settings:
    """What the target's own group in bundle.json decides."""

    slots: int = 4
    threads: int | None = None
    queue: int = 16
    patience: float = 30.0
    timeout: float = 300.0
    grace: float = 30.0
    body: int = 1_000_000
    prompt_tokens: int | None = None
    max_tokens: int | None = None
    requests_per_minute: int = 60
    tokens_per_minute: int | None = None
    embeddings: bool = True
    open: bool = False
    proxies: int = 0
    log_text: bool = False
    space: str = ""  # where it goes: for whoever deploys it
    repository: str = ""
    revision: str = ""
    path: str = ""
    title: str = ""
    examples: tuple = ()


@dataclass(frozen=True)
class Bundle:
    """A folder with bundle.json in it."""

    folder: Path
    name: str
    context: int
    model: str
    files: dict
    prompts: dict
    settings: Settings
    llama_cpp: str

    @property
    def path(self):
        """The file that the engine opens."""
        return self.folder / self.model

    @property
    def names(self):
        """What the API calls the models: the personas, or the one name."""
        return tuple(self.prompts) or (self.name,)


def read(folder="."):
    """The bundle in a folder."""
    folder = Path(folder).resolve()
    path = folder / "bundle.json"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        model = told["model"]
        settings = _settings(told.get("settings") or {})
        names = (told["name"], told["context"], model["first"], model["files"], told.get("prompts") or {})
        return Bundle(folder, *names, settings, told.get("llama_cpp", ""))
    except OSError as error:
        raise Broken(f"{folder} is no bundle: it has no bundle.json; start the gateway in a bundle's folder") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Broken(f"{path} cannot be read: {error}; pack the bundle again") from error


def _settings(told):
    known = {each.name for each in fields(Settings)}
    unknown = sorted(set(told) - known)
    if unknown:
        raise ValueError(f"unknown setting `{unknown[0]}`")
    return Settings(**{name: value for name, value in told.items() if value is not None})


def verify(bundle):
    """Every file of the model is there and is the one that was packed, to the bit; how many bytes were read."""
    total = 0
    for name, wanted in bundle.files.items():
        path = bundle.folder / name
        if not path.is_file():
            raise Broken(f"the model file {name} is missing: copy the bundle again, whole")
        size = path.stat().st_size
        if size != wanted["bytes"]:
            raise Broken(f"the model file {name} has {size:,} bytes and should have {wanted['bytes']:,}: copy it again")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != wanted["sha256"]:
            raise Broken(f"the model file {name} was changed: its sha256 is {found}, not {wanted['sha256']}; copy it again")
        total += size
    return total
