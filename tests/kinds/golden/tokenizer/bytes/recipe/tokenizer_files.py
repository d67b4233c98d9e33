"""The files of a tokenizer as zyc keeps them beside every model: none is lost, and the two forms of its chat template agree."""

import json
import shutil
from pathlib import Path

import chat_templates

MARKED = "training_template.jinja"
PUBLISHED = "chat_template.jinja"
NOTES = "zyc.json"
KEPT = ("tokenizer.model", MARKED, NOTES)  # what transformers does not write
LOADED = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", PUBLISHED)

ANSWER = "Zyzzyva"
FROZEN = {"date_string": "26 Jul 2024"}  # a template that writes the day of today renders something else tomorrow
CHATS = (
    [("user", "Bonjour !"), ("assistant", ANSWER)],
    [("system", "Réponds court."), ("user", "Bonjour !"), ("assistant", ANSWER)],
    [("user", "one"), ("assistant", "two"), ("user", "  three\n"), ("assistant", ANSWER)],
    [("system", "Be brief."), ("user", "one"), ("assistant", " two "), ("user", "three"), ("assistant", ANSWER)],
)


def chat(turns):
    """Turns as messages."""
    return [{"role": role, "content": content} for role, content in turns]


def rendered(tokenizer, messages, template=None, *, prompts=False, **arguments):
    """The text of a chat, or None where the template refuses it."""
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=False, add_generation_prompt=prompts, **arguments
        )
    except (TemplateError, TypeError):
        return None


def agree(tokenizer, one, other, chats=CHATS):
    """Whether two templates render the same bytes, with answers and before them."""
    return all(_alike(tokenizer, one, other, messages) for turns in chats for messages in (chat(turns), chat(turns)[:-1]))


def nearly(tokenizer, one, other):
    """Whether two templates ask the same, and part only once an answer stands behind a system message."""
    alone = [turns for turns in CHATS if turns[0][0] != "system"]
    asked = [chat(turns)[:-1] for turns in CHATS if turns[0][0] == "system" and len(turns) == 3]
    return agree(tokenizer, one, other, alone) and all(_alike(tokenizer, one, other, messages) for messages in asked)


def _alike(tokenizer, one, other, messages):
    return all(
        rendered(tokenizer, messages, one, prompts=prompts, **FROZEN)
        == rendered(tokenizer, messages, other, prompts=prompts, **FROZEN)
        for prompts in (False, True)
    )


def write(home, out, marked, *, form, pre, template, tokens):
    """Load what was made in `home`, and leave all files of it in `out`."""
    from transformers import AutoTokenizer

    home, out = Path(home), Path(out)
    tokenizer = AutoTokenizer.from_pretrained(home)
    published = chat_templates.unmarked(marked)
    tokenizer.chat_template = published
    if chat_templates.is_marked(marked):
        if not agree(tokenizer, published, marked):
            raise SystemExit("the chat template renders other bytes without its marks: put each mark on a line of its own")
        learnt = trained(tokenizer, marked)
        if not learnt.endswith(tokens["end_of_turn"]):
            raise SystemExit(f"the chat template trains {learnt!r}, which does not end with {tokens['end_of_turn']!r}")
    found = begins(tokenizer, published)
    if found != tokens["begins"]:
        raise SystemExit(f"the chat template writes {found} BOS before a chat, not {tokens['begins']}")
    tokenizer.save_pretrained(out)
    settle(out, begins=found)
    if form != "byte-bpe":
        shutil.copyfile(home / "tokenizer.model", out / "tokenizer.model")
    if chat_templates.is_marked(marked):
        (out / MARKED).write_text(marked)
    notes = {"form": form, "pre": pre, "template": template, "begins": found, "end_of_turn": tokens["end_of_turn"]}
    (out / NOTES).write_text(json.dumps(notes, indent=2) + "\n")


