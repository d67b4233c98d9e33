"""A chat of a dataset -> the same chat under the prompt that it will be served with, put together as evals and servers do it."""

from functools import cache

from asked import Asked, chat, prompts_of
from flaws import stop

PROMPTS = "in/served/prompts"


@cache
def _prompts(labels):
    """The prompts by their labels, each with the index that it looks up; opened once in every process."""
    return dict(prompts_of(labels, PROMPTS))


def under(row, form, setting):
    """The row with all that its prompt puts before its last question; what is answered stays."""
    labels, by = tuple(setting["labels"]), setting["by"]
    label = labels[0] if not by else row.get(by)
    if label not in labels:
        has = f"`{label}`" if by in row else f"no such column: it has {', '.join(f'`{name}`' for name in row)}"
        stop(f"`served.by: {by}`: a row has {has}\n  its values are the labels of the prompts: {', '.join(labels)}")
    column = "messages" if form == "messages" else "prompt"
    if not isinstance(row[column], list):
        stop(f"`served`: the `{column}` of a row is text, and a prompt is put before chats\n  write it as messages")
    prompt = _prompts(labels)[label]
    # the answer is no part of what is asked: an index never sees it
    end = _answered(row[column]) if form == "messages" else len(row[column])
    return {**row, column: chat(Asked("", row[column][:end], "", row, prompt, label)) + row[column][end:]}


def _answered(messages):
    """Where the answer to the last question begins: behind the last thing that the user said."""
    return 1 + max(at for at, each in enumerate(messages) if each["role"] == "user")
