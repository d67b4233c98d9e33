"""The datasets of LLaMA-Factory's YAML: names that dataset_info.json, or a list of the newer form, tells the rows of."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from zyc.importers.draft import Node, as_name
from zyc.importers.values import Plain, percent
from zyc.importers.work import Work
from zyc.source.foreign import read_foreign

_COLUMNS = {  # theirs -> what a row of zyc's has, and what theirs is called when nobody says
    "prompt": ("instruction", "instruction"),
    "query": ("input", "input"),
    "response": ("output", "output"),
    "history": ("history", "history"),
    "system": ("system", "system"),
    "messages": ("messages", "conversations"),
    "tools": ("tools", "tools"),
    "chosen": ("chosen", "chosen"),
    "rejected": ("rejected", "rejected"),
    "kto_tag": ("label", "label"),
}
_DEFAULTS = ("prompt", "query", "response", "messages")
_OURS = {  # of each form, which of their columns is which of ours
    "alpaca": {"prompt": "instruction", "query": "input", "response": "output"},
    "preference": {"prompt": "prompt"},
    "unpaired": {"prompt": "prompt", "response": "completion"},
    "text": {"prompt": "text"},
    "messages": {"messages": "messages"},
    "sharegpt": {"messages": "conversations"},
}
_ROLES = {
    "user": ("user", "human"),
    "assistant": ("assistant", "gpt"),
    "system": ("system",),
    "observation": ("observation", "tool"),
    "function": ("function_call",),
}


def datasets(work: Work, node: Node) -> None:
    """A dataset node for each name, and the field `data` of the main node."""
    given = work.given
    key = "train_dataset" if "train_dataset" in given else "dataset"
    names = given.comma_words(key)
    if not names:
        given.lacks(key, "it names no data to train on", f"write `{key}:`")
        return
    made = _new_form(work, key, names[0]) if key == "train_dataset" else _old_form(work, node, names)
    if not made:
        _without(work)
        return
    size = given.amount("val_size", 0.0)
    if size >= 1:
        given.refuse("val_size", "a number of rows, and what is held out here is a share", "write a share: `val_size: 0.1`")
    for each in made if 0 < size < 1 else ():
        work.put(each, "split.test", percent(size), "val_size")
        work.put(each, "split.seed", given.integer("seed", 42), "seed")
    if given.on("max_samples"):
        for each in made:
            work.put(
                each,
                "cap",
                given.integer("max_samples", 1),
                "max_samples",
                why="the same number, in proportion where rows are grouped",
            )
    work.mix(node, made, key)
    if given.text("mix_strategy", "concat") == "concat":
        given.becomes("mix_strategy", "data", "one after the other, then shuffled")
    else:
        given.refuse(
            "mix_strategy", "rows would be drawn by probabilities", "give the datasets weights: `from: {a: 80%, b: 20%}`"
        )
    everything = given.flag("train_on_prompt")
    if node.section == "finetunes":
        work.put(node, "loss_on", "all" if everything else "assistant", "train_on_prompt")


def _without(work: Work) -> None:
    """What is said of datasets that are refused."""
    for each in ("max_samples", "val_size", "mix_strategy"):
        if work.given.on(each):
            work.given.drop(each, "it is about a dataset that is refused: write it once the dataset is there")


def _old_form(work: Work, main: Node, names: list[str]) -> list[Node]:
    given = work.given
    folder = given.text("dataset_dir", "data")
    if folder == "ONLINE":
        given.becomes("dataset_dir", "datasets", "names of the hub")
        return [_of_hub(work, name, name, {}, main) for name in names]
    path = f"{folder.rstrip('/')}/dataset_info.json"
    text = work.asked.beside(path)
    told = _json(text) if text is not None else None
    if not isinstance(told, dict):
        why = "which rows these are stands in dataset_info.json" + (
            ", and that is no JSON" if text is not None else f", and `{path}` is not here"
        )
        given.refuse("dataset", why, "put it there, or import from the folder that holds it", whole=True)
        return []
    given.becomes("dataset_dir", "datasets", f"`{path}` says what they are")
    made = []
    for name in names:
        entry = told.get(name)
        if not isinstance(entry, dict):
            given.refuse("dataset", f"`{path}` has no `{name}`", "correct the name", whole=True)
        elif "hf_hub_url" in entry:
            made.append(_of_hub(work, name, str(entry["hf_hub_url"]), entry, main))
        elif "file_name" in entry:
            node = work.draft.node("datasets", as_name(name))
            work.put_files(node, [f"{folder.rstrip('/')}/{entry['file_name']}"], "dataset")
            made.append(_shaped(work, node, entry, main))
        else:
            given.refuse("dataset", f"`{name}` is neither a file nor on the hub", "make it a file of the project", whole=True)
    return made


def _of_hub(work: Work, name: str, url: str, entry: Mapping[str, Any], main: Node) -> Node:
    node = work.draft.node("datasets", as_name(name))
    work.put_hub(node, url, "dataset", subset=str(entry.get("subset", "")), part=str(entry.get("split", "")))
    return _shaped(work, node, entry, main)


def _shaped(work: Work, node: Node, entry: Mapping[str, Any], main: Node) -> Node:
    """The format of rows and the names of their columns, as dataset_info.json has them."""
    given = work.given
    named = entry.get("columns")
    columns = {str(key): str(value) for key, value in named.items()} if isinstance(named, dict) else None
    tags = {str(key): str(value) for key, value in (entry.get("tags") or {}).items()}
    chats = str(entry.get("formatting", "alpaca")) != "alpaca"
    compared = "preference" if entry.get("ranking") else "unpaired" if columns and "kto_tag" in columns else ""
    if columns and {"images", "videos", "audios"} & columns.keys():
        given.refuse("dataset", "rows with images or sound", "zyc trains language models only", whole=True)
    if "num_samples" in entry or "folder" in entry:
        given.refuse("dataset", "only a part of the rows would be read", "make a file of that part")
    if compared and (chats or "query" in (_COLUMNS if columns is None else columns)):
        why = "answers that are compared, to messages or to prompts of two columns"
        given.refuse(
            "dataset", why, "write the rows as `prompt` and `chosen` and `rejected`, or `completion` and `label`", whole=True
        )
    form = "text" if main.section == "pretrains" else compared or (_chats(work, entry, tags) if chats else "alpaca")
    work.put(node, "format", form, "dataset")
    usual = {key: theirs for key, (_, theirs) in _COLUMNS.items() if key in _DEFAULTS} if columns is None else columns
    for key, column in usual.items():
        ours = _OURS.get(form, {}).get(
            key, "" if key in ("prompt", "query", "response", "messages") else _COLUMNS.get(key, (key,))[0]
        )
        if ours:
            work.put_column(node, ours, column, "dataset")
    return node


def _chats(work: Work, entry: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    """Messages of `role` and `content` are one form, all others ShareGPT's."""
    usual = ("role", "content") if entry.get("formatting") == "openai" else ("from", "value")
    pair = (tags.get("role_tag", usual[0]), tags.get("content_tag", usual[1]))
    form = "messages" if pair == ("role", "content") else "sharegpt"
    known = _ROLES if form == "sharegpt" else {each: (each,) for each in ("user", "assistant", "system", "tool")}
    odd = [value for key, value in tags.items() if value not in known.get(key.removesuffix("_tag"), (value,))]
    if odd or pair[0] not in ("from", "role") or pair[1] not in ("value", "content"):
        why = "messages with fields or roles of other names"
        work.given.refuse("dataset", why, "name them `role` and `content`: system, user, assistant, tool")
    return form


