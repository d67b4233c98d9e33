"""Ollama's Modelfiles: a model, and a prompt with what stands before a question and how answers are drawn."""

import pytest
from importers.importing import told

from zyc.compile import Request, Source, compile_specs
from zyc.kept import Kept

FILE = '''
# my own
FROM hf.co/Qwen/Qwen2.5-0.5B-Instruct:latest
PARAMETER temperature 0.3
PARAMETER num_predict 60
PARAMETER num_ctx 4096
parameter stop "<|im_end|>"
PARAMETER stop AI assistant:
SYSTEM """Tu es Spinoza.
Réponds court."""
MESSAGE user Bonjour !
MESSAGE assistant """Bonjour,
lycéen."""
LICENSE apache-2.0
RENDERER qwen
PARSER qwen
'''


def test_a_modelfile_becomes_a_model_and_a_prompt():
    """Known by its first word; texts in three quotes keep their lines, several stops are a list."""
    seen = told(FILE)
    assert seen.made.tool == "Ollama"
    assert seen.refused == {}
    assert seen["models.qwen2-5-0-5b-instruct"] == {"hub": "Qwen/Qwen2.5-0.5B-Instruct", "licence": "apache-2.0"}
    assert seen["prompts.run"] == {
        "system": "Tu es Spinoza.\nRéponds court.",
        "few_shot": [{"user": "Bonjour !", "assistant": "Bonjour,\nlycéen."}],
        "sampling": {"temperature": "0.3", "max_tokens": "60", "stop": ["<|im_end|>", "AI assistant:"]},
    }
    assert {*seen.without_effect} == {"parameter.num_ctx", "renderer", "parser"}
    compiled = compile_specs([Source("x.yml", seen.made.text.encode())], Request(), Kept())
    assert compiled.troubles == ()


@pytest.mark.parametrize(
    ("source", "field", "value"),
    [
        ("llama3.2:1b", "hub", "meta-llama/Llama-3.2-1B-Instruct"),
        ("mistral:latest", "hub", "mistralai/Mistral-7B-Instruct-v0.3"),
        ("Qwen/Qwen2.5-0.5B", "hub", "Qwen/Qwen2.5-0.5B"),
        ("./models/mine", "path", "models/mine"),
    ],
)
def test_what_a_model_is_made_from(source, field, value):
    """A name of the library, a repository, a folder of the project."""
    seen = told(f"FROM {source}\nSYSTEM Be brief.\n")
    assert seen.refused == {}
    (node,) = seen["models"].values()
    assert node == {field: value}


@pytest.mark.parametrize(
    ("line", "key", "words"),
    [
        ("FROM ./model-q4.gguf", "from", "safetensors"),
        ("FROM hf.co/me/model-GGUF", "from", "safetensors"),
        ("FROM someones-model", "from", "hf.co/ORG/NAME"),
        ("FROM /models/mine", "from", "copy or link"),
        ("FROM mistral\nADAPTER ./lora.gguf", "adapter", "finetunes"),
        ("FROM mistral\nTEMPLATE {{ .Prompt }}", "template", "--chat-template"),
        ("FROM mistral\nPARAMETER mirostat 1", "parameter.mirostat", "remove it"),
        ("FROM mistral\nPARAMETER temprature 1", "parameter.temprature", "`temperature`"),
        ("FROM mistral\nSYTEM Be brief.", "sytem", "`system`"),
        ("FROM mistral\nMESSAGE assistant Hello", "message[0].role", "in order"),
        ("FROM mistral\nMESSAGE user Hello", "message[0].content", "the answer"),
        ("FROM mistral\nPARAMETER temperature hot", "parameter.temperature", ""),
        ("SYSTEM Be brief.", "from", "FROM ORG/NAME"),
    ],
)
def test_what_cannot_be_is_refused(line, key, words):
    """A GGUF to begin with, an adapter, Go's templates, misspelt words, examples out of order."""
    seen = told(line, "ollama")
    assert key in seen.refused, seen.refused
    assert words in seen.row(key).help


def test_a_template_can_be_named():
    """Where a person says which template Ollama's is, the model has it."""
    seen = told("FROM mistral\nTEMPLATE {{ .Prompt }}\nSYSTEM Be brief.", template="chatml")
    assert seen.refused == {}
    assert seen["models.mistral-7b-instruct-v0-3.chat_template"] == "chatml"


def test_a_modelfile_of_a_model_alone_is_a_model():
    """Nothing to say is no prompt."""
    seen = told("FROM mistral\nPARAMETER num_predict -1\n")
    assert seen.refused == {}
    assert "prompts" not in seen
    assert seen.without_effect["parameter.num_predict"] == "an answer ends where the model ends it"
