"""How fast the rendered training scripts are on one accelerator: 8B LoRA and QLoRA, 124M and 1B pretraining, on random weights.

    python benchmarks/training_gpu.py --prepare gpu/    # here: renders the step folders, a few kilobytes
    python benchmarks/training_gpu.py --run gpu/        # where the accelerator is: makes models and data, runs, prints a table

The second call needs no zyc: what runs is what was rendered, on random weights and made-up text, offline. A case whose packages
are not there is told and left out. The share is of the dense bf16 peak that is published of the device.
"""

import argparse
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "kinds"), str(ROOT / "templates" / "lib")]

LLAMA_8B = {
    "layers": 32, "width": 4096, "mlp": 14336, "heads": 32, "kv_heads": 8, "head_size": 128, "context": 8192,
    "vocabulary": 128256,
}  # fmt: skip
LLAMA_1B = {
    "layers": 16, "width": 2048, "mlp": 8192, "heads": 32, "kv_heads": 8, "head_size": 64, "context": 8192,
    "vocabulary": 128256,
}  # fmt: skip
SMALL = {
    "layers": 12, "width": 768, "mlp": 2048, "heads": 12, "kv_heads": 12, "head_size": 64, "context": 1024, "vocabulary": 50304,
}  # fmt: skip
MODELS: dict[str, dict[str, int]] = {"8b": LLAMA_8B, "1b": LLAMA_1B, "124m": SMALL}
PLACE = {"gpus": "1", "cpus": "8", "checkpoint_every": "100000"}


def sft(**more: Any) -> dict[str, Any]:
    """A finetune of so many steps over long rows."""
    place = {**PLACE, "micro_batch": "1", **more.pop("placement", {})}
    return {
        "base": "b", "data": "d", "context": "4096", "packing": "true", "loss_on": "all", "lora": {"rank": "16"},
        "train": {"steps": "16", "batch": "2", "tests": "1"}, "placement": place, **more,
    }  # fmt: skip


def pretrain(context: int, rows: int, steps: int, **place: str) -> dict[str, Any]:
    """A pretraining of so many steps."""
    told = {"steps": str(steps), "context": str(context), "batch_tokens": str(context * rows)}
    return {"model": "m", "data": "d", **told, "placement": {**PLACE, "workers": "2", **place}}


CASES: dict[str, tuple[str, str, dict[str, Any]]] = {  # kind, model, fields
    "8B LoRA r16, packed rows of 4,096": ("finetune", "8b", sft()),
    "8B LoRA r16, packed, checkpointed activations, 4 rows": (
        "finetune", "8b", sft(placement={"micro_batch": "4", "activation_checkpointing": "true"},
                              train={"steps": "10", "batch": "4", "tests": "1"})),
    "8B QLoRA r16, packed rows of 4,096": ("finetune", "8b", sft(method="qlora")),
    "124M pretraining, 32 rows of 1,024": ("pretrain", "124m", pretrain(1024, 32, 60, micro_batch="32")),
    "124M pretraining, compiled": ("pretrain", "124m", pretrain(1024, 32, 100, micro_batch="32", compile="true")),
    "1B pretraining, 4 rows of 2,048": ("pretrain", "1b", pretrain(2048, 4, 30, micro_batch="4")),
    "1B pretraining, compiled": ("pretrain", "1b", pretrain(2048, 8, 40, micro_batch="8", compile="true")),
}  # fmt: skip


def slug(name: str) -> str:
    """A folder for a case."""
    return "".join(char if char.isalnum() else "-" for char in name.lower()).strip("-").replace("--", "-")


def prepare(home: Path) -> None:
    """Render every case."""
    import trainee

    for name, (kind, model, fields) in CASES.items():
        facts = trainee.facts(**{**MODELS[model], "tied": model != "8b"})
        data = trainee.Dataset(format="text", test=0)
        inputs = {"base": facts, "data": data} if kind == "finetune" else {"model": facts, "data.0.node": data}
        trainee.write_step(home / slug(name), trainee.rendered(kind, fields, inputs), {})
        print(f"rendered {slug(name)}")


