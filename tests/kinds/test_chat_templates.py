"""Chat templates: the form for training and the published one render the same bytes, which are those of who made the format."""

import importlib.util
from pathlib import Path

import pytest
from modules import modules_of

from zyc.craft.chats import CHATS
from zyc.craft.configs import recognise

with modules_of("tokenizer", "chat_templates") as told:
    templates = told.chat_templates
NAMES = sorted(CHATS)
TOOLS = [
    {
        "type": "function",
        "function": {"name": "open", "description": "Ouvre « tout ».", "parameters": {"type": "object", "a": [1]}},
    },
    {"type": "function", "function": {"name": "shut", "description": "Shuts.", "parameters": {"type": "object"}}},
]
CALL = {"id": "abcdefghi", "type": "function", "function": {"name": "open", "arguments": {"what": "la porte", "n": 2}}}


def said(*turns):
    """Turns as messages: `u` for the user, `a` for the assistant, `s` for the system."""
    roles = {"u": "user", "a": "assistant", "s": "system"}
    return [{"role": roles[turn[0]], "content": turn[2:]} for turn in turns]


CHAT = {
    "one turn": said("u:Bonjour !", "a:Salut."),
    "system": said("s:Réponds court.", "u:Bonjour !", "a:Salut."),
    "many turns": said("u:one", "a:two", "u:three", "a:four", "u:five", "a:six"),
    "system and many turns": said("s:Be brief.", "u:one", "a:two", "u:three", "a:four"),
    "spaces": said("u:  one \n", "a:\n two  ", "u:three", "a: four\n\n"),
    "special tokens in text": said("u:<|im_end|></s><end_of_turn>[/INST]<|eot_id|>", "a:{% endfor %}{{ bos_token }}<s>"),
    "letters of all kinds": said("u:日本語 🙂 é é", "a:«\u00a0ça\u00a0» \u2028 x"),
    "a question alone": said("u:one"),
    "a question after an answer": said("s:Be brief.", "u:one", "a:two", "u:three"),
}
CALLING = {
    "a call": [*said("u:Ouvre."), {"role": "assistant", "content": "", "tool_calls": [CALL]}],
    "a call and its result": [
        *said("s:Be brief.", "u:Ouvre."),
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "name": "open", "content": '{"done": true}', "tool_call_id": "abcdefghi"},
        *said("a:C'est fait."),
    ],
}
WORDS = {"bos_token": "<s>", "eos_token": "</s>"}


@pytest.fixture(scope="module")
def render():
    """Render as transformers does: the text, and the spans that the marks hold; None where the template refuses."""
    from jinja2 import TemplateError
    from transformers.utils.chat_template_utils import render_jinja_template

    def rendering(text, messages, *, prompts=False, tools=None, spans=False, **arguments):
        try:
            told, found = render_jinja_template(
                [messages],
                chat_template=text,
                tools=tools,
                add_generation_prompt=prompts,
                return_assistant_tokens_mask=spans,
                **{**WORDS, **arguments},
            )
        except TemplateError:
            return None
        return (told[0], [told[0][start:end] for start, end in found[0]]) if spans else told[0]

    return rendering


def published(name):
    """The template that a maker has published, from the collection that the trainers' library carries."""
    home = Path(importlib.util.find_spec("trl").origin).parent / "chat_templates"
    return (home / f"{name}.jinja").read_text()


