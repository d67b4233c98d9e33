"""Two answers -> who won: a judge prefers the one that stands first or second, and is asked in both orders."""

import json
from pathlib import Path

import numpy as np
from asked import chat
from divergence import chances
from sampler import answer

ASK = (
    "Here is a question and two answers to it.\n\nQuestion: {question}\n\nAnswer A: {first}\n\nAnswer B: {second}\n\n"
    "Which answer is better: more correct, more helpful, better said? Reply with one letter, A or B."
)
SURE = 1e-6  # what two numbers must differ by


def answered(engine, asked, at):
    """What one of them says."""
    ids = engine.ids(engine.render(chat(asked), asked.prompt.get("arguments")))
    if len(ids) >= engine.context:
        raise SystemExit(f"error: question {asked.id} has {len(ids):,} tokens, and the model sees {engine.context:,}")
    return answer(engine, ids, asked.prompt.get("sampling"), draw=at).text


def by_model(engine):
    """The letter that the model expects most: how much likelier A is than B, in nats."""
    letters = [engine.plain(each)[-1] for each in ("A", "B")]

    def prefers_first(question, first, second):
        text = engine.render([{"role": "user", "content": ASK.format(question=question, first=first, second=second)}])
        ids = engine.ids(text)
        if len(ids) >= engine.context:
            raise SystemExit(f"error: a judge that sees {engine.context:,} tokens cannot read {len(ids):,}")
        told = chances(engine.read(ids)[None])[0]
        return float(told[letters[0]] - told[letters[1]])

    return prefers_first


def by_scorer(folder):
    """How much more the scorer gives the first of two answers."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    published = Path(folder, "chat_template.jinja")
    if published.exists():
        tokenizer.chat_template = published.read_text(encoding="utf-8")
    told = json.loads(Path(folder, "scorer.json").read_text(encoding="utf-8"))
    sign = -1.0 if told.get("better") == "lower" else 1.0
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1, dtype="auto").eval()

    def number(question, said):
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": said}]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        with torch.no_grad():
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
            return sign * float(model(input_ids=ids).logits[0, 0])

    return lambda question, first, second: number(question, first) - number(question, second)


def judged(prefers_first, question, ours, theirs):
    """Who won: `model`, `rival`, or nobody, when the two orders disagree or the answers are the same."""
    if ours.strip() == theirs.strip():
        return {"won": "tie", "right": None}
    there, back = prefers_first(question, ours, theirs), -prefers_first(question, theirs, ours)
    if there > SURE and back > SURE:
        return {"won": "model", "right": True}
    return {"won": "rival", "right": False} if there < -SURE and back < -SURE else {"won": "tie", "right": None}


def counts(rows):
    """A tie is half a win."""
    won = np.array([{"model": 1.0, "tie": 0.5, "rival": 0.0}[row["won"]] for row in rows])
    return {"win_rate": float(won.mean()), "ties": float((won == 0.5).mean()), "questions": len(rows)}
