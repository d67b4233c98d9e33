"""Chat templates by name: one text with marks round what an assistant says; without the marks it renders the same bytes.

The marks are `{% generation %}` lines, as trainers read them. They begin where a prompt for an answer ends, and they end
behind the end of the turn: what stands between them is what a model must learn to say.
"""

import re

MARK = re.compile(r"^\s*\{%-?\s*(?:end)?generation\s*-?%\}\n", re.MULTILINE)

# --- <|im_start|> ... <|im_end|> ---

_IM_TOOLS = r"""
{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] + '\n\n' }}
@DEFAULT_WITH_TOOLS@
    {%- endif %}
    {{- "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n" }}
    {{- "You are provided with function signatures within <tools></tools> XML tags:\n<tools>" }}
    {%- for tool in tools %}
        {{- '\n' }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\n</tools>\n\nFor each function call, return a json object with function name and arguments " }}
    {{- "within <tool_call></tool_call> XML tags:\n<tool_call>\n" }}
    {{- '{"name": <function-name>, "arguments": <args-json-object>}' }}
    {{- '\n</tool_call><|im_end|>\n' }}
{%- elif messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}
@DEFAULT@
{%- endif %}
{%- for message in messages %}
    {%- if message['role'] == 'assistant' and not message['tool_calls'] %}
        {{- '<|im_start|>assistant\n' }}
        {%- generation %}
        {{- message['content'] + '<|im_end|>' }}
        {%- endgeneration %}
        {{- '\n' }}
    {%- elif message['role'] == 'assistant' %}
        {{- '<|im_start|>assistant\n' }}
        {%- generation %}
        {%- if message['content'] %}
            {{- message['content'] + '\n' }}
        {%- endif %}
        {%- for call in message['tool_calls'] %}
            {%- if call['function'] %}
                {%- set call = call['function'] %}
            {%- endif %}
            {{- '<tool_call>\n{"name": "' + call['name'] + '", "arguments": ' }}
            {{- call['arguments'] | tojson }}
            {{- '}\n</tool_call>' }}
            {%- if not loop.last %}
                {{- '\n' }}
            {%- endif %}
        {%- endfor %}
        {{- '<|im_end|>' }}
        {%- endgeneration %}
        {{- '\n' }}
    {%- elif message['role'] == 'tool' %}
        {%- if loop.first or messages[loop.index0 - 1]['role'] != 'tool' %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\n<tool_response>\n' + message['content'] + '\n</tool_response>' }}
        {%- if loop.last or messages[loop.index0 + 1]['role'] != 'tool' %}
            {{- '<|im_end|>\n' }}
        {%- endif %}
    {%- elif message['role'] == 'user' or not loop.first %}
        {{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""

_IM_PLAIN = r"""
{%- for message in messages %}
    {%- if loop.first and message['role'] != 'system' %}
        {{- '<|im_start|>system\n@DEFAULT@<|im_end|>\n' }}
    {%- endif %}
    {{- '<|im_start|>' + message['role'] + '\n' }}
    {%- if message['role'] == 'assistant' %}
        {%- generation %}
        {{- message['content'] + '<|im_end|>' }}
        {%- endgeneration %}
        {{- '\n' }}
    {%- else %}
        {{- message['content'] + '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""


# What was thought stands before the last answer only; a thought that is empty is written all the same.
_QWEN3_ASSISTANT = r"""
    {%- if message['role'] == 'assistant' %}
        {%- set content = message['content'] if message['content'] is string else '' %}
        {%- set thought = message['reasoning_content'] if message['reasoning_content'] is string else '' %}
        {%- if message['reasoning_content'] is not string and '</think>' in content %}
            {%- set thought = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\n') %}
        {%- endif %}
        {{- '<|im_start|>assistant\n' }}
        {%- generation %}
        {%- if loop.index0 > asked.last and (loop.last or thought) %}
            {{- '<think>\n' + thought.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}
        {%- else %}
            {{- content }}
        {%- endif %}
        {%- for call in message['tool_calls'] or [] %}
            {%- if content or not loop.first %}
                {{- '\n' }}
            {%- endif %}
            {%- if call['function'] %}
                {%- set call = call['function'] %}
            {%- endif %}
            {{- '<tool_call>\n{"name": "' + call['name'] + '", "arguments": ' }}
            {{- call['arguments'] if call['arguments'] is string else call['arguments'] | tojson }}
            {{- '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>' }}
        {%- endgeneration %}
        {{- '\n' }}
"""

_QWEN3_ASKED = r"""
{%- set asked = namespace(last=messages | length - 1, found=false) %}
{%- for message in messages[::-1] %}
    {%- set text = message['content'] if message['content'] is string else '' %}
    {%- set told = message['role'] == 'user' and message['content'] is string %}
    {%- set replies = text.startswith('<tool_response>') and text.endswith('</tool_response>') %}
    {%- if not asked.found and told and not replies %}
        {%- set asked.found = true %}
        {%- set asked.last = messages | length - 1 - loop.index0 %}
    {%- endif %}
{%- endfor %}
"""

_QWEN3_END = r"""
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}
"""


def _qwen3():
    """The form with tools, with thoughts."""
    head, _, rest = _with_tools("").partition("{%- for message in messages %}\n")
    rest = rest[rest.index("    {%- elif message['role'] == 'tool' %}") : rest.index("{%- if add_generation_prompt %}")]
    turns = "{%- for message in messages %}\n" + _QWEN3_ASSISTANT.lstrip("\n") + rest
    return head + _QWEN3_ASKED.lstrip("\n") + turns + _QWEN3_END.lstrip("\n")


def _with_tools(default):
    """The form with tools; `default` is what a system says when nobody does."""
    if not default:
        return re.sub(r"@\w+@\n", "", _IM_TOOLS)
    beside_tools = f"    {{%- else %}}\n        {{{{- '{default}\\n\\n' }}}}"
    alone = f"{{%- else %}}\n    {{{{- '<|im_start|>system\\n{default}<|im_end|>\\n' }}}}"
    return _IM_TOOLS.replace("@DEFAULT_WITH_TOOLS@", beside_tools).replace("@DEFAULT@", alone)


# --- [INST] ... [/INST] ---

_LLAMA2 = r"""
{%- if messages[0]['role'] == 'system' %}
    {%- set system = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' %}
    {%- set turns = messages[1:] %}
{%- else %}
    {%- set system = '' %}
    {%- set turns = messages %}
{%- endif %}
{%- for message in turns %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- (bos_token if @BEGINS@ else '') + '[INST] ' }}
        {{- ((system if loop.first else '') + message['content']).strip() + ' [/INST]' }}
    {%- else %}
        {%- generation %}
        {{- ' ' + message['content'].strip() + ' ' + eos_token }}
        {%- endgeneration %}
    {%- endif %}
{%- endfor %}
"""

# What Mistral publishes puts the system text before the last question, and leaves it out once an answer follows: a model
# trained so has never seen it. Here it stands before the first question, always; a chat of one turn is the same in both.
_MISTRAL = r"""
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] + '\n\n' %}
    {%- set turns = messages[1:] %}
{%- else %}
    {%- set system = '' %}
    {%- set turns = messages %}
{%- endif %}
{%- set asked = turns | selectattr('role', 'equalto', 'user') | list %}
{%- set seen = namespace(index=0, users=0) %}
{%- for message in turns %}
    {%- if message['role'] == 'user' or (message['role'] == 'assistant' and not message['tool_calls']) %}
        {%- if (message['role'] == 'user') != (seen.index % 2 == 0) %}
            {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
        {%- endif %}
        {%- set seen.index = seen.index + 1 %}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {%- set seen.users = seen.users + 1 %}
        {%- if tools and seen.users == asked | length %}
            {{- '[AVAILABLE_TOOLS] ' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}
        {%- endif %}
        {{- '[INST] ' + (system if seen.users == 1 else '') + message['content'] + '[/INST]' }}
    {%- elif message['role'] == 'assistant' and message['tool_calls'] %}
        {%- generation %}
        {{- '[TOOL_CALLS] [' }}
        {%- for call in message['tool_calls'] %}
            {{- '{"name": "' + call['function']['name'] + '", "arguments": ' }}
            {{- call['function']['arguments'] | tojson }}
            {%- if call['id'] %}
                {{- ', "id": "' + call['id'] + '"' }}
            {%- endif %}
            {{- '}' + ('' if loop.last else ', ') }}
        {%- endfor %}
        {{- ']' + eos_token }}
        {%- endgeneration %}
    {%- elif message['role'] == 'assistant' %}
        {%- generation %}
        {{- ' ' + message['content'] | trim + eos_token }}
        {%- endgeneration %}
    {%- elif message['role'] == 'tool' %}
        {{- '[TOOL_RESULTS] {"content": ' + message['content'] | string }}
        {%- if message['tool_call_id'] %}
            {{- ', "call_id": "' + message['tool_call_id'] + '"' }}
        {%- endif %}
        {{- '}[/TOOL_RESULTS]' }}
    {%- else %}
        {{- raise_exception('Only a system message first, then user, assistant and tool') }}
    {%- endif %}
{%- endfor %}
"""

_MISTRAL_1 = r"""
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] + '\n\n' %}
    {%- set turns = messages[1:] %}
{%- else %}
    {%- set system = '' %}
    {%- set turns = messages %}
{%- endif %}
{%- for message in turns %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- ' [INST] ' + (system if loop.first else '') + message['content'] + ' [/INST]' }}
    {%- else %}
        {%- generation %}
        {{- ' ' + message['content'] + eos_token }}
        {%- endgeneration %}
    {%- endif %}
{%- endfor %}
"""

# --- <|start_header_id|> ... <|eot_id|> ---

_LLAMA3 = r"""
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}
    {%- if message['role'] == 'assistant' %}
        {%- generation %}
        {{- message['content'] | trim + '<|eot_id|>' }}
        {%- endgeneration %}
    {%- else %}
        {{- message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
"""

# What is published asks for `date_string`, and llama-server hands it the day of today: a model would be asked otherwise than
# it was trained, otherwise each day. Here the day is the one that is published as the default, always.
_LLAMA3_TOOLS = r"""
{%- set date = '26 Jul 2024' %}
{%- set guide = 'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.' %}
{%- set beside = tools and (tools_in_user_message is not defined or tools_in_user_message) %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] | trim %}
    {%- set turns = messages[1:] %}
{%- else %}
    {%- set system = '' %}
    {%- set turns = messages %}
{%- endif %}
{{- '<|start_header_id|>system<|end_header_id|>\n\n' }}
{%- if tools %}
    {{- 'Environment: ipython\n' }}
{%- endif %}
{{- 'Cutting Knowledge Date: December 2023\nToday Date: ' + date + '\n\n' }}
{%- if tools and not beside %}
    {{- 'You have access to the following functions. ' }}
    {{- 'To call a function, please respond with JSON for a function call.' + guide + 'Do not use variables.\n\n' }}
    {%- for tool in tools %}
        {{- tool | tojson(indent=4) + '\n\n' }}
    {%- endfor %}
{%- endif %}
{{- system + '<|eot_id|>' }}
{%- for message in turns %}
    {%- if message['role'] == 'tool' or message['role'] == 'ipython' %}
        {{- '<|start_header_id|>ipython<|end_header_id|>\n\n' + message['content'] | tojson + '<|eot_id|>' }}
    {%- elif message['tool_calls'] %}
        {%- if message['tool_calls'] | length != 1 %}
            {{- raise_exception('This model only supports single tool-calls at once!') }}
        {%- endif %}
        {%- set call = message['tool_calls'][0]['function'] %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
        {%- generation %}
        {{- '{"name": "' + call['name'] + '", "parameters": ' + call['arguments'] | tojson + '}<|eot_id|>' }}
        {%- endgeneration %}
    {%- else %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}
        {%- if loop.first and beside %}
            {{- 'Given the following functions, please respond with a JSON for a function call ' }}
            {{- 'with its proper arguments that best answers the given prompt.\n\n' + guide + 'Do not use variables.\n\n' }}
            {%- for tool in tools %}
                {{- tool | tojson(indent=4) + '\n\n' }}
            {%- endfor %}
        {%- endif %}
        {%- if message['role'] == 'assistant' %}
            {%- generation %}
            {{- message['content'] | trim + '<|eot_id|>' }}
            {%- endgeneration %}
        {%- else %}
            {{- message['content'] | trim + '<|eot_id|>' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
"""

# --- <start_of_turn> ... <end_of_turn> ---

_GEMMA = r"""
{%- if messages[0]['role'] == 'system' %}
@SYSTEM@
    {%- set turns = messages[1:] %}
{%- else %}
    {%- set system = '' %}
    {%- set turns = messages %}
{%- endif %}
{%- for message in turns %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
    {%- endif %}
    {%- if message['role'] == 'assistant' %}
        {{- '<start_of_turn>model\n' }}
        {%- generation %}
        {{- message['content'] | trim + '<end_of_turn>' }}
        {%- endgeneration %}
        {{- '\n' }}
    {%- else %}
        {{- '<start_of_turn>' + message['role'] + '\n' }}
        {{- (system if loop.first else '') + message['content'] | trim + '<end_of_turn>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<start_of_turn>model\n' }}
{%- endif %}
"""

# --- <|user|> ... ---

_ZEPHYR = r"""
{%- for message in messages %}
    {{- '<|' + message['role'] + '|>\n' }}
    {%- if message['role'] == 'assistant' %}
        {%- generation %}
        {{- message['content'] + eos_token }}
        {%- endgeneration %}
        {{- '\n' }}
    {%- else %}
        {{- message['content'] + eos_token + '\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>\n' }}
{%- endif %}
"""

_PHI3 = r"""
{%- for message in messages %}
    {%- if message['role'] == 'assistant' %}
        {{- '<|assistant|>\n' }}
        {%- generation %}
        {{- message['content'] + '<|end|>' }}
        {%- endgeneration %}
        {{- '\n' }}
    {%- elif message['role'] == 'user' or (message['role'] == 'system' @SYSTEM@) %}
        {{- '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>\n' }}
{%- else %}
    {{- eos_token }}
{%- endif %}
"""

BODIES = {
    "chatml": _with_tools(""),
    "qwen": _with_tools("You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
    "qwen3": _qwen3(),
    "qwen2": _IM_PLAIN.replace("@DEFAULT@", "You are a helpful assistant."),
    "smollm": _IM_PLAIN.replace("@DEFAULT@", "You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
    "llama2": _LLAMA2,
    "llama3": _LLAMA3,
    "llama3.1": _LLAMA3_TOOLS,
    "mistral": _MISTRAL,
    "mistral-v0.1": _MISTRAL_1,
    "gemma": _GEMMA.replace("@SYSTEM@", "    {{- raise_exception('System role not supported') }}\n    {%- set system = '' %}"),
    "gemma3": _GEMMA.replace("@SYSTEM@", r"    {%- set system = messages[0]['content'] + '\n\n' %}"),
    "zephyr": _ZEPHYR,
    "phi3": _PHI3.replace(" @SYSTEM@", ""),
    "phi3.5": _PHI3.replace("@SYSTEM@", "and message['content']"),
}


def marked(name, *, begins):
    """The form for training, with marks; `begins` tells how many BOS stand before a chat: 0 or 1."""
    body = BODIES[name].strip("\n") + "\n"
    if "@BEGINS@" in body:
        return body.replace("@BEGINS@", "true" if begins else "false")
    return ("{{- bos_token }}\n" if begins else "") + body


def unmarked(text):
    """The form that is published: the same without marks."""
    return MARK.sub("", text)


def is_marked(text):
    """Whether a template tells what an assistant says."""
    return bool(re.search(r"\{%-?\s*generation\s*-?%\}", text))
