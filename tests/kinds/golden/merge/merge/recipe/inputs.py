"""The models that are merged: whole, in full precision, and with one tokenizer where nobody says otherwise."""

import json
import shutil
from pathlib import Path

import bases


def refuse(says):
    """End the step with a sentence."""
    raise SystemExit(f"error: {says}")


def whole(models):
    """Every file that an index names is there, and no weights are rounded already."""
    for model in models:
        home = bases.folder(model)
        config = json.loads((home / "config.json").read_text(encoding="utf-8"))
        if config.get("quantization_config"):
            refuse(f"{model} is kept in few bits: what is merged would be rounded away; take the model in bf16")
        gone = sorted({name for name in bases.places(home).values() if not (home / name).exists()})
        if gone:
            refuse(f"{model} lacks {len(gone)} of its files with weights: {', '.join(gone[:3])}: build or copy it again")
        beyond = max(words_of(home).values(), default=0)
        rows = config.get("vocab_size")
        if isinstance(rows, int) and beyond >= rows:
            refuse(f"the tokenizer of {model} gives the id {beyond:,}, and its embedding has {rows:,} rows")


def words_of(home):
    """Token -> id, as the file of the library below transformers has it."""
    path = Path(home) / "tokenizer.json"
    if path.exists():
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(path)).get_vocab(with_added_tokens=True)
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(home).get_vocab()


def same_words(models):
    """A row must be the same token in every model."""
    first = words_of(models[0])
    for model in models[1:]:
        other = words_of(model)
        if other != first:
            odd = min((first.items() ^ other.items()), key=lambda each: (each[1], each[0]))
            refuse(
                f"{models[0]} and {model} have different tokenizers ({odd[0]!r} is {first.get(odd[0])} and {other.get(odd[0])}): "
                "say `tokenizer: union`, `tokenizer: base` or the name of a model"
            )


def finite(models):
    """Every tensor holds numbers: no two thin matrices are what has none."""
    import torch
    from safetensors import safe_open

    for model in models:
        for path in sorted(Path(model).glob("*.safetensors")):
            with safe_open(path, "pt") as file:
                for name in sorted(file.keys()):
                    if not torch.isfinite(file.get_tensor(name).to(torch.float32)).all():
                        refuse(f"{name} of {model} holds what is no number")


def wide(model, target):
    """A copy in single precision, in which rows can be reckoned with; shard by shard."""
    import torch
    from safetensors.torch import load_file, save_file

    source, target = Path(model), Path(target)
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.suffix == ".safetensors":
            tensors = {
                name: each.to(torch.float32) if each.is_floating_point() else each for name, each in load_file(path).items()
            }
            save_file(tensors, target / path.name, metadata={"format": "pt"})
        elif path.is_file():
            shutil.copyfile(path, target / path.name)
    config = json.loads((target / "config.json").read_text(encoding="utf-8"))
    config.pop("torch_dtype", None)
    (target / "config.json").write_text(json.dumps({**config, "dtype": "float32"}), encoding="utf-8")
    return str(target)
