"""Rows in the forms that people write them in -> the few forms that training reads."""

import hashlib
import json
import math
from itertools import pairwise

from flaws import Bad

# what a row of each form has; `messages` is what chats become
NEEDED = {
    "messages": ("messages",),
    "sharegpt": ("conversations",),
    "alpaca": ("instruction", "output"),
    "preference": ("chosen", "rejected"),
    "unpaired": ("prompt", "completion", "label"),
    "prompt-completion": ("prompt", "completion"),
    "questions": ("question", "answer"),
    "text": ("text",),
}
BECOMES = {"sharegpt": "messages", "alpaca": "messages"}
COLUMNS = {
    "messages": ("messages", "tools"),
    "preference": ("prompt", "chosen", "rejected"),
    "unpaired": ("prompt", "completion", "label"),
    "prompt-completion": ("prompt", "completion"),
    "questions": ("question", "answer", "options"),
    "text": ("text",),
}
ROLES = ("system", "user", "assistant", "tool")
SHAREGPT = {
    "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant", "assistant": "assistant", "bing": "assistant",
    "model": "assistant", "system": "system", "function_call": "assistant", "observation": "tool", "tool": "tool",
}  # fmt: skip
OF_A_MESSAGE = ("role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content")


def detect(row):
    """The form of a row by its columns; nothing when it has none that is known."""
    return next((form for form, columns in NEEDED.items() if all(column in row for column in columns)), None)


def mapped(row, changes):
    """The row with columns under the names that the spec gives them, and fixed values."""
    if not changes:
        return row
    told, taken = {}, set()
    for column, change in changes.items():
        if "value" in change:
            told[column] = change["value"]
        else:
            told[column] = _reach(row, change["column"])
            taken.add(change["column"])
    return {**{name: value for name, value in row.items() if name not in taken and name not in told}, **told}


def _reach(row, path):
    """A column by its name, or a value within one by its path."""
    if path in row:
        return row[path]
    here = row
    for part in path.split("."):
        if isinstance(here, list) and part.isdigit() and int(part) < len(here):
            here = here[int(part)]
        elif isinstance(here, dict) and part in here:
            here = here[part]
        else:
            raise Bad(f"no column `{path}`, which `map` names", f"it has {_listed(row)}")
    return here


def _listed(row):
    return ", ".join(f"`{name}`" for name in list(row)[:12]) or "none"


def normal(row, form):
    """A row of a form as the one that training reads; raises Bad with what is wrong."""
    missing = [column for column in NEEDED[form] if row.get(column) is None]
    if missing:
        raise Bad(f"no `{missing[0]}`, which {form} has", f"it has {_listed(row)}; `map: {{{missing[0]}: COLUMN}}` names another")
    return _READERS[form](row)


def _text(row, column, *, may_be_empty=False):
    value = row[column]
    if isinstance(value, float) and not math.isfinite(value):
        raise Bad(f"`{column}` is {value}, which stands for nothing", "fill it, or remove the row", "empty")
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise Bad(f"`{column}` is {_kind(value)}, not text")
    if not value.strip() and not may_be_empty:
        raise Bad(f"`{column}` is empty", "fill it, or remove the row", "empty")
    return value


def _kind(value):
    return {"dict": "a mapping", "list": "a list", "bool": "true or false", "NoneType": "nothing"}.get(
        type(value).__name__, f"a {type(value).__name__}"
    )


def _rest(row, *columns):
    return {name: value for name, value in row.items() if name not in columns and value is not None}


def _messages(row):
    tools = row.get("tools")
    told = {"messages": chat(row["messages"], "messages")}
    if tools not in (None, "", []):
        told["tools"] = _as_json(tools)
    return {**told, **_rest(row, "messages", "tools")}


def _as_json(tools):
    """Tools as a JSON text, in one spelling."""
    try:
        value = json.loads(tools) if isinstance(tools, str) else tools
    except ValueError:
        raise Bad("`tools` is text that is not JSON", "write a list of functions, or the JSON of one") from None
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Bad("`tools` is no list of functions", 'write `[{"type": "function", "function": {...}}]`')
    return json.dumps(value, ensure_ascii=False)


def chat(messages, column, *, ends="assistant"):
    """The messages of a chat in order: system first, then user and assistant in turn; `ends` is who speaks last."""
    if isinstance(messages, str):
        try:
            messages = json.loads(messages)
        except ValueError:
            raise Bad(f"`{column}` is text, not a list of messages", "write `[{role: user, content: ...}, ...]`") from None
    if not isinstance(messages, list) or not messages:
        raise Bad(f"`{column}` is {'an empty list' if messages == [] else _kind(messages)}, not a list of messages")
    told = [_message(each, f"{column}[{at}]") for at, each in enumerate(messages)]
    flaw = misordered([each["role"] for each in told], ends=ends)
    if flaw:
        raise Bad(f"`{column}`: {flaw}", "a chat is: system (or not), then user and assistant in turn", "order")
    return told


