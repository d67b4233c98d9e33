"""How the learning rate goes, as transformers calls it."""

import math

NAMES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup", "wsd": "warmup_stable_decay"}
DECAY = 0.2  # of all steps: the part of `wsd` in which the rate falls


def schedule(name, warmup, steps):
    """The settings of a schedule over so many steps; `warmup` is a share of them."""
    told = {"lr_scheduler_type": NAMES[name], "warmup_steps": round(warmup * steps)}
    if name == "wsd":
        told["lr_scheduler_kwargs"] = {"num_decay_steps": max(1, round(DECAY * steps)), "decay_type": "1-sqrt"}
    return told


def steps_of(rows, batch, *, epochs=None, steps=None):
    """How many steps a run has: as it is said, or as many batches as the rows fill in all epochs together."""
    if steps is not None:
        return steps
    return max(1, round(rows * epochs / batch))


def factor(name, warmup, step, steps):
    """The share of the highest rate at a step that has not been taken yet, as the schedules of transformers give it."""
    rising = round(warmup * steps)
    if step < rising:
        return step / rising
    if name == "constant":
        return 1.0
    if name == "wsd":
        falling = max(1, round(DECAY * steps))
        return 1.0 if step < steps - falling else 1.0 - math.sqrt(min(1.0, (step - steps + falling) / falling))
    done = (step - rising) / max(1, steps - rising)
    return max(0.0, 1.0 - done if name == "linear" else 0.5 * (1.0 + math.cos(math.pi * done)))
