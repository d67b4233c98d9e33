"""A model of transformers -> a graph of ONNX that takes any number of rows and tokens, padded on either side, and has a cache.

Inputs: `input_ids`, `attention_mask` (over what was kept before, too), `past_key_values.N.key` and `.value`; positions are
counted by the mask. Outputs: `logits`, `present.N.key` and `.value`. The names are those of transformers.js and optimum.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx_session import Session
from transformers import AutoModelForCausalLM, DynamicCache

OPSET = 18
LARGE = 1_500_000_000  # bytes: one file of ONNX holds 2 GB at most, and weights then lie beside it
ATOL = 1e-3  # in 32 bits the graph computes what transformers computes: differences of logits are rounding
CASES = ((1, 1, 0), (1, 5, 0), (3, 40, 0), (2, 1, 12), (2, 9, 4))  # rows, tokens, tokens that were kept before


class Flat(torch.nn.Module):
    """The model with its cache as plain tensors."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, past: list[torch.Tensor]
    ) -> tuple[torch.Tensor, ...]:
        """Logits, and the cache with these tokens in it."""
        tokens = input_ids.shape[1]
        positions = (attention_mask.cumsum(-1) - 1).clamp(min=0)[:, -tokens:]
        cache = DynamicCache()  # without windows: the mask has them
        for at in range(len(past) // 2):
            cache.update(past[2 * at], past[2 * at + 1], at)
        told = self.model(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=positions, past_key_values=cache, use_cache=True
        )
        kept = [each for layer in told.past_key_values.layers for each in (layer.keys, layer.values)]
        return (told.logits, *kept)


def load(folder: Path) -> torch.nn.Module:
    """The model in 32 bits."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def size(model: torch.nn.Module) -> int:
    """Bytes of its weights; tied ones once."""
    return sum(each.numel() * each.element_size() for each in model.parameters())


def kept_shape(model: torch.nn.Module) -> tuple[int, int, int]:
    """Layers, heads and size of what is kept."""
    told = model.config
    head = getattr(told, "head_dim", None) or told.hidden_size // told.num_attention_heads
    return told.num_hidden_layers, told.num_key_value_heads, head


def names(prefix: str, layers: int) -> list[str]:
    """Of the tensors of a cache."""
    return [f"{prefix}.{at}.{part}" for at in range(layers) for part in ("key", "value")]


def example(model: torch.nn.Module, rows: int, tokens: int, before: int, *, padded: int = 0, seed: int = 0) -> tuple:
    """Ids, mask and cache: the first row has so many tokens of padding before it."""
    draw = torch.Generator().manual_seed(seed)
    layers, heads, head = kept_shape(model)
    ids = torch.randint(0, model.config.vocab_size, (rows, tokens), generator=draw)
    mask = torch.ones(rows, before + tokens, dtype=torch.long)
    mask[0, :padded] = 0
    past = [torch.randn(rows, heads, before, head, generator=draw) for _ in range(2 * layers)]
    return ids, mask, past


def export(model: torch.nn.Module, path: Path, *, external: bool) -> None:
    """Write the graph; nothing in it says where or by what it was made."""
    layers = kept_shape(model)[0]
    free = torch.export.Dim.DYNAMIC
    shapes = {
        "input_ids": {0: free, 1: free},
        "attention_mask": {0: free, 1: free},
        "past": [{0: free, 2: free} for _ in range(2 * layers)],
    }
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer, about code that is not ours
        program = torch.onnx.export(
            Flat(model),
            example(model, 2, 7, 3),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=shapes,
            input_names=["input_ids", "attention_mask", *names("past_key_values", layers)],
            output_names=["logits", *names("present", layers)],
            verbose=False,
        )
    program.save(str(path), external_data=external)
    tidy(path)


def tidy(path: Path) -> None:
    """Give dimensions their names, and take out notes about lines of code on this machine."""
    told = onnx.load(str(path), load_external_data=False)
    for node in told.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for part in (told, told.graph, *told.functions, *told.graph.value_info, *told.graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    del told.graph.value_info[:]  # they are inferred again when the file is read, and have other names for dimensions
    told.producer_name, told.producer_version = "", ""
    for value in (*told.graph.input, *told.graph.output):
        dims = value.type.tensor_type.shape.dim
        named = {0: "batch", 1: "tokens"} if len(dims) == 3 or value.name == "input_ids" else {0: "batch", 2: "kept"}
        named = {0: "batch", 1: "all"} if value.name == "attention_mask" else named
        named = {0: "batch", 2: "all"} if value.name.startswith("present") else named
        for at, name in named.items():
            dims[at].dim_param = name
        value.ClearField("metadata_props")
    onnx.save(told, str(path))


def farthest(model: torch.nn.Module, path: Path) -> float:
    """The largest difference between what onnxruntime and transformers compute: of several sizes, with and without padding."""
    flat, session, worst = Flat(model), Session(path), 0.0
    layers = kept_shape(model)[0]
    for at, (rows, tokens, before) in enumerate(CASES):
        for padded in {0, min(3, (before + tokens) // 2)}:
            ids, mask, past = example(model, rows, tokens, before, padded=padded, seed=at)
            with torch.inference_mode():
                wanted = flat(ids, mask, past)
            kept = {name: each.numpy() for name, each in zip(names("past_key_values", layers), past, strict=True)}
            found, given = session.step(ids.numpy(), mask.numpy(), kept)
            seen = mask[:, -tokens:].numpy().astype(bool)
            worst = max(worst, _apart(wanted[0].numpy(), found, seen))
            if [each.shape for each in given.values()] != [tuple(each.shape) for each in wanted[1:]]:
                raise SystemExit("error: the graph keeps another number of tokens than the model does")
    return worst


def _apart(wanted: np.ndarray, found: np.ndarray, seen: np.ndarray) -> float:
    told = np.abs(wanted - found)[seen]
    if not np.isfinite(told).all():
        raise SystemExit("error: the graph computes numbers that are none: the weights hold NaN or infinite numbers")
    return float(told.max(initial=0.0))
