"""Models as people have them, small enough to be written by a test: a folder of transformers, and a hub cache that holds one."""

import json
from pathlib import Path

CONFIG = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 512, "max_position_embeddings": 256, "tie_word_embeddings": True, "dtype": "float32",
}  # fmt: skip
TOKENIZER = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "<|im_end|>", "add_bos_token": True}
CHATML = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
COMMITS = {"main": "1" * 40, "v1": "2" * 40}


def folder(home, *, weights=("model.safetensors",), **config):
    """The small files of a model, and files where weights would be: enough to plan with."""
    home = Path(home)
    home.mkdir(parents=True, exist_ok=True)
    told = {name: value for name, value in {**CONFIG, **config}.items() if value is not None}
    (home / "config.json").write_text(json.dumps(told))
    (home / "tokenizer_config.json").write_text(json.dumps(TOKENIZER))
    (home / "chat_template.jinja").write_text(CHATML)
    (home / "tokenizer.json").write_text("{}")
    for name in weights:
        (home / name).write_bytes(b"weights")
    return home


def hub(cache, repository, source=None, *, kind="model", commits=COMMITS):
    """A repository as the user's own cache keeps it: references, and for each commit a snapshot with links to its bytes."""
    home = Path(cache) / f"{kind}s--{repository.replace('/', '--')}"
    (home / "refs").mkdir(parents=True, exist_ok=True)
    (home / "blobs").mkdir(exist_ok=True)
    for revision, commit in commits.items():
        (home / "refs" / revision).write_text(commit)
        snapshot = home / "snapshots" / commit
        snapshot.mkdir(parents=True, exist_ok=True)
        for path in sorted(Path(source).iterdir()) if source is not None else ():
            blob = home / "blobs" / f"{path.name}-{commit[:4]}"
            blob.write_bytes(path.read_bytes())
            link = snapshot / path.name
            link.unlink(missing_ok=True)
            link.symlink_to(Path("..") / ".." / "blobs" / blob.name)
    return home
