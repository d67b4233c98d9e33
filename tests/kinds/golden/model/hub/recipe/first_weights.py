"""First weights that let a tiny model copy: what a head looks at it hands on, and later layers look for what is like it."""

import torch


@torch.no_grad()
def copying(model):
    """`o = v^T` in every layer, `q = k` in all but the first; a head that shares its keys and values has theirs."""
    config = model.config
    heads, shared = config.num_attention_heads, config.num_key_value_heads
    for at, layer in enumerate(model.model.layers):
        attention = layer.self_attn
        torch.nn.init.orthogonal_(attention.v_proj.weight)
        attention.o_proj.weight.copy_(repeated(attention.v_proj.weight, heads, shared).T * (shared / heads))
        if at:
            torch.nn.init.orthogonal_(attention.k_proj.weight)
            attention.q_proj.weight.copy_(repeated(attention.k_proj.weight, heads, shared))


def repeated(weight, heads, shared):
    """The rows of keys or values for every head, as attention shares them out."""
    size = weight.shape[0] // shared
    return weight.view(shared, size, -1).repeat_interleave(heads // shared, dim=0).reshape(heads * size, -1)
