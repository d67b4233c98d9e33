"""How far two models are from each other: on texts of many sorts, and on what the first one says by itself."""

import torch

SEED = 0
LONGEST = 192  # tokens of a text
TIE = 0.01  # nats
SAID = 48  # tokens that the model says by itself
QUESTIONS = (
    "What is the capital of France?",
    "Explain in two sentences why the sky is blue.",
    "Écris une phrase sur la mer en automne.",
    "Wie spät ist es, wenn die Sonne untergeht?",
    "Write a Python function that adds two numbers.",
    "Translate to Spanish: good morning, how are you?",
    "List three colours.",
    "Turn on the light in the kitchen.",
)
TEXTS = (
    "It was a bright cold day in April, and the clocks were striking thirteen.",
    "La mer, qu'on voit danser le long des golfes clairs, a des reflets d'argent.",
    "def mean(values):\n    return sum(values) / len(values)\n",
    '{"name": "table", "legs": 4, "tags": ["wood", "old"], "price": 129.90}',
    "1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144",
    "Whoever sows in spring will reap in autumn; whoever sleeps in summer will be hungry in winter.",
)


def probes(model, tokenizer):
    """Token ids to compare on: texts as they are, and chats that the model goes on with by itself."""
    told = [tokenizer(text, return_tensors="pt").input_ids[:, :LONGEST] for text in TEXTS]
    torch.manual_seed(SEED)
    for question in QUESTIONS:
        if tokenizer.chat_template:
            text = tokenizer.apply_chat_template(
                [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True, date_string="26 Jul 2024"
            )
            ids = tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
        else:
            ids = tokenizer(question, return_tensors="pt").input_ids
        ids = ids.to(model.device)
        made = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=SAID, do_sample=True, temperature=1.0, top_k=0,
            top_p=1.0, pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
        )  # fmt: skip
        told.append(made.cpu())
    return told


@torch.no_grad()
def views(model, ids):
    """The log-probabilities of every next token, text by text."""
    return [torch.log_softmax(model(input_ids=each.to(model.device)).logits[0].float(), dim=-1).cpu() for each in ids]


def distance(reference, other):
    """Mean divergence and the share of equal first choices, over all tokens.

    A first choice that the reference holds as likely as its own, to a hundredth, is no other choice: rounding decides such ties.
    """
    kl, same, count = 0.0, 0, 0
    for one, two in zip(reference, other, strict=True):
        kl += torch.sum(one.double().exp() * (one.double() - two.double())).item()
        given_up = one.amax(-1) - one.gather(-1, two.argmax(-1, keepdim=True))[:, 0]
        same += torch.sum(given_up <= TIE).item()
        count += one.shape[0]
    # what is no number stays none: `max` keeps its first argument where nothing is larger
    return {"kl": max(kl / count, 0.0), "top1": same / count, "tokens": count}