def _message(message, where):
    if not isinstance(message, dict) or "role" not in message:
        raise Bad(f"`{where}` has no `role`", "a message is `{role: user, content: ...}`")
    role = message["role"]
    if role not in ROLES:
        meant = SHAREGPT.get(role) if isinstance(role, str) else None
        raise Bad(f"`{where}` has the role `{role}`", f"did you mean `{meant}`?" if meant else f"roles are {', '.join(ROLES)}")
    told = {name: message[name] for name in OF_A_MESSAGE if message.get(name) is not None}
    content = told.setdefault("content", "")
    if isinstance(content, list) and all(isinstance(each, dict) and each.get("type") == "text" for each in content):
        content = told["content"] = "".join(str(each.get("text", "")) for each in content)
    if not isinstance(content, str):
        raise Bad(f"the content of `{where}` is {_kind(content)}, not text")
    if not content.strip() and not told.get("tool_calls") and role != "tool":
        raise Bad(f"`{where}` ({role}) is empty", "fill it, or remove the row", "empty")
    if "tool_calls" in told:
        told["tool_calls"] = _calls(told["tool_calls"], where)
    return told


def _calls(calls, where):
    """Calls of tools with their arguments as a JSON text: rows whose arguments differ have one schema."""
    told = []
    for call in calls if isinstance(calls, list) else [calls]:
        function = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise Bad(f"a call in `{where}` has no name", "a call is `{function: {name: ..., arguments: {...}}}`")
        given = function.get("arguments") or {}
        if isinstance(given, str):
            try:
                json.loads(given)
            except ValueError:
                raise Bad(f"the arguments of a call in `{where}` are not JSON") from None
        else:
            given = json.dumps(given, ensure_ascii=False)
        told.append({"type": "function", "function": {"name": function["name"], "arguments": given}})
    return told


def misordered(roles, *, ends="assistant"):
    """What is wrong with the order of roles; empty when nothing is."""
    spoken = roles[1:] if roles[:1] == ["system"] else roles
    if "system" in spoken:
        return "a system message stands behind the first place"
    if spoken[:1] != ["user"]:
        return f"it begins with {spoken[0] if spoken else 'nothing'}, not with the user"
    for before, role in pairwise(spoken):
        if role == before and role != "tool":
            return f"{role} speaks twice in a row"
        if role == "tool" and before == "user":
            return "a tool answers the user: it answers a call of the assistant"
        if before == "tool" and role == "user":
            return "the user speaks before the assistant has said what the tool gave"
    return "" if spoken[-1] == ends else f"it ends with {spoken[-1]}, not with {ends}"


def _sharegpt(row):
    given = row["conversations"]
    if not isinstance(given, list):
        raise Bad(f"`conversations` is {_kind(given)}, not a list")
    messages = []
    for at, each in enumerate(given):
        who = each.get("from", each.get("role")) if isinstance(each, dict) else None
        if who not in SHAREGPT:
            raise Bad(f"`conversations[{at}]` is from `{who}`", f"it can be from {', '.join(SHAREGPT)}")
        messages.append({"role": SHAREGPT[who], "content": each.get("value", each.get("content", ""))})
    if isinstance(row.get("system"), str) and row["system"].strip() and messages[:1] and messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": row["system"]})
    return _messages({**_rest(row, "conversations", "system"), "messages": messages})


def _alpaca(row):
    given = row.get("input")
    said = _text(row, "instruction") + (f"\n\n{given}" if isinstance(given, str) and given.strip() else "")
    messages = []
    if isinstance(row.get("system"), str) and row["system"].strip():
        messages.append({"role": "system", "content": row["system"]})
    for turn in row.get("history") or []:
        if not isinstance(turn, list) or len(turn) != 2:
            raise Bad("`history` is a list of pairs of what was said and answered")
        messages += [{"role": "user", "content": turn[0]}, {"role": "assistant", "content": turn[1]}]
    messages += [{"role": "user", "content": said}, {"role": "assistant", "content": _text(row, "output")}]
    return _messages({**_rest(row, "instruction", "input", "output", "system", "history"), "messages": messages})


def _side(row, column, *, ends="assistant", alone=False):
    """A prompt or a completion: text, or messages."""
    value = row[column]
    if not isinstance(value, list):
        return _text(row, column)
    if ends == "user":
        return chat(value, column, ends="user")
    if not alone:
        return chat(value, column)
    told = [_message(each, f"{column}[{at}]") for at, each in enumerate(value)]
    if not told or told[0]["role"] != "assistant" or told[-1]["role"] != "assistant":
        raise Bad(f"`{column}` does not begin and end with the assistant")
    return told


def _pair(row):
    told = {"prompt": _side(row, "prompt", ends="user"), "completion": _side(row, "completion", alone=True)}
    if isinstance(told["prompt"], str) != isinstance(told["completion"], str):
        raise Bad("one of `prompt` and `completion` is text, the other a list of messages", "write both the same way")
    return {**told, **_rest(row, "prompt", "completion")}


