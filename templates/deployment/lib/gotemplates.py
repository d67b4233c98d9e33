"""The chat templates that zyc knows, in the language of Go that Ollama reads: the same bytes behind the first token.

A first token (BOS) is Ollama's own business: it puts one where the file of the model says so. `.System` is the system
message, wherever it came from, and it stands in `.Messages`, too.
"""

IM = """{{- range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
"""
DEFAULT = """{{- if not .System }}<|im_start|>system
@SAYS@<|im_end|>
{{ end }}"""
FIRST = "{{ if and $.System (le $i 1) }}{{ $.System }}\n\n{{ end }}"  # before the first question


def _default(says):
    return DEFAULT.replace("@SAYS@", says) + IM


def _turns(name, *, system):
    """Gemma: a model has no system of its own, and what it is told stands before the first question."""
    first = FIRST if system else ""
    return (
        '{{- range $i, $m := .Messages }}{{- if eq .Role "user" }}<start_of_turn>user\n'
        + first
        + "{{ .Content }}<end_of_turn>\n"
        + '{{ else if eq .Role "assistant" }}<start_of_turn>'
        + name
        + "\n{{ .Content }}<end_of_turn>\n{{ end }}{{- end }}<start_of_turn>"
        + name
        + "\n"
    )


def _inst(before, behind):
    """Mistral: `[INST] question[/INST] answer</s>`."""
    return (
        '{{- range $i, $m := .Messages }}{{- if eq .Role "user" }}'
        + before
        + FIRST
        + "{{ .Content }}"
        + behind
        + '{{- else if eq .Role "assistant" }} {{ .Content }}</s>{{- end }}{{- end }}'
    )


PHI3 = """{{- range .Messages }}<|{{ .Role }}|>
{{ .Content }}<|end|>
{{ end }}<|assistant|>
"""
LLAMA3 = """{{- range .Messages }}<|start_header_id|>{{ .Role }}<|end_header_id|>

{{ .Content }}<|eot_id|>{{- end }}<|start_header_id|>assistant<|end_header_id|>

"""
LLAMA31 = """<|start_header_id|>system<|end_header_id|>

Cutting Knowledge Date: December 2023
Today Date: 26 Jul 2024

{{ .System }}<|eot_id|>
{{- range .Messages }}
{{- if ne .Role "system" }}<|start_header_id|>{{ .Role }}<|end_header_id|>

{{ .Content }}<|eot_id|>
{{- end }}
{{- end }}<|start_header_id|>assistant<|end_header_id|>

"""
ZEPHYR = """{{- range .Messages }}<|{{ .Role }}|>
{{ .Content }}</s>
{{ end }}<|assistant|>
"""
LLAMA2 = """{{- range $i, $m := .Messages }}
{{- if eq .Role "user" }}@BOS@[INST] {{ if and $.System (le $i 1) }}<<SYS>>
{{ $.System }}
<</SYS>>

{{ end }}{{ .Content }} [/INST]
{{- else if eq .Role "assistant" }} {{ .Content }} </s>
{{- end }}
{{- end }}"""
TEMPLATES = {
    "llama2": LLAMA2.replace("@BOS@", "{{ if gt $i 1 }}<s>{{ end }}"),
    "chatml": IM,
    "qwen": _default("You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
    "qwen2": _default("You are a helpful assistant."),
    "smollm": _default("You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
    "qwen3": IM,
    "llama3": LLAMA3,
    "llama3.1": LLAMA31,
    "mistral": _inst("[INST] ", "[/INST]"),
    "mistral-v0.1": _inst(" [INST] ", " [/INST]"),
    "gemma": _turns("model", system=False),
    "gemma3": _turns("model", system=True),
    "zephyr": ZEPHYR,
    "phi3": PHI3,
    "phi3.5": PHI3,
}


def of(name, *, thinking=True):
    """The template of that name; a model that may not think is told so where its answer begins."""
    told = TEMPLATES[name]
    return f"{told}<think>\n\n</think>\n\n" if name == "qwen3" and not thinking else told
