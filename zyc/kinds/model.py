"""The kind `model`: weights with a configuration and a tokenizer, from a hub, from a folder, or new."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from zyc import catalogue, fields
from zyc.craft import arch, configs, shapes
from zyc.craft.chats import CHATS, is_file, is_marked, misread, no_template, unended, unknown
from zyc.gates import Interval
from zyc.kind import Case, Change, Estimate, FileNeed, Hub, HubNeed, Kind, Measure, Need, Objection, Placement, Recipe, Spec
from zyc.measures import drifts, takes
from zyc.types import Model, Tokenizer, facts_of, model_of

CLASSES = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3", "gemma": "Gemma"}
SOURCES = ("hub", "path", "scratch")
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?")
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


class ModelSpec(Spec):
    """The fields of a model: one of `hub`, `path` and `scratch`, and what changes it."""

    hub: fields.Text | None = None
    """A repository of a hub, such as `mistralai/Mistral-7B-Instruct-v0.3`; a plain text in place of the fields means this one."""
    revision: fields.Text | None = None
    """A branch, tag or commit of the repository; `zyc.lock` pins the commit."""
    token: fields.Secret | None = None
    """A token for what is gated or private: `$(env.HF_TOKEN)`."""
    path: fields.FilePath | None = None
    """A folder of yours with `config.json`, safetensors and a tokenizer, as transformers saves them."""
    scratch: shapes.Scratch | None = None
    """A new model: `{family: llama, layers: 8, heads: 8, width: 512, mlp: 1536, context: 512}`."""
    tokenizer: fields.Ref[Tokenizer] | None = None
    """The tokenizer of a new model."""
    seed: fields.Integer = Field(0, ge=0)
    """Which weights a new model begins with."""
    add_tokens: fields.Texts = ()
    """Tokens that the tokenizer gets in addition; their rows begin as the mean of the others."""
    chat_template: fields.Text | None = None
    """Another chat template: a name that zyc knows (chatml, llama3, qwen, ...), or a Jinja file of yours."""
    end_of_turn: fields.Text | None = None
    """The token that ends an answer in a chat template of yours."""
    trust_remote_code: fields.Flag = False
    """Run Python that the model brings along. It may do anything that you may: read it first."""
    licence: fields.Text | None = None
    """Its licence, where its card does not tell or is wrong."""
    placement: Placement = Placement()
    """Where it is fetched or made: never part of the key."""

    @property
    def need(self) -> HubNeed | None:
        """What is asked of the hub."""
        if self.hub is None:
            return None
        wants = ("config.json", "*.safetensors")
        return HubNeed(self.hub, "hub", self.revision or "main", configs.READ, wants, str(self.token or ""))


def smaller(repository: str) -> tuple[str, ...]:
    """The listed models with fewer parameters that are trained alike (to chat, or not), kin first, the largest first."""
    return _others(repository, most=0.9)


def larger(repository: str) -> tuple[str, ...]:
    """The listed models with more parameters that are trained alike, kin first, the smallest first."""
    return _others(repository, least=1.1)


def _others(repository: str, *, least: float = 0, most: float = math.inf) -> tuple[str, ...]:
    size, mine = catalogue.published(repository), catalogue.model(repository)
    if size is None or mine is None:
        return ()
    told = [(name, catalogue.published(name), catalogue.model(name)) for name in catalogue.repositories()]
    alike = [
        (name, count, model)
        for name, count, model in told
        if count is not None and model is not None and least * size < count < most * size and _chats(name) == _chats(repository)
    ]
    owner = repository.partition("/")[0]
    alike.sort(key=lambda each: (each[2].family != mine.family and each[0].partition("/")[0] != owner, abs(each[1] - size)))
    return tuple(name for name, _, _ in alike)


def _chats(repository: str) -> bool:
    words = re.split(r"[-_.]", repository.lower())
    # Qwen3 says which ones are not
    return bool({"instruct", "chat", "it"} & {*words}) or ("qwen3" in words[0] and "base" not in words)


class ModelKind(Kind[ModelSpec]):
    """A model with everything that belongs to it: weights in safetensors, its configuration, its tokenizer, its chat template."""

    name = "model"
    section = "models"
    Spec = ModelSpec
    gives = Model
    measures = {
        "parameters": Measure("parameters; a tied output counts once", "count"),
        "bytes": Measure("bytes of its weights", "bytes"),
    }
    only_real = ("parameters",)
    shares = ("chat_templates.py", "hub.py", "tokenizer_files.py")
    proof = "integrity"
    links = True  # weights of the user's own hub cache

    def shorthand(self, value: str) -> Mapping[str, str]:
        """`base: mistralai/Mistral-7B-v0.3` is a model of the hub."""
        return {"hub": value}

    def needs(self, spec: ModelSpec) -> Iterable[Need]:
        """The configuration and what is said of the tokenizer; never weights."""
        if spec.need is not None:
            yield spec.need
        elif spec.path is not None:
            for name in (*configs.READ, configs.PIECES_FILE):
                yield FileNeed(f"{spec.path.path}/{name}", "path", text=True, optional=True)
        if spec.chat_template is not None and is_file(spec.chat_template):
            yield FileNeed(fields.read_path(spec.chat_template), "chat_template", text=True)

    def twin(self, spec: ModelSpec) -> ModelSpec:
        """A large new model is a small one of its family; what stands in for a model from outside is the graph's to say."""
        return spec if spec.scratch is None else spec.model_copy(update={"scratch": shapes.small(spec.scratch)})

    def check(self, case: Case[ModelSpec]) -> Iterable[Objection]:
        """A model comes from one place, has a shape that can be, and brings nothing that runs unasked."""
        given = [name for name in SOURCES if getattr(case.spec, name) is not None]
        if len(given) != 1:
            found = " and ".join(f"`{each}`" for each in given) or "none of them"
            says = f"a model comes from `hub`, `path` or `scratch`, and here is {found}"
            yield Objection(given[-1] if given else "", says, "keep one" if given else "`hub: ORG/NAME`, or `scratch: {...}`")
            return
        yield from _unread(case.spec, given[0])
        yield from _checked_template(case)
        if case.spec.scratch is not None:
            if case.spec.tokenizer is None:
                yield Objection("scratch", "a new model needs a tokenizer", "say `tokenizer: NAME`, one of `tokenizers`")
                return
            flaws = tuple(shapes.check(case.spec.scratch, case.inputs.get("tokenizer")))
            yield from flaws or _misread(self.facts(case), "tokenizer")
        elif case.spec.path is not None:
            yield from _checked_folder(case)
            yield from _misread(self.facts(case), "path")
        else:
            yield from _checked_hub(case)

    def notes(self, case: Case[ModelSpec]) -> Iterable[Objection]:
        """What is allowed and better known: code that runs, rows that cannot be quantized well, terms to be accepted."""
        spec, facts = case.spec, self.facts(case)
        if spec.trust_remote_code:
            yield Objection("trust_remote_code", f"`{spec.hub or _folder(spec)}` runs Python of its own", "read it first")
        if spec.scratch is not None:
            yield from shapes.notes(spec.scratch)
        if spec.hub is not None and facts.gated and spec.token is None and not _is_whole(_hub(case)):
            page = f"https://huggingface.co/{spec.hub}"
            yield Objection("hub", f"`{spec.hub}` is gated", f"accept its terms at {page}, then `token: $(env.HF_TOKEN)`")

    def facts(self, case: Case[ModelSpec]) -> Model:
        """From its shape, from its configuration, or from what is public of it."""
        spec = case.spec
        if spec.scratch is not None:
            told = shapes.model(spec.scratch, case.inputs.get("tokenizer"))
        elif spec.hub is not None:
            told = _of_hub(spec.hub, _hub(case))
        else:
            told = configs.model(_texts(case), _names(case))
        if spec.chat_template is not None:
            told = _speaking(told, spec.chat_template, spec.end_of_turn, _own_text(case))
        return _with_rows(replace(told, licence=spec.licence or told.licence), spec.add_tokens)

    def estimate(self, case: Case[ModelSpec]) -> Estimate:
        """Parameters and bytes are arithmetic."""
        spec, model = case.spec, self.facts(case)
        count, size = arch.parameters(model), arch.weight_bytes(model)
        if count is None or size is None:
            return Estimate()
        because = "its shape" if spec.scratch is not None else "config.json" if _texts(case) else "the catalogue"
        counted = Interval(count, count, because)
        measures = (
            (("parameters", counted), ("bytes", Interval(size, size * 1.001 + 100_000, because))) if not spec.add_tokens else ()
        )
        filled = 4 * count if spec.scratch is not None else size if spec.add_tokens else 0
        download = 0 if spec.hub is None or _is_whole(_hub(case)) else max(0, size - _fetched(_hub(case)))
        seconds = Interval(3 + size / 2e9 + download / 2e8, 15 + size / 1e8 + download / 5e6, f"{size / 1e6:,.0f} MB of weights")
        result = f"{count / 1e6:,.1f} M parameters" if count < 1e9 else f"{count / 1e9:,.2f} B parameters"
        return Estimate(
            seconds, memory=700_000_000 + filled, disk=size + 20_000_000, download=download, result=result, measures=measures
        )

    def changes(self, case: Case[ModelSpec], missed: Collection[str] = ()) -> Iterable[Change]:
        """Smaller models of the catalogue; larger ones where answers are too bad; none is nearer to what it was made of."""
        if case.spec.hub is None or (missed and all(map(drifts, missed))):
            return
        better = missed and not any(takes(each) or drifts(each) for each in missed)
        for name in (larger if better else smaller)(case.spec.hub):
            yield Change("hub", name)

    def recipe(self, case: Case[ModelSpec]) -> Recipe:
        """The values of its configuration, or what to take; of a repository nothing but its commit decides."""
        spec = case.spec
        values: dict[str, object] = {"spec": spec}
        if spec.scratch is not None:
            facts = shapes.model(spec.scratch, case.inputs.get("tokenizer"))
            values |= {"facts": facts, "family": CLASSES[spec.scratch.family]}
        elif spec.need is not None:
            values |= {"need": spec.need.repository, "commit": _hub(case).commit, "token": str(spec.token or "")}
        if spec.chat_template is None:
            return Recipe(values=values)
        chat = CHATS.get(spec.chat_template)
        controls = list(chat.specials()) if chat is not None else []
        ends = chat.end_of_turn if chat is not None else spec.end_of_turn
        values |= {
            "own": chat is None,
            "template": "own" if chat is None else spec.chat_template,
            "controls": controls,
            "end_of_turn": ends,
        }
        return Recipe(values=values, files={} if chat is not None else {"own.jinja": _own_text(case)})