def _new_form(work: Work, key: str, path: str) -> list[Node]:
    """A YAML file that names the datasets, one mapping each."""
    given = work.given
    text = work.asked.beside(path)
    if text is None:
        if re.fullmatch(r"[\w.-]+/[\w.-]+", path) and not path.endswith((".yaml", ".yml")):
            node = work.draft.node("datasets", as_name(path))
            work.put_hub(node, path, key)
            work.put(node, "format", "messages", key)
            return [node]
        given.refuse(key, f"which rows these are stands in `{path}`, and that is not here", "put it there", whole=True)
        return []
    made = []
    for name, entry in read_foreign(text, path).root.items():
        told = entry if isinstance(entry, dict) else {}
        node = work.draft.node("datasets", as_name(str(name)))
        place = str(told.get("path", ""))
        if str(told.get("source", "hf_hub")) == "local":
            work.put_files(node, [place], key)
        else:
            work.put_hub(node, place, key)
        if "size" in told:
            work.put(node, "cap", Plain(str(told["size"])), key)
        odd = sorted(told.keys() - {"path", "source", "converter", "split", "size"})
        if odd:
            given.refuse(key, f"`{path}` says `{odd[0]}` of `{name}`", "remove it there: zyc reads a dataset whole")
        converter = str(told.get("converter", ""))
        work.put(
            node, "format", {"alpaca": "alpaca", "sharegpt": "sharegpt", "pair": "preference"}.get(converter, "messages"), key
        )
        made.append(node)
    return made


def _json(text: bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
