"""Mergekit's YAML: one merge or several documents of them, and mixtures of experts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from zyc.craft.merging.methods import DTYPES, METHODS, Method
from zyc.errors import nearest
from zyc.importers import values
from zyc.importers.draft import Node, as_name
from zyc.importers.mergekit_keys import KEYS
from zyc.importers.values import Plain
from zyc.importers.work import Work
from zyc.source import Map, Scalar, Seq, Value

TABLE = KEYS
MARKS = ("merge_method", "slices", "experts", "gate_mode", "tokenizer_source", "documents", "models", "base_model")
_REPOSITORY = re.compile(r"([A-Za-z0-9][\w.-]*/[\w.-]+)(?:@([\w./-]+))?")
_PRECISIONS = {theirs: ours for ours, theirs in DTYPES.items()}
_EVERY = tuple(dict.fromkeys(name for each in METHODS.values() for name in (*each.each, *each.shared)))
_FORMER = {"ranked_ties": "ties", "dare": "dare_linear", "frankenmerge": "passthrough"}


def convert(work: Work) -> None:
    """Each document becomes a merge; what one is called, another may name."""
    given = work.given
    documents = given.items("documents") or [""]
    made: dict[str, Node] = {}
    nodes = []
    for at, document in enumerate(documents):
        head = f"{document}." if document else ""
        name = given.text(f"{head}name") or given.text(f"{head}out_path").rstrip("/")
        fallback = work.asked.name if at == len(documents) - 1 else f"{work.asked.name}-{at + 1}"
        node = work.draft.node("merges", as_name(name) or fallback)
        if name:
            made[name] = node
        nodes.append((head, node))
    work.draft.main = nodes[-1][1]
    reading = _Reading(work, made)
    for head, node in nodes:
        given.becomes(f"{head}name", f"merges.{node.name}", "the name of the node")
        reading.document(head, node)


class _Reading:
    """One file at work: its models, each of them one node however often it is named."""

    def __init__(self, work: Work, made: Mapping[str, Node]) -> None:
        self.work, self.given, self.made = work, work.given, made
        self.models: dict[str, str] = {}
        self.used: list[str] = []  # keys of parameters that were read since somebody took them

    def document(self, head: str, node: Node) -> None:
        """One merge."""
        if self.given.items(f"{head}experts") or self.given.text(f"{head}gate_mode"):
            self.mixture(head, node)
            return
        key = f"{head}merge_method"
        name = self.given.text(key)
        if name not in METHODS:
            close = _FORMER.get(name) or nearest(name, METHODS)
            why = f"mergekit 0.1.5 has no method `{name}`" if name else "it does not say how models are merged"
            help_ = f"`merge_method: {close}`" if close else f"there are {', '.join(METHODS)}"
            if name:
                self.given.refuse(key, why, help_, whole=True)
            else:
                self.given.lacks(key, why, help_)
            return
        self.work.put(node, "method", name, key)
        self.sources(head, node, METHODS[name], name)
        self.base(head, node, METHODS[name], name)
        told = self.parameters(f"{head}parameters", METHODS[name], name)
        if told:
            self.work.put(node, "parameters", told, *self.taken())
        self.precision(head, node)
        self.tokenizer(head, node)

    def taken(self) -> list[str]:
        """The keys of the parameters that were read."""
        keys, self.used = self.used, []
        return keys

    # --- models ---

    def model(self, key: str) -> Plain | None:
        """The node of the model that a key names."""
        value = self.given.value(key)
        if value is None:
            return None
        word = _reference(value)
        if not word:
            why = "expected a model: a text, or a mapping with `model` and perhaps `lora`, each with `path` and `revision`"
            self.given.refuse(key, why, "`ORG/NAME@REVISION`, or the path of a folder")
            return None
        if word in self.made:
            self.given.becomes(key, f"merges.{self.made[word].name}", "the merge of that name")
            return Plain(self.made[word].name)
        if "+" in word:
            self.given.refuse(
                key, "an adapter on a model, fused before it is merged", "train it as a `finetunes` node, or name the fused model"
            )
            return None
        if word not in self.models:
            found = self.source(key, word)
            if found is None:
                return None
            self.models[word] = found
        self.given.becomes(key, f"models.{self.models[word]}")
        return Plain(self.models[word])

    def source(self, key: str, word: str) -> str | None:
        """A new node for a repository or a folder."""
        found = _REPOSITORY.fullmatch(word)
        local = word.startswith(("./", "../", "/", "~")) or self.work.asked.beside(f"{word}/config.json") is not None
        if local or found is None:
            clean = word.removeprefix("./")
            if clean.startswith(("/", "~")) or ".." in clean.split("/") or not re.fullmatch(r"[\w./-]+", clean):
                self.given.refuse(
                    key, "a path must stay below the project's root", "copy or link the folder there, or name a repository"
                )
                return None
            node = self.work.draft.node("models", as_name(clean) or "model")
            self.work.put(node, "path", self.work.asked.placed(clean), key)
            return node.name
        node = self.work.draft.node("models", as_name(found[1]))
        self.work.put(node, "hub", found[1], key)
        if found[2]:
            self.work.put(node, "revision", found[2], key)
        return node.name

    def sources(self, head: str, node: Node, method: Method, name: str) -> None:
        """`models`, or `slices`."""
        told: dict[str, Any] = {}
        keys: list[str] = []
        base = _reference(self.given.value(f"{head}base_model"))
        for item in self.given.items(f"{head}models"):
            found = self.model(f"{item}.model")
            if found is not None:
                inner = f"{item}.parameters"
                of_base = _reference(self.given.value(f"{item}.model")) == base and not method.of_base
                told[found] = self.parameters(inner, method, name, each=True, of_base=of_base)
        if told:
            self.work.put(node, "models", told, *self.taken())
        slices = []
        for item in self.given.items(f"{head}slices"):
            slices.append(self.slice(item, method, name))
            keys += [each for each in self.given.under(item) if each.endswith(".layer_range")]
        if slices:
            self.work.put(node, "slices", slices, *keys, *self.taken())
        if not told and not slices and not any(each.startswith(f"{head}modules") for each in self.given.leaves):
            self.given.lacks(f"{head}models", "it does not say what is merged", "`models` or `slices`")

    def slice(self, item: str, method: Method, name: str) -> dict[str, Any]:
        """The next layers of the result."""
        sources: dict[str, Any] = {}
        mine, whole = (self.given.value(f"{each}base_model") for each in (f"{item}.", item.rpartition("slices[")[0]))
        base = _reference(mine) or _reference(whole)
        for source in self.given.items(f"{item}.sources"):
            found = self.model(f"{source}.model")
            layers: list[Any] = self.given.read(f"{source}.layer_range", _layers, [])
            if found is None:
                continue
            of_base = _reference(self.given.value(f"{source}.model")) == base and not method.of_base
            told = self.parameters(f"{source}.parameters", method, name, each=True, of_base=of_base)
            sources[found] = {"layers": layers, **told} if told else layers
        told = {"models": sources}
        own = self.model(f"{item}.base_model")
        if own is not None:
            told["base"] = own
        beside = self.parameters(f"{item}.parameters", method, name)
        return {**told, "parameters": beside} if beside else told

    def base(self, head: str, node: Node, method: Method, name: str) -> None:
        """The base, where the method has one."""
        key = f"{head}base_model"
        if key not in self.given:
            return
        word = _reference(self.given.value(key))
        named = {
            _reference(leaf.value)
            for path, leaf in self.given.leaves.items()
            if path.startswith(head) and path.endswith("].model")
        }
        if method.base == "ignored" and word not in named:
            self.given.refuse(key, f"`{name}` merges models without a base", "remove it, or name it among the models")
            return
        found = self.model(key)
        if found is not None:
            self.work.put(node, "base", found, key)

    # --- parameters ---

    def parameters(self, path: str, method: Method, name: str, *, each: bool = False, of_base: bool = False) -> dict[str, Any]:
        """Those of the method; mergekit passes over all others without a word."""
        told: dict[str, Any] = {}
        for key in self.given.under(path):
            word = key[len(path) + 1 :]
            value = self.given.value(key)
            if word not in (*method.each, *method.shared):
                if word in _EVERY:
                    self.given.drop(key, f"`{name}` has no such parameter, and mergekit passes over it")
                else:
                    close = nearest(word, (*method.each, *method.shared)) or nearest(word, _EVERY)
                    hint = f"did you mean `{close}`?" if close else "remove it"
                    self.given.refuse(key, "mergekit knows no such parameter, and passes over it without a word", hint)
                continue
            if value is None:
                continue
            if of_base:
                self.given.drop(key, f"the base has no parameters of its own in `{name}`")
            elif each and word not in method.each:
                self.given.drop(key, f"`{name}` has one for all models, and mergekit reads none here")
            else:
                made = self.given.read(key, _setting, None)
                if made is not None:
                    told[word] = made
                    self.used.append(key)
        return told

    # --- the rest ---

    def precision(self, head: str, node: Node) -> None:
        """What is computed in, and what is kept."""
        keys = {"compute": f"{head}dtype", "dtype": f"{head}out_dtype"}
        read = values.choice(**_PRECISIONS)
        self.work.move(node, "compute", keys["compute"], read)
        if keys["dtype"] in self.given:
            self.work.move(node, "dtype", keys["dtype"], read)
        elif keys["compute"] in self.given:
            self.work.move(node, "dtype", keys["compute"], read)
        else:
            self.work.put(node, "dtype", "bf16", why="what nearly all models are kept in")

    def tokenizer(self, head: str, node: Node) -> None:
        """Whose it is, and rows of its own choice."""
        short, long = f"{head}tokenizer_source", f"{head}tokenizer.source"
        key = long if long in self.given else short
        group = [each for each in self.given.under(f"{head}tokenizer") if each in self.given]
        if key not in self.given and not group:
            return
        word = _reference(self.given.value(key)) if key in self.given else "union"
        whole: dict[str, Any] = {"of": word} if word in ("union", "base") else {"model": self.model(key)}
        tokens = [self.token(each, each[len(f"{head}tokenizer.tokens.") :]) for each in group if ".tokens." in each]
        if any(tokens):
            whole["tokens"] = [each for each in tokens if each]
        pad = f"{head}tokenizer.pad_to_multiple_of"
        if pad in self.given:
            whole["pad"] = self.given.integer(pad, 1)
        plain = next(iter(whole.values())) if len(whole) == 1 else whole
        if plain is not None:
            self.work.put(node, "tokenizer", plain, key, *group)

    def token(self, key: str, token: str) -> dict[str, Any]:
        """One token with the place that its row comes from."""
        value = self.given.value(key)
        told: dict[str, Any] = {"token": token}
        if not isinstance(value, Map):
            self.given.refuse(key, "expected a mapping with `source`", "`{source: MODEL, force: true}`")
            return {}
        source = value.get("source")
        if isinstance(source, Map):
            if source.get("kind") == "model_token":
                told |= {
                    name: values.plainly(source[theirs])
                    for name, theirs in (("named", "token"), ("number", "token_id"))
                    if theirs in source
                }
                source = source.get("model")
            else:
                source = None
        if isinstance(source, Scalar) and not values.is_off(source):
            found = self.models.get(str(source)) or (self.made[str(source)].name if str(source) in self.made else "")
            if not found:
                self.given.refuse(key, f"`{source}` is none of the models that are merged", "name one of them")
                return {}
            told["like"] = Plain(found)
        if not values.is_off(value.get("force")):
            told["force"] = True
        return told

    def mixture(self, head: str, node: Node) -> None:
        """Experts with their prompts."""
        given, work = self.given, self.work
        node.put("method", "moe", "a mixture of experts")
        base = self.model(f"{head}base_model")
        if base is not None:
            work.put(node, "base", base, f"{head}base_model")
        experts, keys = [], []
        for group, shared in (("experts", False), ("shared_experts", True)):
            for item in given.items(f"{head}{group}"):
                found = self.model(f"{item}.source_model")
                if found is None:
                    continue
                expert: dict[str, Any] = {"node": found}
                for ours, theirs in (("prompts", "positive_prompts"), ("avoid", "negative_prompts")):
                    if f"{item}.{theirs}" in given:
                        expert[ours] = given.words(f"{item}.{theirs}")
                for ours, theirs in (("noise", "noise_scale"), ("residual", "residual_scale")):
                    if f"{item}.{theirs}" in given:
                        expert[ours] = given.read(f"{item}.{theirs}", values.number, Plain("0"))
                experts.append({**expert, "shared": True} if shared else expert)
                keys += [each for each in given.under(item) if not each.endswith(".source_model")]
        work.put(node, "models", experts, *keys)
        work.move(node, "moe.gate", f"{head}gate_mode")
        work.move(node, "moe.per_token", f"{head}experts_per_token", values.number)
        work.move(node, "moe.architecture", f"{head}architecture", _architecture)
        if f"{head}dtype" in given:
            work.move(node, "dtype", f"{head}dtype", values.choice(**_PRECISIONS))


def _reference(value: Value | None) -> str:
    """A model as mergekit's short form has it, `MODEL@REVISION+ADAPTER`, of either form; empty for what is none."""
    if isinstance(value, Map) and "model" in value and not set(value) - {"model", "lora"}:
        parts = [_path(value[name]) for name in ("model", "lora") if name == "model" or not values.is_off(value.get(name))]
        return "+".join(parts) if all(parts) else ""
    return str(value).strip() if isinstance(value, Scalar) else ""