def _misread(facts: Model, field: str) -> Iterable[Objection]:
    """A tokenizer that transformers would take for one of another form."""
    flaw = misread(facts.family, facts.form)
    if flaw is not None:
        yield Objection(field, *flaw)


def _own_text(case: Case[ModelSpec]) -> str:
    """A chat template of the user's."""
    found = case.files.get(fields.read_path(case.spec.chat_template or "-"))
    return found.text or "" if found is not None else ""


def _checked_template(case: Case[ModelSpec]) -> Iterable[Objection]:
    """Another template is known, or it says how an answer ends."""
    name, ends = case.spec.chat_template, case.spec.end_of_turn
    if name is None:
        if ends is not None:
            yield Objection("end_of_turn", "a model that keeps its chat template keeps the end of its answers", "remove it")
        return
    if case.spec.scratch is not None:
        yield Objection("chat_template", "a new model speaks as its tokenizer does", "give the tokenizer this `chat_template`")
        return
    text = _own_text(case)
    flaws = (
        ("chat_template", unknown(name) or no_template(name, text)),
        ("end_of_turn", unended(name, ends, text)),
    )
    for field, flaw in flaws:
        if flaw is not None:
            yield Objection(field, *flaw)
            return


def _speaking(model: Model, name: str, ends: str | None, text: str) -> Model:
    """The same model with another chat template."""
    chat = CHATS.get(name)
    identity = f"{model.tokenizer} in {name}" if model.tokenizer else None
    told = replace(model, template=name if chat else "own", marked=is_marked(name, text), tokenizer=identity)
    return replace(told, end_of_turn=chat.end_of_turn if chat else ends)


