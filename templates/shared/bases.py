"""The base of a run: where it lies, what it is loaded as, and how what came of it is published beside its tokenizer."""

import json
import shutil
from pathlib import Path

WEIGHTS = (".safetensors", ".safetensors.index.json", ".bin", ".pt", ".pth")
WEIGHTS_OF_ADAPTER = "adapter_model.safetensors"
DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
OURS = ("config.json", "adapter_config.json", "README.md")


def folder(path):
    """The folder of a model; one that is not there would be looked for on a hub."""
    path = Path(path)
    if not (path / "config.json").exists():
        raise SystemExit(f"error: {path} holds no model: there is no config.json")
    return path


def tokenizer(path):
    """The tokenizer of a model, with a token to pad with."""
    from transformers import AutoTokenizer

    told = AutoTokenizer.from_pretrained(path)
    if told.pad_token is None:
        told.pad_token = told.unk_token or told.eos_token
    if told.eos_token is None:
        raise SystemExit("error: the tokenizer has no end of text: no answer would ever end; give it an `eos_token`")
    return told


def copy_tokenizer(base, out):
    """Every file of the base that is neither weights nor its configuration: tokenizer.model and both templates among them."""
    for path in sorted(Path(base).iterdir()):
        if path.is_file() and path.name not in OURS and not path.name.endswith(WEIGHTS):
            shutil.copyfile(path, Path(out) / path.name)


def places(base):
    """Which file holds each tensor of a model."""
    from safetensors import safe_open

    index = Path(base) / "model.safetensors.index.json"
    if index.exists():
        return dict(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    told = {}
    for path in sorted(Path(base).glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            told |= dict.fromkeys(file.keys(), path.name)
    if not told:
        raise SystemExit(f"error: {base} holds no weights: there is no .safetensors file")
    return told


def train_in(dtype, model):
    """What is trained, in a precision that loses no small steps and that this machine has."""
    import torch

    if dtype == torch.float16:  # computed in, never trained in: a scaler takes no gradient of its own precision
        dtype = torch.float32
    for each in model.parameters():
        if each.requires_grad and each.is_floating_point():
            each.data = each.data.to(dtype)


def unpacked(model):
    """Weights in four bits stay as they are: on a processor with bf16 bitsandbytes packs what answers, and no gradient passes."""
    for each in model.modules():
        if hasattr(each, "support_avx512bf16_for_cpu"):
            each.support_avx512bf16_for_cpu = False


def ready(model, placed):
    """A model that only answers: where it is asked, in a precision that this machine has."""
    import torch

    if model.dtype == torch.bfloat16 and not placed.has_bf16:
        print(f"{model.name_or_path} answers in single precision: this {placed.device} has no bf16 of its own")
        model = model.float()
    return model.to(placed.device).eval()


def publish_adapter(made, out="out", *, dtype="fp32"):
    """An adapter as it is kept: its weights and what they are, no place and no card."""
    import torch
    from safetensors.torch import load_file, save_file

    out = Path(out)
    out.mkdir(exist_ok=True)
    told = json.loads((Path(made) / "adapter_config.json").read_text(encoding="utf-8"))
    told["base_model_name_or_path"] = ""
    for name in ("target_modules", "modules_to_save", "exclude_modules"):
        if isinstance(told.get(name), list):
            told[name] = sorted(told[name])
    (out / "adapter_config.json").write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    kept = {name: each.to(getattr(torch, DTYPES[dtype])) for name, each in load_file(Path(made) / WEIGHTS_OF_ADAPTER).items()}
    save_file(kept, out / WEIGHTS_OF_ADAPTER, metadata={"format": "pt"})


def publish_model(made, base, out="out", *, dtype="bf16"):
    """A model as it is kept: weights in the precision of the run, all the rest as the base has it."""
    import torch
    from safetensors.torch import load_file, save_file

    out, kept = Path(out), getattr(torch, DTYPES[dtype])
    out.mkdir(exist_ok=True)
    for path in sorted(Path(made).glob("*.safetensors")):  # shard by shard
        tensors = {name: each.to(kept) if each.is_floating_point() else each for name, each in load_file(path).items()}
        save_file(tensors, out / path.name, metadata={"format": "pt"})
    for path in sorted(Path(made).glob("*.safetensors.index.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        sizes = sum(each.stat().st_size for each in out.glob("*.safetensors"))
        told["metadata"] = {"total_size": sizes}
        (out / path.name).write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    config = json.loads((Path(made) / "config.json").read_text(encoding="utf-8"))
    config["dtype"] = DTYPES[dtype]
    (out / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    copy_tokenizer(base, out)


def publish_weights(weights, model, base, out="out", *, dtype="bf16"):
    """A model whose weights were gathered from wherever they were, kept as `publish_model` keeps one."""
    import torch

    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    kept = {name: each.to(getattr(torch, DTYPES[dtype])) for name, each in weights.items() if name not in tied}
    model.save_pretrained("tmp/made", state_dict=kept)
    publish_model("tmp/made", base, out, dtype=dtype)
