"""A chat template that nobody vouches for is read and rendered by a plan: it tells its end and its marks, and takes nothing."""

import json
import sys
import tracemalloc

import pytest
from desk import Desk

from zyc.craft.rendering import LINES, looked

SAYS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
MARKED = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content + '<|end|>' }}"
    "{% endgeneration %}{% else %}{{ m.content ~ '<|end|>' }}{% endif %}{% endfor %}"
)
GROWS = "{%% set ns = namespace(x='aaaaaaaaaa') %%}{%% for n in range(60) %%}{%% set ns.x = %s %%}{%% endfor %%}{{ ns.x }}"
HOSTILE = {
    "loops in loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "times": "{{ 'a' * 10000000000 }}",
    "powers": "{{ 10 ** 10 ** 10 }}",
    "a width": "{{ '%9999999999d' % 1 }}",
    "a format": "{{ '{:>9999999999}'.format(1) }}",
    "a filter that pads": "{{ 'a'|center(9999999999) }}",
    "a method that pads": "{{ 'a'.ljust(9999999999) }}",
    "joining": GROWS % "ns.x ~ ns.x",
    "adding": GROWS % "ns.x + ns.x",
    "replacing": GROWS % "ns.x.replace('a', 'aa')",
    "replacing by a filter": GROWS % "ns.x|replace('a', ns.x)",
    "writing without end": "{% for n in range(90000) %}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{{ n }}{% endfor %}",
    "reaching for Python": "{{ ''.__class__.__mro__ }}",
    "asking for what is not there": "{{ tools.nothing.at.all }}",
}
DEEP = {
    "brackets": "{{ " + "(" * 20000 + "1" + ")" * 20000 + " }}",
    "blocks": "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
    "signs": "{{ " + "-" * 50000 + "1 }}",
}


def test_an_honest_template_tells_its_end_and_its_marks():
    """What stands behind an answer, and what is learned of it."""
    told = looked(SAYS, eos="<|end|>")
    assert (told.flaw, told.marked, told.after) == ("", False, "<|end|>")
    told = looked(MARKED, eos="<|end|>")
    assert (told.marked, told.after, told.learned) == (True, "<|end|>", "Zyzzyva<|end|>")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_template_is_given_up_on(text):
    """Nothing is known of it, after a bounded count of lines and in little memory; who traces this process goes on."""
    trace, lines = sys.gettrace(), 0

    def counting(_frame, _event, _argument):
        nonlocal lines
        lines += 1

    tracemalloc.start()
    sys.settrace(counting)
    try:
        told = looked.__wrapped__(text, eos="</s>")
        assert sys.gettrace() is counting
    finally:
        sys.settrace(trace)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert told.after is None
    assert told.flaw == ""
    assert most < 30_000_000
    assert lines < 2 * LINES


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
def test_a_template_that_is_nested_without_end_is_none(text):
    """It is told as a flaw, and no recursion ends the plan."""
    assert looked(text, eos="</s>").flaw == "it is nested too deeply"


def test_a_plan_says_that_a_template_is_nested_too_deeply(tmp_path):
    """With the file and the field, as of any other mistake."""
    desk = Desk(tmp_path)
    desk.write("deep.jinja", DEEP["brackets"])
    desk.write(
        "a.jsonl", json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}) + "\n"
    )
    desk.spec(
        "datasets: {d: {from: a.jsonl}}\n"
        "tokenizers: {t: {corpus: [d], vocab: 300, chat_template: deep.jinja, end_of_turn: </s>}}\n"
    )
    said = desk.zyc("plan")
    assert said.code == 2
    assert "`deep.jinja` is no Jinja template: it is nested too deeply" in said.text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", "[" * 100_000),
        ("tokenizer_config.json", '{"chat_template": "' + "{% for a in range(9999) %}" * 3 + '"}'),
        ("tokenizer.json", '{"added_tokens": 5, "model": {"vocab": {"a": "b"}}}'),
        ("tokenizer.json", '{"added_tokens": [5, {"id": "x"}], "model": 3}'),
        ("tokenizer.json", '{"a":' * 100_000),
    ],
)
def test_a_plan_reads_the_files_of_a_hostile_model(tmp_path, name, text):
    """It may refuse the model; it says so and ends well."""
    desk = Desk(tmp_path)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 1,
              "num_attention_heads": 4, "vocab_size": 300, "intermediate_size": 128}  # fmt: skip
    desk.write("m/config.json", json.dumps(config))
    desk.write("m/model.safetensors", "")
    desk.write(f"m/{name}", text)
    desk.spec("models: {m: {path: m}}\n")
    assert desk.zyc("plan").code in (0, 1, 2)


def test_a_plan_reads_a_file_of_rows_that_are_nested_without_end(tmp_path):
    """Its columns are not known then."""
    desk = Desk(tmp_path)
    desk.write("a.jsonl", '{"messages": ' + "[" * 100_000 + "\n")
    desk.spec("datasets: {d: {from: a.jsonl, format: messages}}\n")
    assert desk.zyc("plan").code == 0


def test_an_argument_of_vllm_that_is_nested_without_end_is_no_json(tmp_path):
    """It is refused like any other text that is none."""
    desk = Desk(tmp_path)
    desk.write("m/config.json", "{}")
    given = "{additional-config: a, allowed-headers: '" + "[" * 20_000 + "'}"
    desk.spec(f"models: {{m: {{path: m}}}}\ndeployments: {{v: {{model: m, target: vllm, vllm: {{arguments: {given}}}}}}}\n")
    said = desk.zyc("plan")
    assert said.code == 2
    assert "`allowed-headers` takes JSON" in said.text