def _folder(spec: ModelSpec) -> str:
    return spec.path.path if spec.path is not None else ""


def _unread(spec: ModelSpec, source: str) -> Iterable[Objection]:
    """What nothing reads, given where the model comes from."""
    if source != "hub" and spec.revision is not None:
        yield Objection("revision", f"`{source}` has no revisions", "remove `revision`")
    if source != "hub" and spec.token is not None:
        yield Objection("token", f"`{source}` needs no token", "remove `token`")
    if source == "scratch":
        if spec.trust_remote_code:
            yield Objection("trust_remote_code", "a new model brings no code", "remove `trust_remote_code`")
        return
    if spec.tokenizer is not None:
        yield Objection("tokenizer", "a model that exists brings its tokenizer", "remove `tokenizer`, or say `add_tokens`")
    if spec.seed:
        yield Objection("seed", "only a new model is drawn by a seed", "remove `seed`")


def _with_rows(model: Model, added: tuple[str, ...]) -> Model:
    """The same model once its tokenizer has these tokens more."""
    if not added:
        return model
    ids = model.ids + len(added) if model.ids is not None else None
    rows = model.vocabulary
    if rows is not None:
        rows = max(rows, ids) if ids is not None else rows
    identity = f"{model.tokenizer} and {' '.join(added)}" if model.tokenizer else None
    return replace(model, ids=ids, vocabulary=rows, tokenizer=identity)


