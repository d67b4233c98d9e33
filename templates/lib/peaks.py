"""How much arithmetic a machine could do: what is published of an accelerator, or what one large product reaches on a CPU."""

import re
import time

DENSE = {  # multiply-adds as two operations, without sparsity: in bf16 or fp16, and in 32 bits
    "B200": (2250e12, 75e12),
    "H200": (989e12, 67e12),
    "H100": (989e12, 67e12),
    "A100": (312e12, 19.5e12),
    "A10G": (70e12, 35e12),
    "A10": (125e12, 31e12),
    "L40S": (362e12, 92e12),
    "L4": (121e12, 30e12),
    "V100": (125e12, 15.7e12),
    "T4": (65e12, 8.1e12),
    "GB10": (125e12, 31e12),
    "4090": (165e12, 83e12),
    "3090": (71e12, 36e12),
}
SIZE = 1024
PACKED = {"Params4bit": 2}  # weights in one number of these


def peak(device, dtype):
    """Operations a second of one device."""
    import torch

    if device == "cuda":
        name = torch.cuda.get_device_name()
        known = next((each for each in DENSE if re.search(rf"\b{each}\b", name)), None)  # an RTX A1000 is no A100
        return DENSE[known][dtype == torch.float32] if known else None
    one = torch.randn(SIZE, SIZE, dtype=dtype)
    best = 0.0
    for _ in range(4):
        began = time.perf_counter()
        one @ one
        best = max(best, 2 * SIZE**3 / (time.perf_counter() - began))
    return best


def operations(model, context):
    """Operations of one token in training: all weights forward and backward, the learned ones once more, and attention."""
    config = model.config
    looked_up = () if config.tie_word_embeddings else (id(model.get_input_embeddings().weight),)
    counted = learned = 0
    for each in model.parameters():
        size = 0 if id(each) in looked_up else each.numel() * PACKED.get(type(each).__name__, 1)
        counted += size
        learned += size * each.requires_grad
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    return 4 * counted + 2 * learned + 12 * config.num_hidden_layers * heads * size * context / 2
