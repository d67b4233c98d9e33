"""Rows as a trainer sees them: how many tokens, and which of them are trained."""

from functools import cache

from chats import Encoder

NO_END = 1 << 30


@cache
def _encoder(folder):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return tokenizer, Encoder.of(folder, tokenizer, context=NO_END, loss_on="all")


def rendered(row, form, folder):
    """The text of a row, and which characters of it are trained."""
    _, encoder = _encoder(folder)
    if form == "questions":
        row = {"prompt": row["question"], "completion": row["answer"]}
    elif form == "preference":
        row = {"prompt": row["prompt"], "completion": row["chosen"]}
    elif form == "messages":
        # where the template marks what the assistant says, that is what is trained
        answers = Encoder(**{**vars(encoder), "loss_on": "assistant"})
        single = sum(each["role"] == "assistant" for each in row["messages"]) == 1
        return (answers if answers.marked or single else encoder).render(row)
    else:
        return Encoder(**{**vars(encoder), "loss_on": "assistant"}).render(row)
    return encoder.render(row)


def count(row, form, folder):
    """The tokens of a row."""
    tokenizer, _ = _encoder(folder)
    return len(tokenizer(rendered(row, form, folder).text, add_special_tokens=False)["input_ids"])


def marked(row, form, folder):
    """The text of a row, what is trained between ⟦ and ⟧."""
    told, text = rendered(row, form, folder), []
    at = 0
    for start, end in told.trained:
        text += [told.text[at:start], "⟦", told.text[start:end], "⟧"]
        at = end
    return "".join([*text, told.text[at:]])
