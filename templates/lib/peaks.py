"""How much arithmetic a machine could do: what is published of an accelerator, or what one large product reaches on a CPU."""

import time

DENSE = {  # multiply-adds in bf16 or fp16 as two operations, without sparsity
    "H100": 989e12,
    "H200": 989e12,
    "B200": 2250e12,
    "A100": 312e12,
    "A10G": 70e12,
    "A10": 125e12,
    "L40S": 362e12,
    "L4": 121e12,
    "V100": 125e12,
    "T4": 65e12,
    "GB10": 125e12,
    "4090": 165e12,
    "3090": 71e12,
}
SIZE = 1024


def peak(device, dtype):
    """Operations a second of one device."""
    import torch

    if device == "cuda":
        name = torch.cuda.get_device_name()
        return next((value for known, value in DENSE.items() if known in name), None)
    one = torch.randn(SIZE, SIZE, dtype=dtype)
    best = 0.0
    for _ in range(4):
        began = time.perf_counter()
        one @ one
        best = max(best, 2 * SIZE**3 / (time.perf_counter() - began))
    return best


def operations(model, context):
    """Operations that one token costs in training: all weights forward and twice backward, and attention over the row."""
    config = model.config
    counted = sum(each.numel() for each in model.parameters())
    if not config.tie_word_embeddings:
        counted -= model.get_input_embeddings().weight.numel()
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    return 6 * counted + 12 * config.num_hidden_layers * heads * size * context / 2
