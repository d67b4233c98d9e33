"""What an adapter changes of each tensor of its base: LoRA, rank-stabilised LoRA, DoRA, and layers that it keeps whole."""

import json
import math
import re
from pathlib import Path

import torch
from safetensors import safe_open

PREFIX = "base_model.model."
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
PARTS = {
    "lora_A.weight": "a",
    "lora_B.weight": "b",
    "lora_embedding_A": "a",
    "lora_embedding_B": "b",
    "lora_magnitude_vector": "magnitude",
    "lora_magnitude_vector.weight": "magnitude",
}
UNKNOWN = ("use_qalora", "use_bdlora", "lora_bias", "layer_replication", "fan_in_fan_out", "megatron_config", "target_parameters")


def refuse(says):
    """End the step with a sentence."""
    raise SystemExit(f"error: {says}")


class Adapter:
    """An adapter on the disk, asked tensor by tensor."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.config = json.loads((self.folder / "adapter_config.json").read_text(encoding="utf-8"))
        if self.config.get("peft_type") != "LORA":
            refuse(f"an adapter of type {self.config.get('peft_type')} cannot be fused: only LoRA and its kin can")
        for name in UNKNOWN:
            if self.config.get(name):
                refuse(f"the adapter was trained with `{name}`, which cannot be fused here")
        if self.config.get("bias", "none") != "none":
            refuse("the adapter trained biases, which cannot be fused here")
        self.file = safe_open(self.folder / "adapter_model.safetensors", "pt")
        self.layers, self.whole, self.under = {}, {}, {}
        for key in self.file.keys():  # noqa: SIM118  # it is no mapping
            name = key.removeprefix(PREFIX)
            part = next((each for each in PARTS if name.endswith(f".{each}")), None)
            if part:
                self.layers.setdefault(f"{name.removesuffix(f'.{part}')}.weight", {})[PARTS[part]] = key
            elif name.endswith(".base_layer.weight"):
                self.under[name.replace(".base_layer", "")] = key  # an embedding as it was, which peft keeps too
            else:
                self.whole[name] = key

    def scale(self, name):
        """How much the change of a layer counts."""
        module = name.removesuffix(".weight")
        rank = _by_pattern(self.config.get("rank_pattern"), module, self.config["r"])
        alpha = _by_pattern(self.config.get("alpha_pattern"), module, self.config["lora_alpha"])
        return alpha / math.sqrt(rank) if self.config.get("use_rslora") else alpha / rank

    def _part(self, name, part):
        key = self.layers[name].get(part)
        return None if key is None else self.file.get_tensor(key).to(torch.float32)

    def changed(self, name, weight):
        """A tensor of the base with the change in it, in single precision; the same one where there is none."""
        if name in self.whole:
            kept = self.file.get_tensor(self.whole[name])
            _same_shape(name, kept.shape, weight.shape)
            return kept
        if name in self.under:
            under = self.file.get_tensor(self.under[name])
            _same_shape(name, under.shape, weight.shape)
            weight = under
        if name not in self.layers:
            return weight
        a, b = self._part(name, "a"), self._part(name, "b")
        if a is None or b is None:
            refuse(f"the adapter has one half of `{name}` only")
        delta = b @ a
        embedding = self.layers[name]["a"].endswith("lora_embedding_A")
        delta = (delta.T if embedding else delta) * self.scale(name)
        _same_shape(name, delta.shape, weight.shape)
        told = weight.to(torch.float32) + delta
        magnitude = self._part(name, "magnitude")
        if magnitude is not None:
            told = magnitude.view(-1, 1) * told / torch.linalg.norm(told, dim=1, keepdim=True)
        return told

    def head(self, strangers, *, tied):
        """The output layer of an adapter that was trained apart from the embedding of a tied base; it is no stranger then."""
        name, embedding = HEAD, EMBEDDING
        if name not in strangers or name not in self.whole or not tied:
            return None
        strangers.remove(name)
        head = self.file.get_tensor(self.whole[name])
        same = embedding in self.whole and torch.equal(head, self.file.get_tensor(self.whole[embedding]))
        return None if same else head

    def unties(self, *, tied):
        """Whether it changes the embedding of a tied base and leaves the output as it was: they are two from then on."""
        return tied and EMBEDDING in self.layers and not self.config.get("ensure_weight_tying")

    def strangers(self, names):
        """What it changes that the base does not have."""
        return sorted({*self.layers, *self.whole} - set(names))


def _by_pattern(patterns, module, otherwise):
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return otherwise


def _same_shape(name, there, wanted):
    if tuple(there) != tuple(wanted):
        refuse(
            f"the adapter changes `{name}` as if it were {tuple(there)}, and the base has {tuple(wanted)}: "
            "it was trained on another base"
        )
