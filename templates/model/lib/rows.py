"""Tokens and the rows of the embedding that belong to them: none without a row, and new ones begin where the others are."""

import math
from pathlib import Path

import folder
import tokenizer_files


def check(tokenizer, rows):
    """Whether every id has a row."""
    last = max(tokenizer.get_vocab().values())
    if last >= rows:
        raise SystemExit(
            f"the tokenizer gives ids up to {last:,}, and the embedding has {rows:,} rows: they do not belong together"
        )


def check_ids(home):
    """Whether the tokenizer and the embedding in a folder belong together."""
    from transformers import AutoTokenizer

    shapes = {name: each["shape"] for file in folder.weights_of(home) for name, each in folder.header(Path(home, file)).items()}
    embedding = next((shape for name, shape in shapes.items() if name.endswith("embed_tokens.weight")), None)
    if embedding is not None:
        check(AutoTokenizer.from_pretrained(home), embedding[0])


def add(home, tokens, *, code=False):
    """Add tokens to the model in a folder; their rows are the mean of the others."""
    from transformers import AddedToken, AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(home, trust_remote_code=code)
    known = tokenizer.get_vocab()
    twice = [each for each in tokens if each in known]
    if twice:
        raise SystemExit(f"the tokenizer has {twice[0]!r} already: leave it out of `add_tokens`")
    tokenizer.add_tokens([AddedToken(each, special=True, normalized=False) for each in tokens])
    model = AutoModelForCausalLM.from_pretrained(home, dtype="auto", trust_remote_code=code)
    before = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > before:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    fill(model, sorted(tokenizer.convert_tokens_to_ids(list(tokens))), len(known))
    for name in folder.weights_of(home):
        Path(home, name).unlink()
    Path(home, folder.INDEX).unlink(missing_ok=True)
    model.save_pretrained(home)
    tokenizer_files.save(tokenizer, home, added=tokens)


def fill(model, ids, known):
    """Rows of new tokens: the mean of the rows that were learnt."""
    import torch

    with torch.no_grad():
        for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
            if layer is not None:
                weight = layer.weight
                weight[ids] = weight[:known].float().mean(dim=0).to(weight.dtype)


def measure(home):
    """Parameters and bytes, from the headers alone."""
    tensors = [each for file in folder.weights_of(home) for each in folder.header(Path(home, file)).values()]
    return {
        "parameters": sum(math.prod(each["shape"]) for each in tensors),
        "bytes": sum(Path(home, name).stat().st_size for name in folder.weights_of(home)),
    }
