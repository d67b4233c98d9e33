"""How a trained model differs from the one it started as: what it prefers now, and how far it has moved."""

import contextlib
from itertools import product

MOST = 64  # rows that are looked at
AT_ONCE = 4


def reference(model, base, **how):
    """What stands for the model as it was: its adapter switched off, or the base read again."""
    if hasattr(model, "disable_adapter"):
        return None
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(base, **how).to(model.device).eval()


def _off(model, other):
    return model.disable_adapter() if other is None else contextlib.nullcontext()


def told(model, other, pairs, pad):
    """For each (prompt, answer): how likely each of both finds the answer, and how far they are apart in each of its tokens."""
    import torch

    rows = []
    model.eval()
    for start in range(0, len(pairs), AT_ONCE):
        part = pairs[start : start + AT_ONCE]
        width = max(len(prompt) + len(said) for prompt, said in part)
        ids = torch.full((len(part), width), pad)
        mask = torch.zeros((len(part), width), dtype=torch.long)
        for at, (prompt, said) in enumerate(part):
            ids[at, : len(prompt) + len(said)] = torch.tensor(prompt + said)
            mask[at, : len(prompt) + len(said)] = 1
        ids, mask = ids.to(model.device), mask.to(model.device)
        with torch.no_grad():
            now = model(input_ids=ids, attention_mask=mask).logits.float().log_softmax(-1)
            with _off(model, other):
                before = (other or model)(input_ids=ids, attention_mask=mask).logits.float().log_softmax(-1)
        apart = (now.exp() * (now - before)).sum(-1)
        for at, (prompt, said) in enumerate(part):
            places = slice(max(0, len(prompt) - 1), len(prompt) + len(said) - 1)
            next_ = ids[at, places.start + 1 : places.stop + 1].unsqueeze(-1)
            chances = [each[at, places].gather(-1, next_).sum().item() for each in (now, before)]
            rows.append((*chances, apart[at, places].sum().item(), len(said)))
    return rows


def preferences(model, other, rows, beta, pad):
    """What the model has come to prefer, on rows with two answers or with verdicts: margin, accuracy, distance."""
    rows = [rows[at] for at in range(min(MOST, len(rows)))]
    if "completion_ids" in rows[0]:
        found = told(model, other, [(row["prompt_ids"], row["completion_ids"]) for row in rows], pad)
        sides = [[beta * (now - before) for (now, before, *_), row in zip(found, rows, strict=True) if row["label"] is wanted]
                 for wanted in (True, False)]  # fmt: skip
        pairs = list(product(*sides))
    else:
        found = told(
            model, other, [(row["prompt_ids"], row[name]) for row in rows for name in ("chosen_ids", "rejected_ids")], pad
        )
        worth = [beta * (now - before) for now, before, *_ in found]
        pairs = list(zip(worth[::2], worth[1::2], strict=True))
    return {**of_pairs(pairs), "kl": distance(found)}


def scores(model, rows, pad):
    """What a reward model thinks of the two answers of each row."""
    import torch

    rows = [rows[at] for at in range(min(MOST, len(rows)))]
    pairs = []
    model.eval()
    for row in rows:
        both = [row[name] for name in ("chosen_ids", "rejected_ids")]
        width = max(map(len, both))
        ids = torch.tensor([each + [pad] * (width - len(each)) for each in both], device=model.device)
        mask = torch.tensor([[1] * len(each) + [0] * (width - len(each)) for each in both], device=model.device)
        with torch.no_grad():
            pairs.append(tuple(model(input_ids=ids, attention_mask=mask).logits[:, 0].float().tolist()))
    return of_pairs(pairs)


def of_pairs(pairs):
    """How much more the good ones are worth, and how often they are worth more."""
    if not pairs:
        return {}
    return {
        "reward.margin": sum(good - bad for good, bad in pairs) / len(pairs),
        "reward.accuracy": sum(good > bad for good, bad in pairs) / len(pairs),
    }


def distance(found):
    """The mean divergence from what it was, a token of an answer."""
    tokens = sum(count for *_, count in found)
    return sum(apart for _, _, apart, _ in found) / tokens if tokens else None


def answered(model, tokenizer, rendered, longest):
    """Greedy answers to prompts, as ids with their end, one after the other: each is what it would be alone."""
    import torch

    told, before = [], model.training
    model.eval()
    for text in rendered:
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids.to(model.device)
        with torch.no_grad():
            made = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=longest,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
                use_cache=True,
            )
        told.append((ids[0].tolist(), made[0, ids.shape[1] :].tolist()))
    model.train(before)
    return told
