"""As much of Go's text/template as chat templates for Ollama use: range, if, and, or, not, eq, ne, le, gt, fields, trims."""

import re

TOKEN = re.compile(r"\{\{(-\s)?(.*?)(\s-)?\}\}", re.DOTALL)
WORD = re.compile(r'"[^"]*"|\(|\)|[^\s()]+')


def rendered(text, values):
    """The template over `System` and `Messages`, each a mapping with `Role` and `Content`."""
    tree, rest = _block(_tokens(text))
    assert not rest, f"an `end` or `else` too many: {rest[0]}"
    return "".join(_run(tree, {"dot": values, "$": values}))


def _tokens(text):
    made, at, trim = [], 0, False
    for found in TOKEN.finditer(text):
        plain = text[at : found.start()]
        plain = plain.lstrip(" \t\r\n") if trim else plain
        made.append(("text", plain.rstrip(" \t\r\n") if found[1] else plain))
        made.append(("code", found[2].strip()))
        at, trim = found.end(), bool(found[3])
    last = text[at:]
    return [*made, ("text", last.lstrip(" \t\r\n") if trim else last)]


def _block(tokens):
    """Nodes up to an `else` or `end` that is not theirs, and the rest."""
    made = []
    while tokens:
        kind, text = tokens[0]
        if kind == "text":
            made.append(tokens.pop(0))
        elif re.match(r"(end|else)\b", text):
            return made, tokens
        elif re.match(r"(if|range)\b", text):
            tokens.pop(0)
            made.append(_branches(text, tokens))
        else:
            made.append(("value", tokens.pop(0)[1]))
    return made, tokens


def _branches(text, tokens):
    head, _, condition = text.partition(" ")
    body, _ = _block(tokens)
    word = tokens.pop(0)[1]
    other = []
    if word.startswith("else if"):
        other = [_branches(word.removeprefix("else "), tokens)]
    elif word == "else":
        other, _ = _block(tokens)
        assert tokens.pop(0)[1] == "end"
    return head, condition, body, other


def _run(tree, scope):
    for node in tree:
        if node[0] == "text":
            yield node[1]
        elif node[0] == "value":
            yield str(_value(node[1], scope))
        elif node[0] == "if":
            yield from _run(node[2] if _value(node[1], scope) else node[3], scope)
        else:
            names, _, source = node[1].rpartition(":=")
            names = [each.strip() for each in names.split(",") if each.strip()]
            for at, each in enumerate(_value(source.strip() or node[1], scope)):
                more = dict(zip(names, (at, each), strict=False))
                yield from _run(node[2], {**scope, **more, "dot": each})


def _value(text, scope):
    words = WORD.findall(text)
    value = _call(words, scope)
    assert not words, words
    return value


def _call(words, scope):
    first = words.pop(0)
    if first not in FUNCTIONS:
        return _term(first, words, scope)
    given = []
    while words and words[0] != ")":
        word = words.pop(0)
        given.append(_term(word, words, scope))
    return FUNCTIONS[first](*given)


def _term(word, words, scope):
    if word == "(":
        value = _call(words, scope)
        assert words.pop(0) == ")"
        return value
    if word.startswith('"'):
        return word[1:-1]
    if word.isdigit():
        return int(word)
    name, _, path = word.partition(".")
    value = scope["dot"] if not name else scope[name]
    for part in path.split(".") if path else ():
        value = value[part]
    return value


def _and(*given):
    return next((each for each in given if not each), given[-1])


def _or(*given):
    return next((each for each in given if each), given[-1])


FUNCTIONS = {
    "and": _and,
    "or": _or,
    "not": lambda one: not one,
    "eq": lambda one, *others: any(one == each for each in others),
    "ne": lambda one, other: one != other,
    "le": lambda one, other: one <= other,
    "gt": lambda one, other: one > other,
}
