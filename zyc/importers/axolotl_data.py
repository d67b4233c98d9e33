"""The datasets of axolotl's YAML: where their rows come from, what form they have, and what of them is trained on."""

from __future__ import annotations

import re

from zyc.importers import values
from zyc.importers.draft import Node, as_name
from zyc.importers.values import percent
from zyc.importers.work import Work

_FILE = re.compile(r".*\.(jsonl?|csv|parquet|txt|md|html|arrow|zst)$")
_URL = re.compile(r"[a-z0-9]+://")
# type -> (format, what is said of it)
_ALPACA = "the prompt is written by the model's chat template, not with Alpaca's own headings"
_FORMATS = {
    "alpaca": ("alpaca", _ALPACA),
    "alpaca:chat": ("alpaca", _ALPACA),
    "alpaca:phi": ("alpaca", _ALPACA),
    "alpaca:chatml": ("alpaca", _ALPACA),
    "alpaca_w_system": ("alpaca", _ALPACA),
    "alpaca_w_system.load": ("alpaca", _ALPACA),
    "alpaca_chat.load_no_prompt": ("alpaca", _ALPACA),
    "gpteacher": ("alpaca", _ALPACA),
    "sharegpt": ("sharegpt", ""),
    "sharegpt:chat": ("sharegpt", ""),
    "sharegpt.load_role": ("sharegpt", ""),
    "messages.chat": ("messages", ""),
    "completion": ("text", ""),
    "completion:text": ("text", ""),
    "pretrain": ("text", ""),
    "chatml": ("preference", ""),
    "passthrough.default": ("preference", ""),
    "chat_template.default": ("preference", ""),
    "chat_template.argilla": ("preference", ""),
    "chat_template.argilla_chat": ("preference", ""),
    "bradley_terry.chat_template": ("preference", ""),
}
_PREFERENCES = re.compile(
    r"(chatml|llama3|passthrough|zephyr|orpo\.chat_template)(\.(default|argilla_chat|argilla|intel|prompt_pairs|ultra|icr|nectar))?$"
)
_ROLES = {
    "user": ("user", "human"),
    "assistant": ("assistant", "gpt", "model"),
    "system": ("system",),
    "tool": ("tool", "observation"),
}


def datasets(work: Work, node: Node) -> None:
    """A dataset node for each entry, and the field `data` of the main node."""
    given = work.given
    paths = given.items("datasets") + given.items("pretraining_dataset")
    if "pretraining_dataset" in given:
        paths.append("pretraining_dataset")
    if not paths:
        given.lacks("datasets", "it names no data to train on", "write `datasets:` with a `path` and a `type`")
        return
    made = [each for each in (_dataset(work, path, node) for path in paths) if each is not None]
    _split(work, made)
    _loss(work, node, paths)
    if given.on("dataset_exact_deduplication"):
        for each in made:
            work.put(each, "clean", [{"drop": "duplicates"}], "dataset_exact_deduplication")
    for path in given.items("test_datasets"):
        for key in [each for each in given.leaves if each.startswith(path)]:
            given.refuse(
                key, "a test set of its own", "put it into the same dataset as a `test` split, or measure it with an `evals` node"
            )
    work.mix(node, made, paths[0] if paths == ["pretraining_dataset"] else f"{paths[0]}.path")


def _dataset(work: Work, path: str, main: Node) -> Node | None:
    given = work.given
    plain = path == "pretraining_dataset"  # a name alone
    name = given.text(path) if plain else given.text(f"{path}.path")
    if not name:
        given.lacks(f"{path}.path", "a dataset without a place", "write `path: ORGANISATION/NAME`, or a file")
        return None
    node = work.draft.node("datasets", as_name(re.sub(r"\.(jsonl?|csv|parquet|txt|zst)$", "", name)))
    _source(work, node, path if plain else f"{path}.path", name, path)
    if main.section == "pretrains" or plain:
        work.put(node, "format", "text", f"{path}.type")
        _columns(work, node, path, "text")
    else:
        _format(work, node, path)
    if given.on(f"{path}.trust_remote_code"):
        given.refuse(
            f"{path}.trust_remote_code",
            "a dataset is data here: no code of others runs for it",
            "name its files with `data_files`",
        )
    else:
        given.drop(f"{path}.trust_remote_code", "off, as it always is here")
    return node


