"""Models for MLC: the conversation that is made of a chat template, the configuration, what is refused, what is proven."""

import json
import os
import shutil

import here
import pytest
from standing import module
from tiny_models import make

from zyc.types import Mlc

PROJECT = """
tokenizers: {my-pieces: {corpus: data/words.txt, vocab: 400}}
models: {my-tiny: {scratch: {family: llama, layers: 2, heads: 4, width: 64, mlp: 128, context: 256}, tokenizer: my-pieces}}
quants: {my-web: {model: my-tiny, format: mlc, TYPE}}
"""
CHATS = [
    [{"role": "user", "content": "Qui est-ce ?"}],
    [
        {"role": "user", "content": "Un."},
        {"role": "assistant", "content": "Deux."},
        {"role": "user", "content": "Trois ?"},
        {"role": "assistant", "content": "Quatre."},
        {"role": "user", "content": "Cinq ?"},
    ],
]
SYSTEM = {"role": "system", "content": "Tu es Kant."}
# a stand-in for the program of MLC: it writes one shard and its list
PROGRAM = """#!/bin/sh
out="$6"
printf 12345678 > "$out/params_shard_0.bin"
echo '{"records": [{"dataPath": "params_shard_0.bin", "nbytes": 8, "records": [{"byteOffset": 0, "nbytes": 8}]}]}' \
  > "$out/tensor-cache.json"
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A tiny model."""
    return make(tmp_path_factory.mktemp("tiny"), "llama")


def front(workshop, kind="type: q4f16_1"):
    """A project with one quant."""
    workshop.spec(PROJECT.replace("TYPE", kind))
    return workshop.front()


def test_config(workshop, golden):
    """The script: the conversation first, then the weights."""
    golden(front(workshop), "my-web")


def test_proof(workshop, golden):
    """The script of its proof."""
    golden(front(workshop), "my-web.proof")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("type: web-q8", "MLC has no eight bits for browsers"),
        ("type: q4f16", "an MLC model has no type `q4f16`"),
        ("shards: 10 MB", "an MLC model has no `shards`"),
    ],
)
def test_what_cannot_be_is_told_at_plan_time(workshop, fields, says):
    """Types and fields of other formats are refused."""
    workshop.spec(PROJECT.replace("TYPE", fields))
    ((_, _, facts),) = workshop.problems()
    assert says in facts["says"]


def test_presets_and_facts(workshop):
    """`web-q4` is q4f16_1, and what its shards take is known before."""
    facts = front(workshop, "type: web-q4").settlement.nodes["my-web"].facts
    assert isinstance(facts, Mlc)
    assert facts.type == "q4f16_1"
    assert facts.bytes == pytest.approx(4.5 / 8 * (2 * (4 * 64 * 64 + 3 * 64 * 128) + 400 * 64), rel=0.02)


# --- the conversation ---


class Words:
    """A tokenizer as far as templates go."""

    bos_token, eos_token, bos_token_id, eos_token_id = "<s>", "</s>", 1, 2

    def __init__(self, template):
        self.chat_template = template

    def apply_chat_template(self, chat, tokenize, add_generation_prompt):
        """By plain Jinja."""
        assert not tokenize
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        def refuse(says):
            raise TemplateError(says)

        made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        made.globals["raise_exception"] = refuse
        told = {"bos_token": self.bos_token, "eos_token": self.eos_token, "add_generation_prompt": add_generation_prompt}
        return made.from_string(self.chat_template).render(messages=chat, **told)

    def convert_tokens_to_ids(self, token):
        """Whatever it is."""
        return len(token)


def alike(template, chats):
    """What MLC makes of the chats, beside what the template makes of them; and which chats are right."""
    told, words = module("shared/mlc_conversation.py"), Words(template)
    conversation, systems = told.derive(words, "<|im_end|>")
    begins = words.bos_token if conversation["system_prefix_token_ids"] else ""
    pairs = [
        (begins + told.render(conversation, chat), words.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
        for chat in chats
        if told.suits(systems, chat)
    ]
    return pairs, systems


def of_shelf(name, begins):
    """The published form of a template that zyc knows."""
    told = module("shared/chat_templates.py")
    return told.unmarked(told.marked(name, begins=begins))


@pytest.mark.parametrize("name", ["chatml", "llama2", "llama3", "mistral", "gemma", "qwen", "smollm"])
def test_templates_that_zyc_knows(name):
    """Each becomes a conversation that renders the same."""
    pairs, _ = alike(of_shelf(name, 1), [*CHATS, *([SYSTEM, *chat] for chat in CHATS)])
    assert len(pairs) >= 2
    for found, wanted in pairs:
        assert found == wanted


COUNTED = (
    "{% for m in messages %}{{ m['role'] }}{{ loop.index if loop.last else '' }}{{ m['content'] }}"
    "{{ '' if loop.last else '|' }}{% endfor %}"
)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{% for m in messages %}{{ m['content'] | upper }}{% endfor %}", "changes it"),
        ("{% for m in messages[-1:] %}{{ m['content'] }}{% endfor %}", "leaves out"),
        (COUNTED, "when others stand before or behind it"),
    ],
)  # fmt: skip
def test_what_mlc_cannot_say_is_refused(template, says):
    """A template that changes, drops or counts turns has no conversation."""
    told = module("shared/mlc_conversation.py")
    with pytest.raises(told.Unsayable, match=says):
        told.derive(Words(template))


