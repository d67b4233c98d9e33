"""The model card: metadata that hubs read, and what a person should know before using it."""

import json
import shlex

import lineage
from huggingface_hub import EvalResult, ModelCardData

RELATIONS = {"quant": "quantized", "merge": "merge"}
REHEARSAL = (
    "**This is a rehearsal.** The model is a toy of the same family, made to try the whole way; "
    "its numbers say nothing about the real one."
)


def metadata(bundle, nodes, reports):
    """What a hub reads of it."""
    public = [name for name, _ in lineage.bases(nodes)]
    data = [told[0] for told in map(lineage.repository, lineage.of_kind(nodes, "dataset")) if told]
    last = [each["kind"] for each in lineage.of_kind(nodes, *lineage.MADE)]
    relation = next((RELATIONS.get(each, "finetune") for each in reversed(last)), None) if public else None
    more = {"model_name": bundle["name"], "eval_results": results(reports)} if reports else {}
    told = ModelCardData(
        license=_licence(bundle["licence"]),
        license_name=bundle["licence"] if _licence(bundle["licence"]) == "other" else None,
        base_model=public or None,
        base_model_relation=relation,
        datasets=sorted(set(data)) or None,
        library_name="gguf" if bundle["engine"] == "llama.cpp" else "transformers",
        pipeline_tag="text-generation",
        tags=["zyc", *(["rehearsal"] if bundle["rehearsal"] else [])],
        **more,
    )
    return told.to_dict()


def _licence(name):
    """A licence as hubs have it: one that is no short name is `other`, with its name beside it."""
    return None if not name else name if name in {each.lower() for each in lineage.SPDX} or "-" in name else "other"


def results(reports):
    """Every measure of every task, for the leaderboards of a hub."""
    told = []
    for report in reports:
        for task, found in sorted(report.get("tasks", {}).items()):
            for name, value in sorted(found["measures"].items()):
                if not name.endswith((".low", ".high")):
                    told.append(
                        EvalResult(
                            task_type="text-generation",
                            dataset_type=task,
                            dataset_name=f"{task} (rehearsal)" if report.get("rehearsal") else task,
                            metric_type=name,
                            metric_value=value,
                        )
                    )
    return told


def write(path, front, bundle, nodes, reports, words):
    """Metadata in front, then the page."""
    import yaml

    front = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    parts = [f"---\n{front}---\n", f"# {bundle['title']}\n"]
    if bundle["rehearsal"]:
        parts.append(f"{REHEARSAL}\n")
    parts += [_what(bundle, nodes), _running(bundle), _made(nodes), _personas(words), _results(reports), _files(bundle)]
    path.write_text("\n".join(each for each in parts if each), encoding="utf-8")


def _what(bundle, nodes):
    size = sum(each["bytes"] for each in bundle["model"]["files"].values())
    count = len(bundle["model"]["files"])
    lines = [f"- {count} file{'' if count == 1 else 's'} of the model, {size:,} bytes, for {bundle['engine']}"]
    lines += [f"- made from {name}, revision {commit or 'not pinned'}" for name, commit in lineage.bases(nodes)]
    lines.append(f"- {bundle['context']:,} tokens of context are held")
    if bundle["on"]:
        lines.append(f"- meant for {bundle['on']}")
    lines.append(f"- licence: {bundle['licence'] or 'not known: ask whoever made it before you use it'}")
    others = [each for each in lineage.licences(nodes) if each != bundle["licence"]]
    if others:
        lines.append(f"- licences of what it was made of: {', '.join(others)}")
    return "\n".join([*lines, ""])


def _running(bundle):
    """The commands that make it answer, typed in its folder."""
    told = RUNS[bundle["target"]]
    lines = told(bundle) if callable(told) else told
    return "\n".join(["## Run it", "", "In this folder:", "", "```sh", *lines, "```", ""])


def _gateway(bundle):
    keys = [] if bundle["settings"].get("open") else ["python -m gateway keys add me   # a key for whoever asks, shown this once"]
    install = "pip install -r requirements.txt"
    return [install, *keys, "python -m gateway --port 8000   # OpenAI's API; its own page is http://127.0.0.1:8000/docs"]


