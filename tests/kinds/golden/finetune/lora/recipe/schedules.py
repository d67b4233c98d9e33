"""How the learning rate goes, as transformers calls it."""

NAMES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup", "wsd": "warmup_stable_decay"}
DECAY = 0.2  # of all steps: the part of `wsd` in which the rate falls


def schedule(name, warmup, steps):
    """The settings of a schedule over so many steps; `warmup` is a share of them."""
    told = {"lr_scheduler_type": NAMES[name], "warmup_steps": round(warmup * steps)}
    if name == "wsd":
        told["lr_scheduler_kwargs"] = {"num_decay_steps": max(1, round(DECAY * steps)), "decay_type": "1-sqrt"}
    return told


def steps_of(rows, batch, *, epochs=None, steps=None):
    """How many steps a run has: as it is said, or as many batches as the rows fill, the last one of an epoch perhaps not full."""
    if steps is not None:
        return steps
    each = -(-rows // batch)
    return max(1, round(epochs * each))
