"""Reads what a GGUF says of itself before its tensors: numbers and texts; of lists only how long they are."""

from __future__ import annotations

import struct

NUMBERS = {0: "B", 1: "b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "?", 10: "<Q", 11: "<q", 12: "<d"}
TEXT, LIST = 8, 9


def facts(path):
    """`general.architecture`, `tokenizer.chat_template`, `llama.context_length`, ..."""
    with open(path, "rb") as file:  # noqa: PTH123  # a path of any kind
        if file.read(4) != b"GGUF":
            raise ValueError(f"{path} is no GGUF")
        _, _, count = struct.unpack("<IQQ", file.read(20))
        told = {}
        for _ in range(count):
            name = _text(file)
            told[name] = _value(file, _number(file, "<I"))
        return told


def trained(told):
    """Tokens that the model was trained to see, or nothing."""
    return told.get(f"{told.get('general.architecture')}.context_length")


def _number(file, form):
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]


def _text(file):
    return file.read(_number(file, "<Q")).decode("utf-8", "replace")


def _value(file, kind):
    if kind in NUMBERS:
        return _number(file, NUMBERS[kind])
    if kind == TEXT:
        return _text(file)
    if kind != LIST:
        raise ValueError(f"a GGUF value of kind {kind}")
    inner, count = _number(file, "<I"), _number(file, "<Q")
    if inner in NUMBERS:
        file.seek(count * struct.calcsize(NUMBERS[inner]), 1)
    else:
        for _ in range(count):
            if inner == TEXT:
                file.seek(_number(file, "<Q"), 1)
            else:
                _value(file, inner)
    return count
