"""Numbers of the next token -> an answer: greedy, or drawn with a seed; it ends by itself, at a stop word, or is cut."""

from dataclasses import dataclass

import numpy as np

LONGEST = 256  # tokens of an answer whose prompt says nothing else


@dataclass
class Answer:
    """What was said, and how it ended."""

    text: str
    tokens: int
    cut: bool  # it did not end by itself: the limit was reached


def answer(engine, ids, sampling=None, *, draw=0):
    """What the model says behind these ids; `draw` tells one question's dice from another's."""
    sampling = sampling or {}
    most = min(sampling.get("max_tokens") or LONGEST, engine.context - len(ids))
    stops = sampling.get("stop") or []
    dice = np.random.default_rng([sampling.get("seed") or 0, draw])
    made, logits = [], engine.read(ids) if most > 0 else None
    while len(made) < most:
        token = choose(logits, sampling, [*ids, *made], dice)
        if engine.ends(token):
            return Answer(engine.text(made), len(made), cut=False)
        made.append(token)
        said = engine.text(made) if stops else ""
        if any(each in said for each in stops):
            return Answer(before(said, stops), len(made), cut=False)
        if len(made) < most:
            logits = engine.step(token)
    return Answer(engine.text(made), len(made), cut=True)


def before(said, stops):
    """A text up to the first of its stop words."""
    return said[: min(said.index(each) for each in stops if each in said)]


def choose(logits, sampling, seen, dice):
    """The likeliest token, or one that is drawn as the prompt says."""
    heat, penalty = sampling.get("temperature"), sampling.get("repeat_penalty") or 1.0
    if penalty != 1.0:
        logits = logits.astype(np.float64)
        at = np.unique(np.array(seen[-64:]))
        logits[at] = np.where(logits[at] > 0, logits[at] / penalty, logits[at] * penalty)
    if not heat:
        return int(np.argmax(logits))
    wide = logits.astype(np.float64) / heat
    chances = np.exp(wide - np.max(wide))
    chances /= chances.sum()
    order = np.argsort(-chances, kind="stable")
    kept = np.ones(len(order), bool)
    if sampling.get("top_k"):
        kept[sampling["top_k"] :] = False
    if sampling.get("top_p"):
        kept &= np.cumsum(chances[order]) - chances[order] < sampling["top_p"]
    if sampling.get("min_p"):
        kept &= chances[order] >= sampling["min_p"] * chances[order[0]]
    kept[0] = True
    left = chances[order[kept]]
    return int(order[kept][np.searchsorted(np.cumsum(left), dice.random() * left.sum(), side="right").clip(0, len(left) - 1)])
