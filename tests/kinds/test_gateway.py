"""The gateway as its clients see it: OpenAI's own client, whoever has no key, and whoever sends what cannot be read."""

import base64
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

import gateways
import httpx
import openai
import pytest

pytestmark = pytest.mark.slow
WRITTEN = 'gateway_tokens_total{kind="written",model="spinoza"}'
IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}
NONSENSE = {"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}}
UNGRAMMATICAL = {"type": "json_schema", "json_schema": {"schema": {"type": "string", "minLength": 100_000}}}
SAID = [{"role": "user", "content": "Qu'est-ce que la liberté ?"}]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A bundle that no test changes, and its keys."""
    folder = tmp_path_factory.mktemp("gateway")
    gguf = gateways.make_gguf(folder / "made")
    (folder / "bundle").mkdir()
    gateways.lay(folder / "bundle", gguf, slots=4, queue=40, prompt_tokens=400)
    return folder


@pytest.fixture(scope="module")
def key(home):
    """One key of it."""
    return gateways.key(home / "bundle")


@pytest.fixture(scope="module")
def gateway(home, key):
    """The one that runs for all tests."""
    with gateways.running(home / "bundle") as running:
        yield running


@pytest.fixture
def client(gateway, key):
    """OpenAI's client, which does not try twice."""
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as made:
        yield made


# --- what is answered ---


def test_the_models_are_the_personas(client):
    """Each persona's label is a model, and nothing else is."""
    assert [each.id for each in client.models.list()] == ["spinoza", "kant"]
    assert client.models.retrieve("kant").id == "kant"
    with pytest.raises(openai.NotFoundError) as error:
        client.models.retrieve("hegel")
    assert error.value.code == "model_not_found"


def test_a_chat_whole_and_streamed_says_the_same(client):
    """The pieces of a stream are the answer, with its counts at the end where they are asked for."""
    whole = client.chat.completions.create(model="spinoza", messages=SAID)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(model="spinoza", messages=SAID, **options))
    said = "".join(each.choices[0].delta.content or "" for each in chunks if each.choices)
    assert said == whole.choices[0].message.content != ""
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage == whole.usage
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason == "length"
    assert whole.usage.completion_tokens == 24  # the persona's own limit