def _server(bundle):
    keys = [] if bundle["settings"].get("open") else ["docker compose run --rm gateway keys add me"]
    return [*_gateway(bundle), "# or in a container:", "docker compose up --detach", *keys]


def _modal(bundle):
    lines, secret = ["pip install modal && modal setup"], bundle["modal"]["secret"]
    if bundle["engine"] == "llama.cpp":
        return [*lines, "modal deploy modal_app.py", "modal run modal_app.py::add_key --name me   # shown this once"]
    key = f'modal secret create {shlex.quote(secret)} VLLM_API_KEY="$(openssl rand -hex 32)"   # whoever asks sends it'
    return [*lines, key, "modal deploy modal_app.py"]


def _ollama(bundle):
    name = next(iter(bundle["prompts"]), bundle["name"])
    return ["bash create.sh", f"ollama run {shlex.quote(name)}"]


def _hub(bundle):
    """Weights alone: any program that reads them."""
    if bundle["engine"] == "llama.cpp":
        return [f"llama-server --model {shlex.quote(bundle['model']['first'])} --ctx-size {bundle['context']}"]
    return [f"vllm serve model --max-model-len {bundle['context']}"]


RUNS = {
    "server": _server,
    "hf-space": _gateway,
    "modal": _modal,
    "ollama": _ollama,
    "hub": _hub,
    "vllm": ('export VLLM_API_KEY="$(openssl rand -hex 32)"   # whoever asks sends it', "docker compose up --detach"),
    "assistant": ("pip install -r requirements.txt", "python -m assistant --check", "python -m assistant"),
}


def _made(nodes):
    steps = lineage.of_kind(nodes, "model", "dataset", *lineage.MADE)
    if not steps:
        return ""
    lines = ["## How it was made", "", "| step | settings | from |", "|---|---|---|"]
    for each in steps:
        settings = ", ".join(f"{name} {_plain(value)}" for name, value in each["settings"].items())
        begins = ", ".join(f"{name} {digest[:12]}" for name, digest in each["sources"])
        lines.append(f"| {each['kind']} | {_cell(settings)} | {_cell(begins)} |")
    return "\n".join([*lines, ""])


def _personas(words):
    if not words:
        return ""
    lines = ["## Personas", ""]
    for label, told in words.items():
        said = " ".join(told["system"].split()) if told["system"] else "(no words of its own)"
        more = [f"{len(told['few_shot']) // 2} examples"] if told.get("few_shot") else []
        more += ["looks passages up"] if told.get("retrieval") else []
        lines.append(f"- `{label}`: {said}{f' ({chr(44).join(more)})' if more else ''}")
    return "\n".join([*lines, ""])


def _results(reports):
    if not reports:
        return ""
    lines = ["## What was measured", ""]
    if any(each.get("rehearsal") for each in reports):
        lines += ["Scores of a rehearsal: they are those of a toy.", ""]
    lines += ["| task | measure | value | interval of 95 % |", "|---|---|---|---|"]
    for report in reports:
        for task, found in sorted(report.get("tasks", {}).items()):
            for name, value in sorted(found["measures"].items()):
                if not name.endswith((".low", ".high")):
                    ends = found.get("intervals", {}).get(name)
                    between = f"{ends[0]:.4g} to {ends[1]:.4g}" if ends else ""
                    lines.append(f"| {_cell(task)} | {_cell(name)} | {value:.4g} | {between} |")
    return "\n".join([*lines, "", "Nothing else was measured: not safety, not other languages, not other uses.", ""])


def _files(bundle):
    lines = ["## Files", "", "| file | bytes | sha256 |", "|---|---|---|"]
    lines += [f"| {_cell(name)} | {told['bytes']:,} | {told['sha256']} |" for name, told in bundle["model"]["files"].items()]
    return "\n".join([*lines, "", "All that it was made of and that runs it stands in bom.json.", ""])


def _plain(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")