# --- the script and the proof ---


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A program in place of MLC's: it is not in the registry of Python packages."""
    home = tmp_path / "bin"
    home.mkdir()
    (home / "mlc_llm").write_text(PROGRAM)
    (home / "mlc_llm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}{os.pathsep}{os.environ['PATH']}")


def test_without_the_program(workshop, tmp_path, source, monkeypatch):
    """Where the program of MLC is not, a sentence says so; the configuration was made and checked before."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    ran = here.run(front(workshop), "my-web", tmp_path / "step", {"model": source}, script="to_mlc")
    assert ran.error.startswith("error: the program `mlc_llm` is not here")
    assert "help: " in ran.error


@pytest.mark.usefixtures("program")
def test_what_it_leaves(workshop, tmp_path, source):
    """A configuration with the sizes of the model, its tokenizer's files, and the conversation; the proof finds it the same."""
    told = front(workshop)
    ran = here.run(told, "my-web", tmp_path / "step", {"model": source}, script="to_mlc")
    assert ran.error == ""
    config = json.loads((ran.out / "mlc-chat-config.json").read_text())
    assert (config["model_type"], config["quantization"], config["context_window_size"]) == ("llama", "q4f16_1", 512)
    assert config["model_config"]["hidden_size"] == 64
    assert config["tokenizer_files"] == ["tokenizer.model", "tokenizer.json", "tokenizer_config.json"]
    assert config["tokenizer_info"]["token_postproc_method"] == "byte_fallback"
    assert config["conv_template"]["seps"] == ["<|im_end|>\n", "<|im_end|>\n"]
    assert config["conv_template"]["stop_str"] == ["<|im_end|>"]
    places = {"subject": ran.out, "against": source, "model": source}
    proof = here.run(told, "my-web.proof", tmp_path / "proof", places, script="prove_mlc")
    assert proof.measures == {"same_tokens": 1.0, "same_template": 1.0}, proof.log


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(
    ("name", "change", "sees"),
    [
        ("roles", lambda told: told["conv_template"]["roles"].update(user="### "), "same_template"),
        ("seps", lambda told: told["conv_template"].update(seps=["<|im_end|>"]), "same_template"),
        ("bos", lambda told: told["conv_template"].update(system_prefix_token_ids=[1, 1]), "same_template"),
    ],
)
def test_the_proof_sees_a_conversation_of_others(workshop, tmp_path, source, name, change, sees):
    """Right weights with a wrong conversation are what people lose days to: the proof fails."""
    told = front(workshop)
    ran = here.run(told, "my-web", tmp_path / "step", {"model": source}, script="to_mlc")
    bad = shutil.copytree(ran.out, tmp_path / name)
    config = json.loads((bad / "mlc-chat-config.json").read_text())
    change(config)
    (bad / "mlc-chat-config.json").write_text(json.dumps(config))
    places = {"subject": bad, "against": source, "model": source}
    assert here.run(told, "my-web.proof", tmp_path / "proof", places, script="prove_mlc").measures[sees] < 1


def test_shards_are_looked_at(tmp_path):
    """A shard that is not there, cut short, or ends before its tensors is told."""
    told = module("shared/mlc_weights.py")
    shard = {"dataPath": "params_shard_0.bin", "nbytes": 8, "records": [{"byteOffset": 4, "nbytes": 4}]}

    def flaws(bytes_, **change):
        if bytes_ is not None:
            (tmp_path / "params_shard_0.bin").write_bytes(bytes_)
        (tmp_path / "ndarray-cache.json").write_text(json.dumps({"records": [{**shard, **change}]}))
        return told.flaws(tmp_path)

    with pytest.raises(SystemExit, match="no list of its weights"):
        told.flaws(tmp_path)
    assert flaws(None) == ["params_shard_0.bin is not there"]
    assert flaws(b"12345678") == []
    assert flaws(b"1234") == ["params_shard_0.bin has 4 bytes of 8"]
    assert flaws(b"12345678", records=[{"byteOffset": 6, "nbytes": 4}]) == ["params_shard_0.bin ends before its last tensor"]