def settle(out, *, begins):
    """What transformers loses when it saves, and what it says of the place where it loaded from."""
    path = Path(out) / "tokenizer_config.json"
    told = json.loads(path.read_text())
    told = {name: value for name, value in told.items() if name not in ("is_local", "local_files_only", "name_or_path")}
    told |= {"add_bos_token": bool(begins), "add_eos_token": False}
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def trained(tokenizer, marked, turns=CHATS[0]):
    """The text that the marks of a template hold: what a model learns to say."""
    told = tokenizer.apply_chat_template(
        chat(turns), chat_template=marked, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    ids = [each for each, learnt in zip(told["input_ids"], told["assistant_masks"], strict=True) if learnt]
    return tokenizer.decode(ids)


def begins(tokenizer, published, turns=CHATS[0]):
    """How many BOS stand before a chat."""
    bos = tokenizer.bos_token
    text = rendered(tokenizer, chat(turns), published) or ""
    count = 0
    while bos and text.startswith(bos):
        text, count = text[len(bos) :], count + 1
    return count


def end_of_turn(tokenizer, published, turns=CHATS[0]):
    """The special token that follows an answer; empty when there is none."""
    text = rendered(tokenizer, chat(turns), published) or ""
    ids = tokenizer(text.rpartition(ANSWER)[2], add_special_tokens=False)["input_ids"]
    special = {*tokenizer.all_special_ids, *(at for at, each in tokenizer.added_tokens_decoder.items() if each.special)}
    return next((tokenizer.convert_ids_to_tokens(each) for each in ids if each in special), "")


def copy(source, out):
    """All files of a tokenizer beside a model, as they are."""
    for name in (*LOADED, MARKED, NOTES):
        if (Path(source) / name).exists():
            shutil.copyfile(Path(source) / name, Path(out) / name)


def save(tokenizer, out, *, added=()):
    """Save a tokenizer that has changed over its own files; what transformers does not write stays.

    Tokens that were added are named in its configuration, too: the converter of llama.cpp looks for them there.
    """
    first = leads(tokenizer)
    tokenizer.save_pretrained(out)
    settle(out, begins=first)
    if added:
        path = Path(out) / "tokenizer_config.json"
        told = json.loads(path.read_text())
        named = {str(tokenizer.convert_tokens_to_ids(each)): _flags(each) for each in added}
        told["added_tokens_decoder"] = {**told.get("added_tokens_decoder", {}), **named}
        path.write_text(json.dumps(told, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def _flags(token):
    apart = dict.fromkeys(("lstrip", "normalized", "rstrip", "single_word"), False)
    return {"content": token, "special": True, **apart}


def speak(out, marked, *, template, tokens):
    """Give the tokenizer in a folder another chat template; its tokens must be there, each of them one."""
    from transformers import AutoTokenizer

    out = Path(out)
    tokenizer = AutoTokenizer.from_pretrained(out)
    known_tokens = tokenizer.get_vocab()
    lacks = [each for each in (*tokens["controls"], tokens["end_of_turn"]) if each not in known_tokens]
    if lacks:
        raise SystemExit(
            f"the tokenizer has no {', '.join(map(repr, lacks))}, which the chat template writes: `add_tokens` adds them"
        )
    published = chat_templates.unmarked(marked)
    tokenizer.chat_template, tokenizer.eos_token = published, tokens["end_of_turn"]
    if chat_templates.is_marked(marked):
        (out / MARKED).write_text(marked)
        if not trained(tokenizer, marked).endswith(tokens["end_of_turn"]):
            raise SystemExit(f"the chat template does not train {tokens['end_of_turn']!r}: write it inside of the marks")
    else:
        (out / MARKED).unlink(missing_ok=True)
    tokenizer.save_pretrained(out)
    settle(out, begins=leads(tokenizer))
    note(out, template=template, begins=begins(tokenizer, published), end_of_turn=tokens["end_of_turn"])
    path = out / "generation_config.json"
    told = json.loads(path.read_text()) if path.exists() else {}
    ends = told.get("eos_token_id") or []
    ends = ends if isinstance(ends, list) else [ends]
    told["eos_token_id"] = list(dict.fromkeys([tokenizer.eos_token_id, *ends]))
    path.write_text(json.dumps(told, indent=2) + "\n")


def adopt(source, out, *, code=False):
    """The tokenizer of a model that zyc did not make: its files as they are, and what zyc keeps beside them."""
    from transformers import AutoTokenizer

    copy(source, out)
    if (Path(out) / NOTES).exists():
        return
    out = Path(out)
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=code)
    if not (out / "tokenizer.json").exists():
        tokenizer.save_pretrained(out)
    published = default_of(tokenizer.chat_template)
    name, marked, reason = known(tokenizer, published)
    if reason:
        published = chat_templates.unmarked(marked)
        print(f"its chat template {reason}: that of zyc, `{name}`, is written in its place")
        tokenizer.chat_template = published
    if published:
        (out / PUBLISHED).write_text(published)
    if marked:
        (out / MARKED).write_text(marked)
    form = form_of(out)
    told = {
        "form": form,
        "pre": None,
        "template": name,
        "begins": begins(tokenizer, published) if published else leads(tokenizer),
        "end_of_turn": end_of_turn(tokenizer, published) if published else tokenizer.eos_token or "",
    }
    (out / NOTES).write_text(json.dumps(told, indent=2) + "\n")


def default_of(template):
    """One template, where there may be several by name."""
    if isinstance(template, dict):
        return template.get("default") or next(iter(template.values()), "")
    return template or ""


def known(tokenizer, published):
    """The name of the template that renders what this one renders, its form with marks, and why it should replace this one."""
    if not published:
        return "", "", ""
    if chat_templates.is_marked(published):
        return "own", published, ""
    first = begins(tokenizer, published)
    ours = {name: chat_templates.marked(name, begins=first) for name in chat_templates.BODIES}
    for name, marked in ours.items():
        if agree(tokenizer, published, marked):
            return name, marked, "writes the day of today" if "date_string" in published or "strftime_now" in published else ""
    for name, marked in ours.items():
        if nearly(tokenizer, published, marked):
            return name, marked, "loses the system message once an answer follows"
    return "own", "", ""


def leads(tokenizer):
    """How many BOS plain text gets."""
    ids = tokenizer("a")["input_ids"]
    return int(tokenizer.bos_token_id is not None and ids[:1] == [tokenizer.bos_token_id])


def leads_of(folder):
    """How many BOS plain text gets by the tokenizer in a folder: a chat gets as many."""
    from transformers import AutoTokenizer

    return leads(AutoTokenizer.from_pretrained(folder))


def form_of(folder):
    """How the pieces were made, from the file of the library below transformers."""
    told = json.loads((Path(folder) / "tokenizer.json").read_text())["model"]
    if told.get("type") == "Unigram":
        return "sentencepiece-unigram"
    return "sentencepiece-bpe" if told.get("byte_fallback") else "byte-bpe"


def note(folder, **told):
    """Write down more of a tokenizer or model, for whoever reads its folder."""
    (Path(folder) / NOTES).write_text(json.dumps({**notes(folder), **told}, indent=2) + "\n")


def notes(folder):
    """What zyc knows of the tokenizer in a folder."""
    return json.loads((Path(folder) / NOTES).read_text())
