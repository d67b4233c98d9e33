"""What a model's folder holds, against what its index, its architecture and its tokenizer say that it should."""

import json
from pathlib import Path

INDEX = "model.safetensors.index.json"


def tensors(home):
    """Every tensor that is there: its shape, and whether all of it are numbers; one at a time in memory."""
    from safetensors import safe_open

    found = {}
    for path in sorted(Path(home).glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in sorted(file.keys()):
                tensor = file.get_tensor(name)
                found[name] = {"shape": list(tensor.shape), "finite": finite(tensor), "file": path.name}
    return found


def finite(tensor):
    """Whether all of it are numbers: one pass, as the ends of a tensor are no numbers when anything in it is none."""
    import torch

    if not tensor.is_floating_point() or not tensor.numel():
        return True
    if tensor.element_size() == 1:  # eight bits have no order of their own
        tensor = tensor.to(torch.float32)
    return bool(torch.isfinite(torch.stack(torch.aminmax(tensor))).all())


def missing(home, found):
    """What the index says where it is not, and what the architecture has and nothing holds."""
    index = Path(home, INDEX)
    told = json.loads(index.read_text())["weight_map"] if index.exists() else {}
    gone = {name for name, file in told.items() if found.get(name, {}).get("file") != file}
    return sorted(gone | min(({name for name in names if name not in found} for names in expected(home)), key=len))


def expected(home):
    """The names of the architecture, as files have them and as they are in memory: a mixture's experts are one tensor there.

    Without weights; no names of one that brings its own code or is made smaller.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.core_model_loading import revert_weight_conversion

    told = json.loads(Path(home, "config.json").read_text())
    if "auto_map" in told or "quantization_config" in told or "text_config" in told:
        return [()]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(home))
    tied = set(model.all_tied_weights_keys) if model.config.tie_word_embeddings else set()
    empty = {name: each for name, each in model.named_parameters(remove_duplicate=False) if name not in tied}
    return [tuple(revert_weight_conversion(model, empty)), tuple(empty)]


def rowless(home, found):
    """The tokens whose ids the embedding ends before."""
    from transformers import AutoTokenizer

    rows = next((each["shape"][0] for name, each in found.items() if name.endswith("embed_tokens.weight")), None)
    if rows is None or not any(Path(home, name).exists() for name in ("tokenizer.json", "tokenizer.model")):
        return []
    vocabulary = AutoTokenizer.from_pretrained(home).get_vocab()
    return sorted(token for token, at in vocabulary.items() if at >= rows)
