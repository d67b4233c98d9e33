"""Prompt and decode speed of an evaluation beside llama-bench on the same GGUF: a random llama of 260 M weights, one number each.

    python benchmarks/evaluating.py [FOLDER]

Both read 512 tokens and write 64 on the same threads; the best of three rounds counts. The bar is .9.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROMPT, NEW, RUNS, ROUNDS, BAR = 512, 64, 2, 3, 0.9
for part in ("lib", "shared", "speed/lib"):
    sys.path.insert(0, str(ROOT / "templates" / part))


def made(path: Path, *, layers: int = 16, width: int = 1024, mlp: int = 2816, words: int = 32_000) -> Path:
    """A GGUF of random weights in 16 bits, with a vocabulary that says nothing."""
    import gguf
    import numpy as np

    writer, dice = gguf.GGUFWriter(path, "llama"), np.random.default_rng(1)
    writer.add_context_length(2048)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(mlp)
    writer.add_head_count(width // 64)
    writer.add_head_count_kv(width // 128)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(64)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("llama")
    special = ["<unk>", "<s>", "</s>", *(f"<0x{at:02X}>" for at in range(256))]
    writer.add_token_list([*special, *(f"w{at}" for at in range(words - len(special)))])
    writer.add_token_scores([0.0] * len(special) + [-float(at) for at in range(words - len(special))])
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL, *[gguf.TokenType.BYTE] * 256]
    writer.add_token_types([*kinds, *[gguf.TokenType.NORMAL] * (words - len(special))])

    def matrix(name: str, rows: int, columns: int) -> None:
        writer.add_tensor(
            f"{name}.weight", dice.standard_normal((rows, columns), np.float32).astype(np.float16) * np.float16(0.02)
        )

    matrix("token_embd", words, width)
    matrix("output", words, width)
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    for at in range(layers):
        for name, rows, columns in (
            ("attn_q", width, width), ("attn_k", width // 2, width), ("attn_v", width // 2, width), ("attn_output", width, width),
            ("ffn_gate", mlp, width), ("ffn_up", mlp, width), ("ffn_down", width, mlp),
        ):  # fmt: skip
            matrix(f"blk.{at}.{name}", rows, columns)
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{at}.{name}.weight", np.ones(width, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def bench(program: Path, model: Path, threads: int) -> dict[str, float]:
    """Tokens a second of llama-bench; it writes behind as many tokens as an evaluation does, not behind none."""
    told = {}
    for name, work in {
        "prompt": ["-p", str(PROMPT), "-n", "0"],
        "decode": ["-p", "0", "-n", str(NEW), "-d", str(PROMPT)],
    }.items():
        options = [*work, "-r", str(RUNS), "-t", str(threads), "-o", "json"]
        done = subprocess.run([str(program), "-m", str(model), *options], capture_output=True, text=True, check=True)
        told[name] = max(each for test in json.loads(done.stdout) for each in test["samples_ts"])
    return told


def ours(model: Path, version: str) -> dict[str, float]:
    """Tokens a second of an evaluation's own loop."""
    import timing

    work = timing.Work(PROMPT, NEW, PROMPT + NEW, RUNS)
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "in").mkdir()
        Path(folder, "in/model").symlink_to(model.parent, target_is_directory=True)
        os.chdir(folder)
        try:
            runs, _ = timing.alone(work, {}, "llama.cpp", version)
        finally:
            os.chdir(here)
    return {
        "prompt": max(PROMPT / each.first for each in runs),
        "decode": max((each.tokens - 1) / (each.whole - each.first) for each in runs),
    }


def _better(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {name: max(one.get(name, 0), value) for name, value in other.items()}


def main() -> None:
    """Both, and their ratio; ends with 1 under the bar."""
    import llama_home

    threads = int(os.environ.setdefault("OMP_NUM_THREADS", "1"))
    home = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    model = home / "model.gguf"
    if not model.exists():
        made(model)
    program = llama_home.build(llama_home.VERSION, print) / "bin/llama-bench"
    mine: dict[str, float] = {}
    theirs: dict[str, float] = {}
    for _ in range(ROUNDS):  # in turn, so that a busy minute meets both
        theirs = _better(theirs, bench(program, model, threads))
        mine = _better(mine, ours(model, llama_home.VERSION))
    for name, value in mine.items():
        print(f"{name}: {value:,.1f} tokens/s, llama-bench {theirs[name]:,.1f}: {value / theirs[name]:.2f} of it")
    if min(mine[name] / theirs[name] for name in mine) < BAR:
        sys.exit(f"under the bar of {BAR}")


if __name__ == "__main__":
    main()