def make_model(home: Path, shape: dict[str, int], *, tied: bool) -> None:
    """Random weights of a shape, made on the accelerator, in bf16 and a few files."""
    import torch
    import trainee
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, LlamaConfig

    home.mkdir(parents=True)
    words = trainee.make_tokenizer(home)
    config = LlamaConfig(
        vocab_size=shape["vocabulary"], hidden_size=shape["width"], intermediate_size=shape["mlp"],
        num_hidden_layers=shape["layers"], num_attention_heads=shape["heads"], num_key_value_heads=shape["kv_heads"],
        head_dim=shape["head_size"], max_position_embeddings=shape["context"], tie_word_embeddings=tied,
        bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id, dtype="bfloat16",
    )  # fmt: skip
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(home)
    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(config)
    names = {name: tuple(each.shape) for name, each in empty.state_dict().items() if not (tied and name == "lm_head.weight")}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    places, shard, size, at = {}, {}, 0, 0

    def flush() -> None:
        nonlocal shard, size, at
        save_file(shard, home / f"model-{at:05}.safetensors", metadata={"format": "pt"})
        places.update(dict.fromkeys(shard, f"model-{at:05}.safetensors"))
        shard, size, at = {}, 0, at + 1

    for name, dims in names.items():
        made = (
            torch.ones(dims, device=device) if len(dims) == 1 else torch.randn(dims, device=device, dtype=torch.bfloat16) * 0.02
        )
        shard[name] = made.to(torch.bfloat16).cpu()
        size += shard[name].nbytes
        if size > 4_000_000_000:
            flush()
    flush()
    (home / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": places}))


def make_text(home: Path, rows: int = 4000) -> None:
    """Made-up text, in rows of many lengths."""
    import trainee

    draw = random.Random(7)  # noqa: S311  # text, no secret
    words = [*trainee.THINGS, *trainee.COLOURS, "the", "is", "which", "and", "of", "near", "a", "has"]
    texts = [" ".join(draw.choices(words, k=draw.randint(100, 900))) for _ in range(rows)]
    trainee.make_dataset(home, [{"text": text} for text in texts])


def lacking(kind: str, fields: dict[str, Any]) -> str:
    """A package that a case needs and that is not here."""
    wanted = ["torch", "transformers", "datasets", *(["trl", "peft"] if kind == "finetune" else [])]
    wanted += ["bitsandbytes"] if fields.get("method") == "qlora" else []
    return next((each for each in wanted if importlib.util.find_spec(each) is None), "")


def run(home: Path, scratch: Path, only: str) -> None:
    """Every case, and a table."""
    import peaks
    import torch

    peak = peaks.peak("cuda" if torch.cuda.is_available() else "cpu", torch.bfloat16) or 1.0
    rows, made = [], ""
    make_text(scratch / "data")
    for name, (kind, model, fields) in CASES.items():
        if only and only not in slug(name):
            continue
        missing = lacking(kind, fields)
        if missing:
            rows.append((name, "-", "-", "-", f"no {missing} here"))
            continue
        if made != model:
            shutil.rmtree(scratch / "model", ignore_errors=True)
            make_model(scratch / "model", MODELS[model], tied=model != "8b")
            made = model
        began = time.perf_counter()
        rows.append(one(name, home / slug(name), scratch, kind, fields, peak))
        print(f"{name}: {rows[-1][1:]} in {time.perf_counter() - began:.0f} s", flush=True)
    widths = [max(len(row[at]) for row in [*rows, HEAD]) for at in range(len(HEAD))]
    print()
    for row in [HEAD, *rows]:
        print("  ".join(each.ljust(width) for each, width in zip(row, widths, strict=True)).rstrip())
    if torch.cuda.is_available():
        print(f"\n{torch.cuda.get_device_name()}: shares of {peak / 1e12:.0f} TFLOP/s; torch {torch.__version__}")


HEAD = ("case", "tokens/s", "TFLOP/s", "of peak", "memory")


def one(name: str, step: Path, scratch: Path, kind: str, fields: dict[str, Any], peak: float) -> tuple[str, str, str, str, str]:
    """One case in a folder of its own."""
    folder = scratch / "steps" / step.name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(step, folder, symlinks=True)
    places = {"base": "model", "data": "data"} if kind == "finetune" else {"model": "model", "data/0": "data"}
    for place, target in places.items():
        (folder / "in" / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / place).symlink_to((scratch / target).absolute())
    own = Path(sys.executable).parent  # scripts call `python`
    environ = {**os.environ, "TMPDIR": str(scratch), "PATH": f"{own}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "run.sh"], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-1500:], done.stderr[-2500:], sep="\n")
        return name, "-", "-", "-", "failed"
    told = json.loads((folder / "measures.json").read_text())
    shape = MODELS[CASES[name][1]]
    context = int(fields["context"])
    flops = told["tokens_per_second"] * operations(shape, context, trained=kind == "pretrain", tied=CASES[name][1] != "8b")
    share = f"{flops / peak:.0%}"
    return name, f"{told['tokens_per_second']:,.0f}", f"{flops / 1e12:.0f}", share, f"{told['memory_peak'] / 1e9:.1f} GB"


def operations(shape: dict[str, int], context: int, *, trained: bool, tied: bool) -> float:
    """Operations a token: all weights forward and backward, the weights' own gradient where they are trained, and attention."""
    width, pair = shape["width"], shape["kv_heads"] * shape["head_size"]
    query = shape["heads"] * shape["head_size"]
    layer = 2 * width * query + 2 * width * pair + 3 * width * shape["mlp"]
    weights = shape["layers"] * layer + shape["vocabulary"] * width
    attention = shape["layers"] * 2 * query * context / 2  # multiply-adds of scores and values, half of them masked
    del tied  # the output is computed in either case
    return (6 if trained else 4) * weights + 6 * attention


def main() -> None:
    """Prepare, run, or both."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--prepare", type=Path, metavar="FOLDER", help="render the step folders into it")
    ask.add_argument("--run", type=Path, metavar="FOLDER", help="run what was rendered there")
    ask.add_argument("--scratch", type=Path, default=Path("/tmp/zyc-training"), help="for models and data (default: %(default)s)")  # noqa: S108
    ask.add_argument("--only", default="", help="cases whose folder holds this word")
    asked = ask.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if asked.prepare:
        prepare(asked.prepare)
    if asked.run:
        shutil.rmtree(asked.scratch, ignore_errors=True)
        asked.scratch.mkdir(parents=True)
        run(asked.run.absolute(), asked.scratch, asked.only)


if __name__ == "__main__":
    main()
