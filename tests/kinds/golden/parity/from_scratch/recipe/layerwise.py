"""What a model expects of each next token, in 32 bits, with one layer of it in memory at a time: a 7B takes about 4 GB."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from accelerate import init_empty_weights
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_outputs import MoeModelOutputWithPast

WIDE = torch.float32


class Weights:
    """The tensors of a folder's safetensors files, by name."""

    def __init__(self, folder: Path) -> None:
        index = folder / "model.safetensors.index.json"
        self._folder = folder
        self._files: dict[str, str] = json.loads(index.read_text())["weight_map"] if index.exists() else {}
        if not self._files:
            with safe_open(folder / "model.safetensors", "pt") as file:
                self._files = dict.fromkeys(file.keys(), "model.safetensors")

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def fill(self, model: torch.nn.Module, names: Sequence[str]) -> None:
        """Give these parameters of a model their numbers."""
        for name in names:
            with safe_open(self._folder / self._files[name], "pt") as file:
                _put(model, name, file.get_tensor(name).to(WIDE))


def _put(model: torch.nn.Module, name: str, numbers: torch.Tensor) -> None:
    owner, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(owner), leaf, torch.nn.Parameter(numbers, requires_grad=False))


def logits(folder: Path, texts: Sequence[Sequence[int]]) -> Iterator[torch.Tensor]:
    """For each text its logits: all texts go through one layer before the next one is read."""
    model = _model(folder)
    decoder = model.get_decoder()
    ids = torch.zeros(len(texts), max(map(len, texts)), dtype=torch.long)
    for row, text in zip(ids, texts, strict=True):
        row[: len(text)] = torch.tensor(text)  # what stands behind a text is not seen from within it
    with torch.inference_mode():
        states = decoder(input_ids=ids, use_cache=False).last_hidden_state
        for text, state in zip(texts, states, strict=True):
            # the rest of the model, whatever it does with what its layers found: a mixture looks for its routers, too
            known = MoeModelOutputWithPast(last_hidden_state=state[None, : len(text)])
            decoder.forward = lambda *_, known=known, **__: known
            yield model(input_ids=torch.tensor([text]), use_cache=False).logits[0]


def _model(folder: Path) -> torch.nn.Module:
    """The model, its layers empty until they are called; whole where its files name their tensors in another way."""
    weights = Weights(folder)
    with init_empty_weights(include_buffers=False):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=WIDE).eval()
    names = list(dict(model.named_parameters()))
    tied = {each for each in names if each not in weights and each in (model.all_tied_weights_keys or ())}
    lists = [(name, each) for name, each in model.named_modules() if each is getattr(model.get_decoder(), "layers", None)]
    if not lists or any(each not in weights for each in names if each not in tied):
        return AutoModelForCausalLM.from_pretrained(folder, dtype=WIDE).eval()
    ((prefix, layers),) = lists
    for at, layer in enumerate(layers):
        _come_and_go(weights, model, layer, [each for each in names if each.startswith(f"{prefix}.{at}.")])
    weights.fill(model, [each for each in names if not each.startswith(f"{prefix}.") and each not in tied])
    model.tie_weights()
    return model


def _come_and_go(weights: Weights, model: torch.nn.Module, layer: torch.nn.Module, names: Sequence[str]) -> None:
    """Let a layer read its numbers when it is called, and give them back."""

    def read(*_: object) -> None:
        weights.fill(model, names)

    def drop(*_: object) -> None:
        layer.to("meta")

    layer.register_forward_pre_hook(read)
    layer.register_forward_hook(drop)
