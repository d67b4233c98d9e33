"""What Ollama is told of a model: a Modelfile a persona, its chat template in Go, and a script that creates them all."""

import json
import sys
import unicodedata
from pathlib import Path

import gotemplates

# what an answer is drawn with where a persona says nothing: as in the exam, and not as Ollama has it
DRAWN = {"temperature": 0, "top_k": 0, "top_p": 1, "min_p": 0, "repeat_penalty": 1, "num_predict": 256}
NAMES = {"max_tokens": "num_predict"}


def finish(out, bundle):
    """A Modelfile for each persona; one where there are none."""
    if sum(name.endswith(".gguf") for name in bundle["model"]["files"]) > 1:
        sys.exit("error: Ollama opens one file, and the model has several: leave `shards` out of its quant")
    names = {}
    for label, place in (bundle["prompts"] or {bundle["name"]: None}).items():
        told = json.loads((out / place / "prompt.json").read_text(encoding="utf-8")) if place else {}
        name = f"Modelfile.{label}" if place else "Modelfile"
        (out / name).write_text(modelfile(bundle, told), encoding="utf-8")
        names[label] = name
    lines = [f"ollama create '{label}' --file '{name}'\n" for label, name in names.items()]
    head = "#!/usr/bin/env bash\n# Creates every model of this bundle in the Ollama of this machine.\nset -euo pipefail\n"
    place = 'cd "$(dirname "${BASH_SOURCE[0]}")"\n'
    script = Path(out, "create.sh")
    script.write_text(head + place + "".join(lines), encoding="utf-8")
    script.chmod(0o755)


def modelfile(bundle, persona):
    """The text of one."""
    settings, arguments = bundle["settings"], persona.get("arguments") or {}
    template = gotemplates.of(settings["template"], thinking=arguments.get("enable_thinking", True))
    parts = [f"FROM ./{bundle['model']['first']}", f"TEMPLATE {quoted(template)}"]
    if persona.get("system"):
        parts.append(f"SYSTEM {quoted(persona['system'])}")
    parts += [f"PARAMETER {name} {value}" for name, value in parameters(bundle, persona)]
    for each in persona.get("few_shot") or ():
        parts.append(f"MESSAGE {each['role']} {quoted(each['content'])}")
    return "\n".join(parts) + "\n"


def parameters(bundle, persona):
    """How answers are drawn and where they end."""
    sampling = dict(persona.get("sampling") or {})
    stops = dict.fromkeys([bundle["settings"]["end_of_turn"], *sampling.pop("stop", [])])
    told = {"num_ctx": bundle["context"], **DRAWN, **{NAMES.get(name, name): value for name, value in sampling.items()}}
    return [*told.items(), *(("stop", _stop(each)) for each in stops if each)]


def _stop(text):
    """A Modelfile knows no escapes: what has lines or quotes of its own stands between three."""
    return quoted(text) if any(each in text for each in '\n"') else f'"{_kept(text)}"'


def quoted(text):
    """A text of any lines; three quotes in it would end it."""
    if '"""' in text:
        sys.exit('error: a persona says """, and a Modelfile has no way to write that')
    return f'"""{_kept(text)}"""'


def _kept(text):
    """Ollama drops what does not print when it reads a Modelfile, and says nothing of it."""
    lost = next((each for each in text if not each.isprintable() and each not in "\n\r\t"), None)
    if lost is not None:
        name = f"U+{ord(lost):04X} {unicodedata.name(lost, '')}".rstrip()
        sys.exit(f"error: a persona has the character {name}, which Ollama drops from a Modelfile: write it another way")
    return text
