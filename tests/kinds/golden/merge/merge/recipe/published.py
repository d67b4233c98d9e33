"""What mergekit made, as a model is kept: weights with their index, one configuration, and a tokenizer with all of its files."""

import json
import shutil
from pathlib import Path

import bases
import inputs

INDEX = "model.safetensors.index.json"
SPECIAL = ("bos_token_id", "eos_token_id", "pad_token_id")
WRITTEN = ("tokenizer.json", "tokenizer_config.json")  # of a tokenizer that is made anew
KEPT = ("chat_template.jinja", "training_template.jinja", "zyc.json", "generation_config.json")


def arguments(values, switches, lists, *, skip_undecomposable=False):
    """Settings as the words of a command line."""
    told = [word for name, value in values.items() if value is not None for word in (f"--{name}", str(value))]
    told += [f"--{name}" if on else f"--no-{name}" for name, on in switches.items()]
    told += [word for name, each in lists.items() for value in each for word in (f"--{name}", value)]
    return [*told, "--skip-undecomposable"] if skip_undecomposable else told


def model(made, words, *, base, dtype, out="out"):
    """Weights and configuration, and the tokenizer of the model `words` to the byte."""
    made, out = Path(made), Path(out)
    if (made / "tokenizer.json").exists() and inputs.words_of(made) != inputs.words_of(words):
        inputs.refuse(f"mergekit made another tokenizer than that of {words}: rows and tokens would not fit")
    measures = _weights(made, out, dtype)
    bases.copy_tokenizer(words, out)
    _configuration(made, out, dtype, _special(words) if Path(words) != Path(base) else {})
    return measures


def apart(made):
    """The experts of a mixture under the names that published models have: mergekit stacks those of a layer into one tensor."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.core_model_loading import revert_weight_conversion

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(made))
    for path in sorted(Path(made).glob("*.safetensors")):
        told = revert_weight_conversion(model, load_file(path))
        # each its own memory: parts of one tensor cannot be written
        save_file({name: each.clone().contiguous() for name, each in told.items()}, path, metadata={"format": "pt"})


def union(made, models, *, base, dtype, out="out"):
    """Weights and configuration with a tokenizer of all tokens; one that is that of a model has that model's files."""
    told = inputs.words_of(made)
    same = next((each for each in [base, *models] if inputs.words_of(each) == told), None)
    if same is not None:
        print(f"the union is the tokenizer of {same}")
        return model(made, same, base=base, dtype=dtype, out=out)
    made, out = Path(made), Path(out)
    measures = _weights(made, out, dtype)
    before = {number: token for token, number in inputs.words_of(base).items()}
    moved = {name: _moved(value, before, told) for name, value in _special(base).items()}
    for name in (*WRITTEN, *KEPT):
        home = made if name in WRITTEN else Path(base)
        if (home / name).exists():
            shutil.copyfile(home / name, out / name)
    _rewritten(out / "generation_config.json", moved)
    _rewritten(out / "tokenizer_config.json", {}, without=("is_local", "local_files_only", "name_or_path"))
    forms = {_notes(each).get("form") for each in [base, *models]}
    _rewritten(out / "zyc.json", {"form": "byte-bpe" if forms == {"byte-bpe"} else "union"})
    _configuration(made, out, dtype, moved)
    print(f"a union of {len(told):,} tokens; there is no tokenizer.model for it")
    return measures


def adapter(made, *, dtype, out="out"):
    """Two matrices for each layer, all of them numbers."""
    import torch
    from safetensors.torch import load_file, save_file

    made, tensors = Path(made), {}
    for path in sorted(made.glob("*.safetensors")):
        tensors |= load_file(path)
    odd = sorted(name for name, each in tensors.items() if not torch.isfinite(each.to(torch.float32)).all())
    if odd:
        inputs.refuse(f"{odd[0]} of the adapter holds what is no number: the model or its base does, too")
    halves = {name for name in tensors if "lora_A" in name and name.replace("lora_A", "lora_B") not in tensors}
    if halves or not tensors:
        inputs.refuse(f"the adapter has one half of {min(halves)} only" if halves else "the adapter changes nothing")
    save_file(tensors, made / bases.WEIGHTS_OF_ADAPTER, metadata={"format": "pt"})
    _same_rank(made)
    bases.publish_adapter(made, out, dtype=dtype)
    size = (Path(out) / bases.WEIGHTS_OF_ADAPTER).stat().st_size
    return {"bytes": size, "parameters": sum(each.numel() for each in tensors.values())}


def _same_rank(made):
    """An adapter's configuration in one order, whatever the order of the work was."""
    path = made / "adapter_config.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    for name in ("rank_pattern", "alpha_pattern"):
        told[name] = dict(sorted(told[name].items()))
    path.write_text(json.dumps(told), encoding="utf-8")


# --- parts ---


def _weights(made, out, dtype):
    """The files of weights under their usual names, in the precision that they are kept in."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    out.mkdir(exist_ok=True)
    shards = sorted(made.glob("*.safetensors"))
    places, size, count = {}, 0, 0
    for at, shard in enumerate(shards):
        name = "model.safetensors" if len(shards) == 1 else f"model-{at + 1:05d}-of-{len(shards):05d}.safetensors"
        with safe_open(shard, "pt") as file:
            shapes = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118  # it is no mapping
            others = {each.get_dtype() for each in shapes.values()} - {_NAMES[dtype], "I64", "I32", "BOOL"}
            for each in shapes.values():
                values = 1
                for length in each.get_shape():
                    values *= length
                count += values
            places |= dict.fromkeys(shapes, name)
        if others:
            kept = getattr(torch, dtype)
            save_file({key: each.to(kept) for key, each in load_file(shard).items()}, out / name, metadata={"format": "pt"})
        else:
            shutil.move(shard, out / name)
        size += (out / name).stat().st_size
    if len(shards) > 1:
        told = {"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))}
        (out / INDEX).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return {"bytes": size, "parameters": count}


_NAMES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}


def _configuration(made, out, dtype, special):
    told = json.loads((made / "config.json").read_text(encoding="utf-8"))
    for name in ("torch_dtype", "_name_or_path"):
        told.pop(name, None)
    told |= {"dtype": dtype, **special}
    (out / "config.json").write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _special(home):
    """The ids of the tokens that begin, end and fill texts, as a model's own configuration has them."""
    config = json.loads((Path(home) / "config.json").read_text(encoding="utf-8"))
    return {name: config[name] for name in SPECIAL if config.get(name) is not None}


def _moved(value, before, after):
    """The ids of the same tokens in another tokenizer."""
    if isinstance(value, list):
        return [_moved(each, before, after) for each in value]
    return after.get(before.get(value), value)


def _notes(home):
    path = Path(home) / "zyc.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _rewritten(path, changes, without=()):
    """A JSON file with other values, where it is there."""
    if path.exists():
        told = json.loads(path.read_text(encoding="utf-8"))
        told = {name: each for name, each in told.items() if name not in without}
        told |= {name: each for name, each in changes.items() if name in told}
        path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