# --- folders ---


def _texts(case: Case[ModelSpec]) -> Mapping[str, str]:
    """The files that say what a model is, by name."""
    if case.spec.hub is not None:
        return _hub(case).texts
    if case.spec.path is None:
        return {}
    names = (*configs.READ, configs.PIECES_FILE)
    found = {name: case.files.get(f"{case.spec.path.path}/{name}") for name in names}
    return {name: each.text or "" for name, each in found.items() if each is not None}


def _names(case: Case[ModelSpec]) -> list[str]:
    """The names of the files of a folder."""
    folder = case.files.get(_folder(case.spec))
    return [path.rpartition("/")[2] for path, _ in folder.files] if folder is not None else []


def _checked_folder(case: Case[ModelSpec]) -> Iterable[Objection]:
    """Only safetensors, all of them, a configuration that can be read, a tokenizer, no code unasked."""
    place, names, texts = _folder(case.spec), _names(case), _texts(case)
    yield from _pickled("path", place, names)
    gone = sorted(configs.shards(texts.get(configs.INDEX)) - {*names})
    if gone:
        says = f"`{place}` lacks {len(gone)} of its files with weights: `{gone[0]}`" + (" and others" if len(gone) > 1 else "")
        yield Objection("path", says, "it is half-written: copy or download it again")
    config = configs.mapping(texts.get("config.json"))
    if not isinstance(config.get("model_type"), str):
        yield Objection("path", f"`{place}/config.json` does not tell its `model_type`", "a model of transformers does")
    if not any(name in names for name in TOKENIZERS):
        yield Objection("path", f"`{place}` has no tokenizer", "copy `tokenizer.json` and `tokenizer_config.json` there")
    yield from _code("path", case.spec, config)
    facts = configs.model(texts, names)
    if facts.ids is not None and facts.vocabulary is not None and facts.ids > facts.vocabulary and not case.spec.add_tokens:
        says = f"the tokenizer of `{place}` gives {facts.ids:,} ids, and its embedding has {facts.vocabulary:,} rows"
        yield Objection(
            "path", says, "`add_tokens: [...]` gives new tokens their rows, or take the tokenizer that it was trained with"
        )