def test_the_answer_is_the_one_of_the_exam(home, gateway, client):
    """Token for token: the same chat, template and drawing as the engine that the exam asks."""
    done = subprocess.run([sys.executable, "-c", DIRECT], cwd=home / "bundle", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, told in json.loads(done.stdout.splitlines()[-1]).items():
        made = client.chat.completions.create(model=name, messages=SAID, extra_body={"return_token_ids": True})
        assert made.prompt_token_ids == told["prompt"]
        assert made.choices[0].message.content == told["text"]
        assert (made.usage.completion_tokens, made.choices[0].finish_reason == "length") == (told["tokens"], told["cut"])


DIRECT = f"""
import json, sys
sys.path[:0] = [{str(gateways.TEMPLATES / "shared")!r}, {str(gateways.TEMPLATES / "lib")!r}]
from answering import opened
from asked import Asked, chat
from sampler import answer
engine, told = opened("llama.cpp", "model", context=8192, llama_cpp="0.3.36"), {{}}
for name in ("spinoza", "kant"):
    prompt = json.load(open(f"prompts/{{name}}/prompt.json"))
    ids = engine.ids(engine.render(chat(Asked("", {SAID!r}, "", {{}}, prompt, name)), prompt["arguments"]))
    made = answer(engine, ids, prompt["sampling"])
    told[name] = {{"prompt": ids, "text": made.text, "tokens": made.tokens, "cut": made.cut}}
engine.close()
print(json.dumps(told))
"""


def test_a_request_draws_as_it_says(client):
    """Numbers of a request go before the persona's; one seed draws one answer."""

    def ask(**more):
        return client.chat.completions.create(model="spinoza", messages=SAID, **more).choices[0]

    assert ask(max_tokens=3).finish_reason == "length"
    hot = [ask(temperature=5.0, seed=seed).message.content for seed in (1, 1, 2)]
    assert hot[0] == hot[1] != hot[2]
    first = ask().message.content
    assert ask(stop=first[3:5]).message.content == first[: first.index(first[3:5])]


def test_chances_are_told(client):
    """`logprobs` of each token, the likeliest first."""
    made = client.chat.completions.create(model="kant", messages=SAID, max_tokens=3, logprobs=True, top_logprobs=2)
    told = made.choices[0].logprobs.content
    assert len(told) == 3
    assert all(each.top_logprobs[0].token == each.token and len(each.top_logprobs) == 2 for each in told)


def test_an_answer_may_have_to_be_json(client):
    """A schema is kept, whatever the model would rather say."""
    schema = {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    made = client.chat.completions.create(
        model="spinoza", messages=SAID, max_tokens=200, response_format=form, temperature=1, seed=1
    )
    assert set(json.loads(made.choices[0].message.content)) == {"yes"}


def test_a_bare_text_goes_on(client):
    """Completions know no persona's words: the prompt is counted as it is."""
    made = client.completions.create(model="spinoza", prompt="Le chat", max_tokens=5)
    assert made.usage.prompt_tokens < 12
    pieces = client.completions.create(model="spinoza", prompt="Le chat", max_tokens=5, stream=True)
    assert "".join(each.choices[0].text for each in pieces) == made.choices[0].text != ""


def test_texts_become_vectors(client, gateway, key):
    """The same numbers as floats and as base64; texts that differ have other ones."""
    made = client.embeddings.create(model="spinoza", input=["Le chat dort.", "La liberté."])
    plain = client.embeddings.create(model="spinoza", input="Le chat dort.", encoding_format="float")
    assert made.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-5)
    assert made.data[0].embedding != made.data[1].embedding
    body = {"model": "spinoza", "input": "Le chat dort.", "encoding_format": "base64"}
    coded = gateway.post("/v1/embeddings", key, json=body).json()["data"][0]["embedding"]
    assert struct.unpack("<64f", base64.b64decode(coded)) == pytest.approx(plain.data[0].embedding, abs=1e-5)


# --- who is not answered ---


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({}, "missing_api_key"),
        ({"Authorization": "Bearer zk-nobody"}, "invalid_api_key"),
        ({"Authorization": "Bearer"}, "missing_api_key"),
        ({"Authorization": "Basic bWU6bWU="}, "missing_api_key"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models"])
def test_nobody_asks_without_a_key(gateway, header, code, path):
    """401 in OpenAI's shape, before a byte of the body is looked at."""
    with httpx.Client(base_url=gateway.url, headers=header) as http:
        answer = http.get(path) if path.endswith("models") else http.post(path, content=b"{not json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)


def test_a_revoked_key_opens_nothing_at_once(home, gateway):
    """The very next request is refused; other keys go on; the file never held the key."""
    folder = home / "bundle"
    made = gateways.key(folder, "guest")
    assert gateway.get("/v1/models", made).status_code == 200
    assert made not in (folder / "keys.json").read_text()
    assert (folder / "keys.json").stat().st_mode & 0o077 == 0
    call = [sys.executable, "-m", "gateway", "keys"]
    subprocess.run([*call, "revoke", "guest"], cwd=folder, check=True, capture_output=True)
    assert gateway.get("/v1/models", made).json()["error"]["code"] == "invalid_api_key"
    told = subprocess.run([*call, "list"], cwd=folder, check=True, capture_output=True, text=True).stdout
    assert "guest" in told
    assert "revoked" in told
    twice = subprocess.run([*call, "revoke", "guest"], cwd=folder, check=False, capture_output=True, text=True)
    assert (twice.returncode, twice.stderr.startswith("error: there is no key `guest`")) == (1, True)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"{not json", "invalid_json", None),
        (b"[]", "invalid_json", None),
        (b"\xff\xfe", "invalid_json", None),
        (b"[" * 100_000, "invalid_json", None),
        (b'{"model": "\\ud800"}', "invalid_json", None),
        (b'{"model": "spinoza", "messages": [{"role": "user", "content": "\\udc00\\ud800"}]}', "invalid_json", None),
        (b'{"model": "\xed\xa0\x80"}', "invalid_json", None),
        ({"model": "spinoza", "messages": [{"role": "user", "content": None}]}, "invalid_value", "messages.0.content"),
        ({"model": "spinoza", "messages": [{"role": "user", "content": 3}]}, "invalid_value", "messages.0.content"),
        ({"model": "spinoza", "messages": [{"role": "user", "content": [IMAGE]}]}, "invalid_value", "messages.0.content.0.type"),
        ({"model": "spinoza", "messages": [{"role": "user"}]}, "missing_parameter", "messages.0.content"),
        ({"model": "spinoza", "messages": SAID, "stop": [1]}, "invalid_value", "stop.0"),
        ({"model": "spinoza", "messages": SAID, "top_k": 1 << 31}, "invalid_value", "top_k"),
        ({"model": "spinoza", "messages": SAID, "response_format": NONSENSE}, "invalid_value", "response_format"),
        ({"model": "spinoza", "messages": SAID, "response_format": UNGRAMMATICAL}, "invalid_value", "response_format"),
        ({"messages": SAID}, "missing_parameter", "model"),
        ({"model": "spinoza"}, "missing_parameter", "messages"),
        ({"model": "spinoza", "messages": []}, "invalid_value", "messages"),
        ({"model": "spinoza", "messages": SAID, "temprature": 1}, "unknown_parameter", "temprature"),
        ({"model": "spinoza", "messages": SAID, "temperature": "hot"}, "invalid_value", "temperature"),
        ({"model": "spinoza", "messages": SAID, "max_tokens": 0}, "invalid_value", "max_tokens"),
        ({"model": "spinoza", "messages": SAID, "n": 2}, "invalid_value", "n"),
        ({"model": "spinoza", "messages": SAID, "tools": []}, "unknown_parameter", "tools"),
        ({"model": "spinoza", "messages": [{"role": "robot", "content": "x"}]}, "invalid_value", "messages.0.role"),
        ({"model": "spinoza", "messages": [{"role": "user", "content": "mot " * 500}]}, "context_length_exceeded", "messages"),
        ({"model": "spinoza", "messages": [{"role": "user", "content": "m" * 900_000}]}, "context_length_exceeded", "messages"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_name(gateway, key, body, code, param):
    """400 with the field that is wrong, and the gateway answers the next one."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = gateway.post("/v1/chat/completions", key, content=data)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)
    assert error["message"]
    assert gateway.get("/ready").status_code == 200


@pytest.mark.parametrize(
    ("prompt", "code", "param"),
    [
        ([1 << 40], "invalid_value", "prompt.0"),
        ([(1 << 32) + 5], "invalid_value", "prompt.0"),
        ([-1], "invalid_value", "prompt.0"),
        ([[1, -1]], "invalid_value", "prompt.0.1"),
        ([(1 << 31) - 1], "invalid_value", "prompt"),  # it fits, and no token has it
        ([5] * 500, "context_length_exceeded", "messages"),
    ],
)
def test_ids_are_those_of_tokens(gateway, key, prompt, code, param):
    """A number that is no token's is refused, and none is taken for another."""
    answer = gateway.post("/v1/completions", key, json={"model": "spinoza", "prompt": prompt})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)


def test_a_text_that_is_too_long_for_a_vector_is_refused_as_such(gateway, key):
    """Other faults of the same route have another code."""
    for given, code in (
        (["mot " * 9000], "context_length_exceeded"),
        ([[1 << 30]], "invalid_value"),
        ([[5] * 9000], "context_length_exceeded"),
    ):
        answer = gateway.post("/v1/embeddings", key, json={"model": "spinoza", "input": given})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_a_body_that_is_too_long_is_not_read(gateway, key):
    """413 by its announced length, and by what really comes."""
    assert gateway.post("/v1/chat/completions", key, content=b"x" * 1_100_000).status_code == 413
    parts = (b"x" * 100_000 for _ in range(20))
    assert gateway.post("/v1/chat/completions", key, content=parts).status_code == 413


def test_an_unknown_model_is_refused(client):
    """No other model answers in its place."""
    for ask in (
        lambda: client.chat.completions.create(model="gpt-4", messages=SAID),
        lambda: client.completions.create(model="gpt-4", prompt="x"),
        lambda: client.embeddings.create(model="gpt-4", input="x"),
    ):
        with pytest.raises(openai.NotFoundError) as error:
            ask()
        assert error.value.code == "model_not_found"
        assert "spinoza, kant" in str(error.value)


def test_a_path_that_is_not_there_says_so(gateway, key):
    """404 and 405 in OpenAI's shape, too."""
    assert gateway.get("/v1/assistants", key).json()["error"]["code"] == "not_found"
    assert gateway.get("/v1/chat/completions", key).json()["error"]["code"] == "method_not_allowed"


# --- people who leave, and many at once ---


@pytest.mark.parametrize("stream", [True, False])
def test_who_leaves_frees_the_slot(gateway, key, stream):
    """A client that goes away in mid-answer stops the engine's work within seconds."""
    body = json.dumps({"model": "spinoza", "messages": SAID, "max_tokens": 7000, "stream": stream, "stop": []}).encode()
    before, written = gateway.number("llamacpp:n_decode_total"), gateway.number(WRITTEN)
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        line.sendall(head.encode() + body)
        gateway.until(lambda: gateway.get("/ready").json()["busy"] == 1, 10)
        gateway.until(lambda: gateway.number("llamacpp:n_decode_total") > before + 5, 20)
        if stream:
            assert b"200 OK" in line.recv(100)
    gateway.until(lambda: gateway.get("/ready").json()["busy"] == 0, 5)
    gateway.until(lambda: "llamacpp:requests_processing 0" in gateway.get("/metrics").text, 5)
    last = gateway.lines("request")[-1]
    assert (last["status"], last["prompt_tokens"] > 0, last["completion_tokens"] > 0) == (499, True, True)
    assert gateway.number(WRITTEN) - written == last["completion_tokens"]


@pytest.mark.parametrize("path", ["/props", "/metrics", "/tokenize", "/completion", "/v1/chat/completions"])
def test_nobody_goes_around_the_gateway(gateway, path):
    """The engine answers the gateway only: its key is new with each start, and no argument shows it."""
    url = f"http://127.0.0.1:{gateway.doors()[0]}{path}"
    body = {} if path in ("/props", "/metrics") else {"json": {"prompt": "x", "content": "x", "messages": SAID}}
    for header in ({}, {"Authorization": "Bearer x"}, {"Origin": "http://a.page"}):
        assert httpx.request("POST" if body else "GET", url, headers=header, **body).status_code == 401
    pid = gateway.engines()[0]
    assert "key" not in Path(f"/proc/{pid}/cmdline").read_text()


def test_thirty_two_at_once(gateway, key):
    """Nothing but 429 is refused, every stream is whole, and memory stays where it is."""
    gateways.crowd(gateway, key, clients=32, seconds=1)
    before = gateway.memory()
    whole, _, wrong = gateways.crowd(gateway, key, clients=32, seconds=4)
    assert wrong == []
    assert whole > 32
    assert gateway.memory() < before + 20_000_000


# --- what it tells of itself ---


def test_counts_are_for_prometheus(gateway, client):
    """Its own numbers and the engine's, without a word of what was said."""
    client.chat.completions.create(model="kant", messages=SAID)
    from prometheus_client.parser import text_string_to_metric_families

    told = {
        sample.name: sample for each in text_string_to_metric_families(gateway.get("/metrics").text) for sample in each.samples
    }
    assert told["gateway_engine_up"].value == 1
    assert told["gateway_slots"].value == 4
    assert told["llamacpp:tokens_predicted_total"].value > 0
    assert 'model="kant",route="chat",status="200"' in gateway.get("/metrics").text


def test_the_log_says_nothing_that_was_said(gateway, client):
    """One JSON object a request, with who, how long and how much."""
    made = client.chat.completions.create(model="kant", messages=[{"role": "user", "content": "secret-word-42"}])
    line = gateway.until(lambda: [each for each in gateway.lines("request") if each.get("model") == "kant"])[-1]
    assert (line["who"], line["status"], line["completion_tokens"]) == ("me", 200, made.usage.completion_tokens)
    assert "secret-word-42" not in gateway.log.read_text()


def test_the_document_of_the_api_is_valid(gateway):
    """openapi.json passes somebody else's validator; /docs loads nothing from elsewhere."""
    from openapi_spec_validator import OpenAPIV31SpecValidator

    told = gateway.get("/openapi.json").json()
    OpenAPIV31SpecValidator(told).validate()
    assert "temperature" in told["components"]["schemas"]["ChatAsk"]["properties"]
    page = gateway.get("/docs").text
    assert "openapi.json" in page
    assert "https://" not in page


def test_health_needs_nothing(gateway):
    """Whoever watches over it needs no key."""
    assert gateway.get("/health").json() == {"status": "ok"}
    assert gateway.get("/ready").json()["engine"] == {"state": "ready", "restarts": 0, "last_end": None}