def _source(work: Work, node: Node, key: str, name: str, path: str) -> None:
    given = work.given
    files = given.words(f"{path}.data_files")
    local = (
        bool(_FILE.match(name))
        or name.startswith((".", "/", "~"))
        or f"{path}.ds_type" in given
        or work.asked.beside(name) is not None
    )
    if _URL.match(name):
        given.refuse(
            key, "rows come from a hub or from files of the project", "download it below the project's root, and name that path"
        )
        return
    if not local:
        _hub(work, node, key, name, path, files)
        return
    work.put_files(node, files or [name], key, *((f"{path}.data_files",) if files else ()))
    for other in ("name", "revision"):
        given.drop(f"{path}.{other}", "a file has none")
    if given.text(f"{path}.split") in ("", "train"):
        given.drop(f"{path}.split", "a file is one split")
    else:
        given.refuse(f"{path}.split", "a part of a file", "write a file of that part")


def _hub(work: Work, node: Node, key: str, name: str, path: str, files: list[str]) -> None:
    given = work.given
    split, config = given.text(f"{path}.split"), given.text(f"{path}.name")
    work.put_hub(node, name, key, subset=config, part=split, keys=(f"{path}.name", f"{path}.split"))
    if files:
        work.put(node, "files", files, f"{path}.data_files")
    work.move(node, "revision", f"{path}.revision", values.text)


def _format(work: Work, node: Node, path: str) -> None:
    given = work.given
    key = f"{path}.type"
    kind = given.value(key)
    if isinstance(kind, dict):
        _own_type(work, node, key, {str(name): str(value) for name, value in kind.items()})
        return
    word = given.text(key)
    found = _FORMATS.get(word)
    if found is None and _PREFERENCES.fullmatch(word):
        found = ("preference", "texts, or lists of messages with `role` and `content`; `prompt` may be left out")
    elif word.startswith("completion:"):
        found = ("text", "")
    elif word.startswith("chat_template") and found is None:
        found = ("messages", "")
    elif not word:
        found = ("auto", "")
    if found is None:
        given.refuse(
            key, f"rows of the form `{word}`", "write them as `messages`, or as `prompt` and `completion`, and name that form"
        )
        return
    ours = _form_of_messages(work, node, path, found[0])
    _columns(work, node, path, ours)
    if word.startswith("completion:"):
        work.put_column(node, "text", word.partition(":")[2], key)
    work.put(node, "format", ours, key, why=found[1])


def _form_of_messages(work: Work, node: Node, path: str, ours: str) -> str:
    """Messages of `role` and `content` are one form; with `from` or `value` they are ShareGPT's."""
    given = work.given
    if ours not in ("messages", "sharegpt"):
        return ours
    told = given.value(f"{path}.message_property_mappings")
    names = {"role": "role", "content": "content"} if ours == "messages" else {"role": "from", "content": "value"}
    if isinstance(told, dict):
        names |= {str(name): str(value) for name, value in told.items()}
    names["role"] = given.text(f"{path}.message_field_role") or names["role"]
    names["content"] = given.text(f"{path}.message_field_content") or names["content"]
    keys = [f"{path}.{each}" for each in ("message_property_mappings", "message_field_role", "message_field_content")]
    known = names["role"] in ("role", "from") and names["content"] in ("content", "value")
    same = all(name == value for name, value in names.items() if name not in ("role", "content"))
    for key in keys:
        if known and same:
            given.becomes(key, work.named(node, "format"))
        elif key in given:
            given.refuse(key, "messages with fields of other names", "name them `role` and `content`, or `from` and `value`")
    return "messages" if (names["role"], names["content"]) == ("role", "content") else "sharegpt"


def _columns(work: Work, node: Node, path: str, form: str) -> None:
    """Which columns hold what, where they are not called as the format calls them."""
    given = work.given
    chats = {"sharegpt": "conversations", "preference": "prompt"}.get(form, "messages")
    usual = "conversations" if given.text(f"{path}.type").startswith("sharegpt") else "messages"
    if form in ("messages", "sharegpt") or f"{path}.field_messages" in given:
        work.put_column(node, chats, given.text(f"{path}.field_messages", usual), f"{path}.field_messages")
    for name, ours in (
        ("field", "text"),
        ("text_column", "text"),
        ("field_chosen", "chosen"),
        ("field_rejected", "rejected"),
        ("field_tools", "tools"),
    ):
        if f"{path}.{name}" in given:
            work.put_column(node, ours, given.text(f"{path}.{name}"), f"{path}.{name}")
    _roles(work, path, form)
    for name in ("chat_template", "conversation", "chat_template_jinja"):
        given.drop(f"{path}.{name}", "the model's own template writes the messages")
    if given.on(f"{path}.drop_system_message"):
        given.refuse(f"{path}.drop_system_message", "the system message would be left out", "remove it from the rows")