def _unpaired(row):
    label = row["label"]
    words = {"true": True, "false": False, "1": True, "0": False, 1: True, 0: False}
    label = words.get(label.strip().lower() if isinstance(label, str) else label)
    if label is None:
        raise Bad(f"`label` is {row['label']!r}", "it is true for a good answer, false for a bad one")
    return {**_pair(row), "label": label}


def _preference(row):
    if row.get("prompt") is None:
        # the prompt is what both have in common
        chosen, rejected = (chat(row[name], name) for name in ("chosen", "rejected"))
        same = next((at for at, pair in enumerate(zip(chosen, rejected, strict=False)) if pair[0] != pair[1]), 0)
        if not same or chosen[same - 1]["role"] != "user":
            raise Bad(
                "`chosen` and `rejected` have no prompt in common", "write a `prompt`, or begin both with the same messages"
            )
        row = {**row, "prompt": chosen[:same], "chosen": chosen[same:], "rejected": rejected[same:]}
    told = {"prompt": _side(row, "prompt", ends="user")}
    told |= {name: _side(row, name, alone=True) for name in ("chosen", "rejected")}
    if len({isinstance(each, str) for each in told.values()}) > 1:
        raise Bad("`prompt`, `chosen` and `rejected` are partly text, partly messages", "write all three the same way")
    if told["chosen"] == told["rejected"]:
        raise Bad("`chosen` and `rejected` are the same", "there is nothing to prefer: remove the row")
    return {**told, **_rest(row, "prompt", "chosen", "rejected")}


def _questions(row):
    told = {"question": _text(row, "question"), "answer": _text(row, "answer")}
    options = row.get("options")
    if options not in (None, "", []):
        if isinstance(options, str):
            options = [each.strip() for each in options.split("|")]
        if not isinstance(options, list) or not all(isinstance(each, str) and each.strip() for each in options):
            raise Bad("`options` is no list of texts", "write `[one, another]`, or `one | another` in a table")
        if told["answer"] not in options:
            raise Bad("`answer` is none of the `options`", "write the answer as its option is written")
        told["options"] = options
    return {**told, **_rest(row, "question", "answer", "options")}


def _plain(row):
    return {"text": _text(row, "text"), **_rest(row, "text")}


_READERS = {
    "messages": _messages, "sharegpt": _sharegpt, "alpaca": _alpaca, "preference": _preference, "unpaired": _unpaired,
    "prompt-completion": _pair, "questions": _questions, "text": _plain,
}  # fmt: skip


# --- the texts of a row, whatever its form ---


def texts(row, form):
    """All that a row says, in order."""
    told = []
    for column in COLUMNS[form]:
        value = row.get(column)
        if column == "tools" or value is None:
            continue
        if isinstance(value, str):
            told.append(value)
        elif isinstance(value, list):
            told += [each if isinstance(each, str) else each.get("content", "") for each in value]
    return [each for each in told if each]


def asked(row, form):
    """What a row asks or begins with: what an exam must not share with training."""
    if form == "messages":
        return [each["content"] for each in row["messages"] if each["role"] == "user"]
    if form in ("questions", "text"):
        return [row["question" if form == "questions" else "text"]]
    value = row["prompt"]
    return [value] if isinstance(value, str) else [each["content"] for each in value if each["role"] == "user"]


def rewritten(row, form, change):
    """The row with each of its texts changed by a function."""
    told = dict(row)
    for column in COLUMNS[form]:
        value = row.get(column)
        if column == "tools" or value is None:
            continue
        if isinstance(value, str):
            told[column] = change(value)
        elif isinstance(value, list):
            told[column] = [
                change(each) if isinstance(each, str) else {**each, "content": change(each.get("content", ""))} for each in value
            ]
    return told


def emptied(row, form):
    """The first part of a row that says nothing, if any."""
    for column in COLUMNS[form]:
        value = row.get(column)
        if isinstance(value, str) and not value.strip():
            return column
        if isinstance(value, list) and column != "tools":
            for at, each in enumerate(value):
                blank = isinstance(each, str) and not each.strip()
                if blank or (
                    isinstance(each, dict)
                    and not each["content"].strip()
                    and not each.get("tool_calls")
                    and each["role"] != "tool"
                ):
                    return f"{column}[{at}]"
    return ""


def digest(row, form):
    """What two rows have in common when all of their texts are the same."""
    label = str(row["label"]) if form == "unpaired" else ""
    return hashlib.blake2b("\0".join([*texts(row, form), label]).encode(), digest_size=16).digest()


def shown(row, form):
    """A row as text for people."""
    if form == "messages":
        told = [
            f"{each['role']}: {each['content'] or json.dumps(each.get('tool_calls'), ensure_ascii=False)}"
            for each in row["messages"]
        ]
        return "\n".join(told)
    if form == "text":
        return row["text"]
    lines = []
    for column in COLUMNS[form]:
        value = row.get(column)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = "\n  ".join(f"{each['role']}: {each['content']}" for each in value)
        if value is not None:
            lines.append(f"{column}: {value}")
    return "\n".join(lines)