def test_every_template_has_its_facts():
    """What plans know and what scripts write are the same templates."""
    assert templates.BODIES.keys() == CHATS.keys()
    assert "@" not in "".join(templates.marked(name, begins=1) for name in NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("begins", [0, 1])
def test_both_forms_render_the_same_bytes(render, name, begins):
    """The published form is the marked one without its marks, whatever is said, with answers and before them."""
    marked = templates.marked(name, begins=begins)
    plain = templates.unmarked(marked)
    assert not templates.is_marked(plain)
    told = 0
    for messages in (*CHAT.values(), *(CALLING.values() if CHATS[name].tools else ())):
        for tools in (None, TOOLS) if CHATS[name].tools else (None,):
            for prompts in (False, True):
                text = render(marked, messages, prompts=prompts, tools=tools)
                assert text == render(plain, messages, prompts=prompts, tools=tools)
                told += text is not None
    assert told >= 2 * (len(CHAT) - 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_marks_hold_the_answer_and_its_end(render, name):
    """What is trained is what an assistant says and the token that ends it; it begins where a prompt for it ends."""
    marked, ends = templates.marked(name, begins=1), CHATS[name].end_of_turn.replace("</s>", WORDS["eos_token"])
    for case in ("one turn", "many turns", "letters of all kinds"):
        messages = CHAT[case]
        text, spans = render(marked, messages, spans=True)
        answers = [each["content"] for each in messages if each["role"] == "assistant"]
        assert len(spans) == len(answers)
        assert all(answer in span and span.endswith(ends) for answer, span in zip(answers, spans, strict=True))
        assert text.startswith(render(marked, messages[:-1], prompts=True) + spans[-1])
    if CHATS[name].tools:
        messages = CALLING["a call"]
        text, spans = render(marked, messages, tools=TOOLS, spans=True)
        assert spans[0].endswith(ends)
        assert '"la porte"' in spans[0]
        assert text.startswith(render(marked, messages[:-1], tools=TOOLS, prompts=True) + spans[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_as_many_bos_as_the_facts_say(render, name):
    """None or one stands before a chat, never two."""
    for begins in (0, 1):
        text = render(templates.unmarked(templates.marked(name, begins=begins)), CHAT["one turn"])
        assert text.startswith("<s>") == bool(begins)
        assert not text.startswith("<s><s>")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_system_message_has_a_place_or_is_refused(render, name):
    """It is written, in front of the question, or the template says that there is no place for it; it is never lost."""
    text = templates.marked(name, begins=1)
    for case in ("system", "system and many turns", "a question after an answer"):
        told = render(text, CHAT[case])
        assert (told is not None) == CHATS[name].system
        assert told is None or CHAT[case][0]["content"] in told


PUBLISHED = {
    "qwen2_5": ("qwen", {}),
    "qwen3": ("qwen3", {}),
    "llama3": ("llama3", {}),
    "llama3_1": ("llama3.1", {"date_string": "26 Jul 2024"}),
    "llama3_2": ("llama3.1", {"date_string": "26 Jul 2024"}),
    "gemma": ("gemma", {}),
    "gemma3": ("gemma3", {}),
    "phi3": ("phi3", {}),
    "phi3_5": ("phi3.5", {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("original", PUBLISHED)
def test_what_was_published_renders_the_same_bytes(render, original):
    """Ours is the format of those who made it, to the byte, wherever theirs renders at all."""
    (name, arguments), theirs = PUBLISHED[original], published(original)
    ours = templates.marked(name, begins=CHATS[name].begins)
    told = 0
    for case, messages in {**CHAT, **(CALLING if CHATS[name].tools else {})}.items():
        for tools in (None, TOOLS) if CHATS[name].tools else (None,):
            for prompts in (False, True):
                text = render(theirs, messages, prompts=prompts, tools=tools, **arguments)
                if text is not None:
                    assert render(ours, messages, prompts=prompts, tools=tools, **arguments) == text, case
                    told += 1
    assert told >= 2 * (len(CHAT) - 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_template_says_another_thing_tomorrow(render, name):
    """Engines hand templates the day of today; ours do not ask."""
    text = templates.marked(name, begins=1)
    assert render(text, CHAT["one turn"], date_string="1 Jan 2030") == render(text, CHAT["one turn"])
    assert "strftime" not in text


@pytest.mark.slow
def test_thoughts_are_those_of_qwen3(render):
    """What was thought is kept before the last answer only, and an engine may be told not to think."""
    ours, theirs = templates.marked("qwen3", begins=0), published("qwen3")
    thinking = [
        *said("u:one", "a:<think>\nhm\n</think>\n\ntwo", "u:three"),
        {"role": "assistant", "content": "four", "reasoning_content": "so"},
    ]
    for messages in (thinking, thinking[:2], thinking[:3]):
        for arguments in ({}, {"enable_thinking": False}, {"enable_thinking": True}):
            for prompts in (False, True):
                told = render(theirs, messages, prompts=prompts, **arguments)
                assert render(ours, messages, prompts=prompts, **arguments) == told


@pytest.mark.parametrize("original", PUBLISHED)
def test_what_was_published_is_recognised(original):
    """A plan knows the template of a public model from its text."""
    assert recognise(published(original)) == PUBLISHED[original][0]


@pytest.mark.parametrize("name", NAMES)
def test_our_own_are_recognised(name):
    """Each is told from the others by its text; what is like none is the user's own."""
    same = {"phi3.5": ("phi3", "phi3.5"), "phi3": ("phi3", "phi3.5")}
    assert recognise(templates.unmarked(templates.marked(name, begins=1))) in same.get(name, (name,))
    assert recognise("{{ messages }}") == "own"
    assert recognise("") == ""
