"""A bundle in rest -> whether each file of the model is the one that is named, and whether all that belongs to it is there."""

import hashlib
import json

NEEDED = ("README.md", "bom.json", "models.json", "requirements.txt")


def looked_through(folder, bundle):
    """Measures, and what was found wrong."""
    files = bundle["model"]["files"]
    wrong = [says for name, told in files.items() if (says := _wrong(folder / name, told))]
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    missing += [f"{place}/prompt.json" for place in bundle["prompts"].values() if not (folder / place / "prompt.json").is_file()]
    if bundle.get("index") and not (folder / bundle["index"] / "card.json").is_file():
        missing.append(f"{bundle['index']}/card.json")
    if "bom.json" not in missing:
        missing += [f"{name} in bom.json" for name in files if name not in _billed(folder / "bom.json")]
    for says in [*wrong, *(f"{name} is missing" for name in missing)]:
        print(says)
    intact = 1 - len(wrong) / max(1, len(files))
    return {"intact": intact, "missing": len(missing)}, {"wrong": wrong, "missing": missing}


def _wrong(path, told):
    if not path.is_file():
        return f"{path.name} is missing"
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if found == told["sha256"] else f"{path.name} was changed: its sha256 is {found}, not {told['sha256']}"


def _billed(path):
    told = json.loads(path.read_text(encoding="utf-8"))
    return {each["name"] for each in told["metadata"]["component"].get("components", ())}