def _pickled(field: str, place: str, names: list[str]) -> Iterable[Objection]:
    """Weights as pickles run whatever is in them."""
    if any(name.endswith(".safetensors") for name in names):
        return
    found = sorted(name for name in names if name.endswith(PICKLED))
    if not found:
        yield Objection(field, f"`{place}` has no weights: no file ends in `.safetensors`", "")
        return
    says = f"the weights of `{place}` are pickled (`{found[0]}`): whoever reads them runs the code in them"
    convert = f"AutoModelForCausalLM.from_pretrained('{place}', dtype='auto').save_pretrained('{place}')"
    yield Objection(field, says, f'if you trust them: python -c "from transformers import AutoModelForCausalLM; {convert}"')


def _code(field: str, spec: ModelSpec, config: Mapping[str, Any]) -> Iterable[Objection]:
    """Python of the model's own runs only when the spec says so."""
    if config.get("auto_map") and not spec.trust_remote_code:
        says = "this model runs Python of its own, which may do anything that you may"
        yield Objection(field, says, "read it; then `trust_remote_code: true`")


# --- hubs ---


def _hub(case: Case[ModelSpec]) -> Hub:
    need = case.spec.need
    return case.hubs.get(need.name, Hub()) if need is not None else Hub()


def _of_hub(repository: str, hub: Hub) -> Model:
    """What its files say where they are here; the rest, or all of it, as it is public."""
    public = catalogue.model(repository) or Model()
    if "config.json" not in hub.texts:
        return replace(public, name=repository)
    told = configs.model(hub.texts, hub.files)
    known = [value if value is not None else getattr(public, name) for name, value in facts_of(told)]
    return replace(model_of(tuple(known)), name=repository, tokenizer=public.tokenizer or repository)


def _fetched(hub: Hub) -> int:
    """The bytes of weights that are here already."""
    return sum(size for name, size in hub.files.items() if name.endswith(".safetensors"))


def _is_whole(hub: Hub) -> bool:
    """Whether all of its weights are here."""
    wanted = configs.shards(hub.texts.get(configs.INDEX))
    if not wanted:
        return _fetched(hub) > 0 and configs.INDEX not in hub.files
    return wanted <= hub.files.keys()


def _checked_hub(case: Case[ModelSpec]) -> Iterable[Objection]:
    """A name that can be one, and is no slip of the pen; weights that can be read."""
    repository, hub = str(case.spec.hub), _hub(case)
    if REPOSITORY.fullmatch(repository) is None:
        yield Objection(
            "hub",
            f"`{repository}` is not the name of a repository",
            "for example `Qwen/Qwen2.5-0.5B-Instruct`; a folder is `path:`",
        )
        return
    if not hub.commit and catalogue.model(repository) is None:
        near = catalogue.nearest(repository)
        if near is not None and _SIZE.sub("", near.lower()) == _SIZE.sub("", _with_owner(repository, near).lower()):
            yield Objection("hub", f"there is no `{repository}`", f"did you mean `{near}`?")
            return
    yield from _code("hub", case.spec, configs.mapping(hub.texts.get("config.json")))
    if "config.json" in hub.files and any(name.endswith(PICKLED) for name in hub.files):
        yield from _pickled("hub", repository, list(hub.files))


_SIZE = re.compile(r"\d+(?:\.\d+)?[bm](?![a-z0-9])", re.IGNORECASE)


def _with_owner(repository: str, near: str) -> str:
    return repository if "/" in repository else f"{near.partition('/')[0]}/{repository}"