def _path(value: Value) -> str:
    """`ORG/NAME`, or `{path: ORG/NAME, revision: main}`."""
    if isinstance(value, Map) and "path" in value and not set(value) - {"path", "revision"}:
        revision = value.get("revision")
        return f"{value['path']}" if values.is_off(revision) else f"{value['path']}@{revision}"
    return str(value).strip() if isinstance(value, Scalar) else ""


def _architecture(value: Value) -> str:
    """`Qwen MoE` is `qwen`: mergekit looks at how the word begins."""
    word = values.text(value).lower().partition(" ")[0].removesuffix("moe")
    return word or values.wrong("the name of an architecture", "mixtral, deepseek, qwen or qwen3")


def _layers(value: Value) -> list[Any]:
    if not isinstance(value, Seq) or len(value) != 2:
        values.wrong("two numbers: `[0, 16]`")
    return [values.number(each) for each in value]


def _setting(value: Value) -> Any:
    """A number, a gradient, or values by filters."""
    if isinstance(value, Seq) and any(isinstance(each, Map) for each in value):
        return [_part(each) for each in value]
    if isinstance(value, Map):
        return _part(value)
    return values.plainly(value)


def _part(value: Value) -> dict[str, Any]:
    if not isinstance(value, Map) or "value" not in value or set(value) - {"filter", "value"}:
        values.wrong("`{filter: TEXT, value: NUMBER}`", "mergekit 0.1.5 knows `filter` and `value`")
    told = {"value": values.plainly(value["value"])}
    name = value.get("filter")
    return told if values.is_off(name) or name == "*" else {"filter": str(name), **told}