def _roles(work: Work, path: str, form: str) -> None:
    """Roles under other names: those that the form knows need no word."""
    given = work.given
    for key in [f"{path}.roles", *given.under(f"{path}.roles")]:
        value = given.value(key)
        if not isinstance(value, dict):
            continue
        known = _ROLES if form == "sharegpt" else {each: (each,) for each in _ROLES}
        told = ((str(role), str(each)) for role, theirs in value.items() for each in values.words(theirs))
        odd = [each for role, each in told if each not in known.get(role, ())]
        if odd:
            given.refuse(
                key, f"`{odd[0]}` is no role of such messages here", "rename it in the rows: system, user, assistant, tool"
            )
        else:
            given.drop(key, "roles of these names are known")


def _own_type(work: Work, node: Node, key: str, told: dict[str, str]) -> None:
    """A type of the file's own: columns by name are a map; a wording of its own is not."""
    given = work.given
    for name in ("system_format", "system_prompt", "chosen_format", "rejected_format", "prompt_format", "completion_format"):
        if told.get(name, "") not in ("", "{system}", "{prompt}", "{chosen}", "{rejected}", "{completion}"):
            given.refuse(
                key, f"a wording of its own in `{name}`", "write the rows as `messages`, and let the chat template word them"
            )
            return
    wording = told.get("format", "").strip()
    if wording not in ("", "{instruction} {input}", "{instruction}\n{input}", "{instruction}"):
        given.refuse(key, "a wording of its own in `format`", "write the rows as `messages`, and let the chat template word them")
        return
    names = ("instruction", "input", "output", "system", "prompt", "chosen", "rejected", "completion", "label")
    columns = {name: told[f"field_{name}"] for name in names if told.get(f"field_{name}")}
    form = "preference" if "chosen" in columns else "unpaired" if "label" in columns else "alpaca"
    work.put(node, "format", form, key)
    for ours, theirs in columns.items():
        work.put_column(node, ours, theirs, key)


def _split(work: Work, made: list[Node]) -> None:
    """Rows that are held out: the same share of each dataset."""
    given = work.given
    size = given.amount("val_set_size", 0.0)
    if size <= 0:
        given.drop("val_set_size", "nothing is held out")
        return
    if size >= 1:
        given.refuse(
            "val_set_size", "a number of rows, and what is held out here is a share", "write a share: `val_set_size: 0.05`"
        )
        return
    for node in made:
        work.put(node, "split.test", percent(size), "val_set_size")
        work.put(node, "split.seed", given.integer("seed", 42), "seed")


def _loss(work: Work, node: Node, paths: list[str]) -> None:
    """What is trained on: the answers, or every word."""
    given = work.given
    if node.section == "alignments":
        given.drop("train_on_inputs", "an alignment compares whole answers")
        return
    texts = all(
        each.fields.get("format") and each.fields["format"].value == "text"
        for each in work.draft.nodes
        if each.section == "datasets"
    )
    roles: set[tuple[str, ...]] = set()
    for path in paths:
        key = f"{path}.roles_to_train"
        if key in given:
            roles.add(tuple(sorted(given.words(key))))
        for name in ("train_on_eos", "train_on_eot"):
            _ends(work, f"{path}.{name}")
    everything = texts or given.flag("train_on_inputs")
    why = "texts have no answers apart" if texts and "train_on_inputs" not in given else ""
    if node.section == "finetunes":
        work.put(node, "loss_on", "all" if everything else "assistant", "train_on_inputs", why=why)
    else:
        given.drop("train_on_inputs", "a pretraining learns every word")
    for path in paths:
        key = f"{path}.roles_to_train"
        if key in given and roles <= {("assistant",)}:
            given.becomes(key, "loss_on")
        elif key in given:
            given.refuse(key, "a loss on some roles of their own", "`loss_on` is `assistant` or `all`")


def _ends(work: Work, key: str) -> None:
    given = work.given
    if given.text(key) in ("turn", "all"):
        given.becomes(key, "loss_on", "the end of each trained turn carries a label")
    elif key in given:
        given.refuse(key, "the end of a turn would not be trained: the model would never stop", "write `turn`, or remove it")
