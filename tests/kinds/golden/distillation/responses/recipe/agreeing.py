"""How well a student agrees with a teacher: of the tokens of the teacher's answers, those that it would say itself."""

from chats import UNTRAINED

AT_ONCE = 4


def agreement(model, rows, pad):
    """The share of tokens, on rows of ids and labels that are the teacher's answers as the student reads them."""
    import torch

    right = count = 0
    model.eval()
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        width = max(map(len, part["input_ids"]))
        ids = torch.tensor([each + [pad] * (width - len(each)) for each in part["input_ids"]], device=model.device)
        mask = torch.tensor([[1] * len(each) + [0] * (width - len(each)) for each in part["input_ids"]], device=model.device)
        labels = torch.tensor([each + [UNTRAINED] * (width - len(each)) for each in part["labels"]], device=model.device)
        with torch.no_grad():
            said = model(input_ids=ids, attention_mask=mask).logits[:, :-1].argmax(-1)
        there = labels[:, 1:] != UNTRAINED
        right += int(((said == labels[:, 1:]) & there).sum())
        count += int(there.sum())
    return right / count if count else None


def measured(model, held, weights, pad):
    """With each teacher by its number, and with all of them by their weights."""
    told = {}
    for at, rows in enumerate(held):
        value = agreement(model, rows, pad) if rows is not None and len(rows) else None
        if value is not None:
            told[at] = value
    if not told:
        return {}
    shares = {at: weights[at] or 1.0 for at in told}
    mean = sum(told[at] * shares[at] for at in told) / sum(shares.values())
    return {"agreement": mean, **{f"agreement.{at + 1}": value for at, value in told.items()}}
