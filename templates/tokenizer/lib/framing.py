"""What a chat template writes around what people say, so that a tokenizer has it in few pieces: chats are shorter."""

import re

import tokenizer_files

SAID = tokenizer_files.ANSWER  # stands for what people say, as it is in whatever form a template writes it
SHARE, LEAST = 100, 100  # one line in so many, and at least so many


def lines(template, tokens):
    """The lines that it writes itself: `[INST] <<SYS>>`; its tokens are pieces of their own and none of them."""
    from jinja2 import TemplateError
    from transformers.utils.chat_template_utils import render_jinja_template

    told = {"bos_token": tokens["bos"], "eos_token": tokens["end_of_turn"], **tokenizer_files.FROZEN}
    apart = [SAID, tokens["bos"], tokens["eos"], tokens["end_of_turn"], *tokens["controls"]]
    cut, found = re.compile("|".join(re.escape(each) for each in apart if each) + r"|[\r\n]+"), {}
    for turns in tokenizer_files.CHATS:
        chat = [{"role": role, "content": SAID} for role, _ in turns]
        try:
            (text,), _ = render_jinja_template(conversations=[chat], chat_template=template, **told)
        except (TemplateError, TypeError):  # it has no place for a system message, say
            continue
        found |= dict.fromkeys(part for part in cut.split(text) if part.strip())
    return list(found)


def add(path, template, tokens):
    """Put them behind the text that is learned from, often enough to become pieces."""
    with path.open("rb") as text:
        count = sum(1 for _ in text)
    with path.open("a", encoding="utf-8", newline="\n") as text:
        for line in lines(template, tokens):
            text.write(f"{line}\n" * max(LEAST, count // SHARE))
