"""The gateway when something is wrong: files, ports, engines that die, stops in the middle, limits, a model that is elsewhere."""

import hashlib
import http.server
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import gateways
import httpx
import pytest

pytestmark = pytest.mark.slow
SAID = [{"role": "user", "content": "Qui es-tu ?"}]
LONG = {"model": "spinoza", "messages": SAID, "max_tokens": 6000, "stream": True}
SHORT = {"model": "spinoza", "messages": SAID, "max_tokens": 4}
PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    """A toy model."""
    return gateways.make_gguf(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def lay(tmp_path, gguf):
    """A bundle with these settings."""

    def laid(**settings):
        return gateways.lay(tmp_path, gguf, **settings)

    return laid


def streamed(gateway, key, body=LONG):
    """A stream in a thread of its own: (its text, whether it has begun)."""
    told = {"text": "", "error": None, "status": None}

    def read():
        try:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            with httpx.stream("POST", gateway.url + PATH, json=body, headers=headers, timeout=60) as answer:
                told["status"] = answer.status_code
                for part in answer.iter_text():
                    told["text"] += part
        except httpx.HTTPError as error:
            told["error"] = error

    thread = threading.Thread(target=read)
    thread.start()
    gateway.until(lambda: told["text"] or not thread.is_alive())
    return told, thread


# --- before it starts ---


def test_a_model_that_is_missing_or_changed_is_not_served(lay):
    """One byte is enough; each case says which file and what to do."""
    folder = lay()
    path = folder / "model/model.gguf"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    code, said = gateways.failed(folder)
    assert (code, "error: the model file model/model.gguf was changed: its sha256 is" in said) == (1, True)
    path.write_bytes(data[:-1])
    assert "bytes and should have" in gateways.failed(folder)[1]
    path.unlink()
    code, said = gateways.failed(folder)
    assert (code, "the model file model/model.gguf is missing" in said) == (1, True)


def test_what_is_no_bundle_or_no_model_is_told(lay, tmp_path):
    """Without bundle.json, with an unknown setting, with a file that the engine cannot read: one line each, no traceback."""
    empty = tmp_path / "empty"
    empty.mkdir()
    folder = lay()
    shutil.copytree(folder / "gateway", empty / "gateway")
    code, said = gateways.failed(empty)
    assert (code, "is no bundle: it has no bundle.json" in said, "Traceback" in said) == (1, True, False)
    told = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**told, "settings": {"slosts": 3}}))
    assert "unknown setting `slosts`" in gateways.failed(folder)[1]
    broken = (folder / "model/model.gguf").read_bytes()[:100_000]  # its head is whole, its tensors are not
    (folder / "model/model.gguf").write_bytes(broken)
    told["model"]["files"]["model/model.gguf"] = {"bytes": len(broken), "sha256": hashlib.sha256(broken).hexdigest()}
    (folder / "bundle.json").write_text(json.dumps(told))
    code, said = gateways.failed(folder)
    assert (code, "llama-server did not start" in said, "Traceback" in said) == (1, True, False)


def test_a_port_that_is_taken_is_told_before_the_model_is_read(lay):
    """The next step is in the sentence."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = gateways.failed(lay(), "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert "cannot be listened on: Address already in use; take another with `--port N`" in said
    assert "model_checked" not in said


# --- while it runs ---


def test_an_engine_that_dies_is_started_again(lay):
    """Who is being answered is told so, readiness says it, and a moment later all is well."""
    folder = lay()
    key = gateways.key(folder)
    with gateways.running(folder) as gateway:
        told, thread = streamed(gateway, key)
        os.kill(gateway.engines()[0], signal.SIGKILL)
        seen = gateway.until(lambda: _status(gateway) != 200 and gateway.get("/ready").json(), 5)
        assert (seen["status"], seen["engine"]["last_end"]) == ("restarting", "ended by SIGKILL")
        thread.join(60)
        assert '"code":"engine_not_ready"' in told["text"]
        assert "[DONE]" not in told["text"]
        gateway.until(lambda: _status(gateway) == 200, 20)
        assert gateway.get("/ready").json()["engine"]["restarts"] == 1
        assert gateway.post(PATH, key, json=SHORT).status_code == 200


def _status(gateway):
    return gateway.get("/ready").status_code


def test_a_stop_lets_answers_end(lay):
    """SIGTERM in mid-answer: the stream comes whole, nobody else is let in, nothing is left running."""
    folder = lay()
    key = gateways.key(folder)
    with gateways.running(folder) as gateway:
        engine = gateway.engines()[0]
        told, thread = streamed(gateway, key, {**LONG, "max_tokens": 1500})
        gateway.stop()
        gateway.until(lambda: gateway.lines("stop"))
        with pytest.raises(httpx.TransportError):
            gateway.until(lambda: gateway.get("/health") and None, 10)
        thread.join(60)
        assert told["text"].endswith("data: [DONE]\n\n")
        assert gateway.ended() == 0
        assert not Path(f"/proc/{engine}").exists()


def test_a_second_signal_ends_it_at_once(lay):
    """Whoever insists does not wait for answers."""
    folder = lay(grace=60)
    key = gateways.key(folder)
    with gateways.running(folder) as gateway:
        engine = gateway.engines()[0]
        told, thread = streamed(gateway, key)
        gateway.stop(signal.SIGINT)
        gateway.until(lambda: gateway.lines("stop"))
        began = time.monotonic()
        gateway.stop(signal.SIGINT)
        gateway.ended()
        assert time.monotonic() - began < 30
        thread.join(60)
        assert "[DONE]" not in told["text"]
        assert not Path(f"/proc/{engine}").exists()


def test_a_gateway_that_is_killed_takes_its_engine_with_it(lay):
    """Nothing holds memory that nobody asks any more."""
    with gateways.running(lay()) as gateway:
        engine = gateway.engines()[0]
        gateway.process.kill()
        gateway.ended()
        until = time.monotonic() + 30
        while Path(f"/proc/{engine}").exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert not Path(f"/proc/{engine}").exists()


def test_limits_are_each_keys_own(lay):
    """Requests and tokens a minute: 429 with a time, and another key is not held up."""
    folder = lay(requests_per_minute=3, tokens_per_minute=400)
    one, two = gateways.key(folder, "one"), gateways.key(folder, "two")
    with gateways.running(folder) as gateway:
        codes = [gateway.post(PATH, one, json=SHORT).status_code for _ in range(4)]
        assert codes == [200, 200, 200, 429]
        refused = gateway.post(PATH, one, json=SHORT)
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert gateway.post(PATH, two, json={**SHORT, "max_tokens": 500}).status_code == 200
        assert "tokens a minute" in gateway.post(PATH, two, json=SHORT).json()["error"]["message"]


@pytest.mark.parametrize("way", ["leaves", "waits too long", "loses the engine"])
def test_what_was_written_is_paid_for(lay, way):
    """A limit on tokens counts an answer that nobody took to its end as far as it came."""
    folder = lay(tokens_per_minute=100, timeout=5 if way == "waits too long" else 60)
    key = gateways.key(folder)
    with gateways.running(folder) as gateway:
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.stream("POST", gateway.url + PATH, json=LONG, headers=headers, timeout=60) as answer:
            lines = answer.iter_lines()
            for _ in range(300):  # each piece has two
                next(lines)
            if way == "loses the engine":
                os.kill(gateway.engines()[0], signal.SIGKILL)
            if way != "leaves":
                assert "error" in [*lines][-2]
        line = gateway.until(lambda: gateway.lines("request"), 20)[0]
        assert line["status"] == {"leaves": 499, "waits too long": 504, "loses the engine": 503}[way]
        assert line["completion_tokens"] >= 140
        assert "tokens a minute" in gateway.post(PATH, key, json=SHORT).json()["error"]["message"]


def test_a_queue_that_is_full_says_when_to_come_back(lay):
    """One slot, one in line: the third is refused at once, the second after its patience; an answer that is too long ends."""
    folder = lay(slots=1, queue=1, patience=2, timeout=6, max_tokens=7500)
    key = gateways.key(folder)
    with gateways.running(folder) as gateway:
        told, thread = streamed(gateway, key, {**LONG, "max_tokens": 8000})
        second, other = streamed_later(gateway, key)
        gateway.until(lambda: gateway.get("/ready").json()["waiting"] == 1, 5)
        third = gateway.post(PATH, key, json=SHORT)
        assert (third.status_code, third.json()["error"]["code"]) == (429, "queue_full")
        assert int(third.headers["retry-after"]) >= 1
        other.join(60)
        thread.join(60)
        assert second["status"] == 429 or told["text"].endswith("[DONE]\n\n")
        assert "[DONE]" in told["text"] or '"code":"timeout"' in told["text"]
        assert gateway.post(PATH, key, json=SHORT).status_code == 200


def streamed_later(gateway, key):
    """A request that waits in line."""
    told = {}

    def ask():
        told["status"] = gateway.post(PATH, key, json=SHORT).status_code

    thread = threading.Thread(target=ask)
    thread.start()
    return told, thread


# --- keys ---


def test_the_log_says_how_a_key_is_made(tmp_path, gguf):
    """The line is a whole command: what it makes is for this gateway, wherever its keys are kept."""
    folder = gateways.lay(tmp_path / "a bundle", gguf)
    with gateways.running(folder, environ={"ZYC_KEYS": str(tmp_path / "state/keys.json")}) as gateway:
        says = gateway.lines("no_keys")[0]["says"]
        _, _, command = says.partition(": ")
        assert f"as the user {pwd.getpwuid(os.getuid()).pw_name}:" in says
        done = subprocess.run(["bash", "-c", command], cwd="/", capture_output=True, text=True, check=True)
        assert gateway.get("/v1/models", done.stdout.strip()).status_code == 200


@pytest.mark.parametrize("damage", ["{", '{"keys": [{"name": "me"}]}', '{"keys": 3}'])
def test_keys_that_cannot_be_read_let_nobody_in(lay, damage):
    """503 with a code of its own, readiness says it, the log has the reason; the next good file opens again."""
    folder = lay()
    key = gateways.key(folder)
    with gateways.running(folder) as gateway:
        good = (folder / "keys.json").read_text()
        (folder / "keys.json").write_text(damage)
        refused = gateway.post(PATH, key, json=SHORT)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "keys_unreadable")
        assert str(folder) not in refused.text
        told = gateway.get("/ready")
        assert (told.status_code, told.json()["status"]) == (503, "keys_unreadable")
        assert "keys.json is no file of keys" in gateway.lines("keys_unreadable")[0]["why"]
        (folder / "keys.json").write_text(good)
        assert gateway.get("/ready").status_code == 200
        assert gateway.post(PATH, key, json=SHORT).status_code == 200


# --- a Space ---


def test_a_space_has_a_page_and_asks_for_no_key(tmp_path, gguf):
    """The page, what it needs, and limits for each address that the proxy in front of it saw."""
    settings = {"open": True, "proxies": 1, "requests_per_minute": 2, "title": "Philo", "examples": ["Suis-je libre ?"]}
    folder = gateways.lay(tmp_path, gguf, target="hf-space", **settings)
    with gateways.running(folder) as gateway:
        page = gateway.get("/").text
        assert "<title>" in page
        assert "http://" not in page
        assert "https://" not in page
        about = gateway.get("/about.json").json()
        assert (about["title"], about["models"], about["examples"]) == ("Philo", ["spinoza", "kant"], ["Suis-je libre ?"])

        def ask(*hops):
            return httpx.post(gateway.url + PATH, json=SHORT, headers={"X-Forwarded-For": ", ".join(hops)}).status_code

        assert [ask("9.9.9.9", "1.1.1.1") for _ in range(3)] == [200, 200, 429]
        assert ask("8.8.8.8", "1.1.1.1") == 429  # what a client writes itself into the header counts for nothing
        assert ask("9.9.9.9", "2.2.2.2") == 200
        remote = httpx.get(gateway.url + "/metrics", headers={"X-Forwarded-For": "1.1.1.1"})
        assert remote.status_code == 403


def test_a_model_is_fetched_by_revision_and_held_against_its_digest(tmp_path, gguf):
    """It goes on where it was cut short; another file under the same name is refused."""
    revision = "0123456789" * 4
    settings = {"repository": "me/toy", "revision": revision, "path": "q4"}
    folder = gateways.lay(tmp_path / "bundle", gguf, target="hf-space", open=True, **settings)
    data = gguf.read_bytes()
    (folder / "model/model.gguf").unlink()
    (folder / "model/model.gguf.part").write_bytes(data[:1000])
    asked = []

    class Hub(http.server.BaseHTTPRequestHandler):
        body = data

        def do_GET(self):
            asked.append((self.path, self.headers.get("Range")))
            at = int((self.headers.get("Range") or "bytes=0-")[6:-1])
            self.send_response(206 if at else 200)
            self.send_header("Content-Length", str(len(self.body) - at))
            self.end_headers()
            self.wfile.write(self.body[at:])

        def log_message(self, *told):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        environ = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}"}
        with gateways.running(folder, environ=environ) as gateway:
            assert gateway.post(PATH, json=SHORT).status_code == 200
        assert asked == [(f"/me/toy/resolve/{revision}/q4/model.gguf", "bytes=1000-")]
        (folder / "model/model.gguf").unlink()
        Hub.body = data[:-1] + b"!"
        assert "was changed" in gateways.failed(folder, environ=environ)[1]
        hub.shutdown()


# --- what it is put into ---


def test_the_dockerfile_passes_hadolint():
    """Somebody else's linter has nothing to say."""
    path = gateways.TEMPLATES / "deployment/parts/image/Dockerfile"
    done = subprocess.run([Path(sys.executable).parent / "hadolint", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_unit_is_one_that_systemd_reads():
    """Every directive is known."""
    path = gateways.TEMPLATES / "deployment/parts/docker/gateway.service"
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    assert (done.returncode, "gateway.service" in done.stderr) == (0, False)


def test_the_settings_of_a_bundle_are_those_of_its_targets(tmp_path, gguf):
    """Whatever a target writes, the gateway reads; what both have as a default is the same."""
    from zyc.craft.deploying.hf_space import HfSpaceFields
    from zyc.craft.deploying.server import ServerFields

    folder = gateways.lay(tmp_path, gguf)
    call = (
        "from gateway.bundle import Settings; from dataclasses import asdict; import json; print(json.dumps(asdict(Settings())))"
    )
    done = subprocess.run([sys.executable, "-c", call], cwd=folder, capture_output=True, text=True, check=True)
    read = json.loads(done.stdout)
    assert set(ServerFields.model_fields) <= set(read)
    assert {*HfSpaceFields.model_fields} - {"emoji", "colors"} <= set(read)
    told = json.loads(ServerFields().model_dump_json())
    assert {name: read[name] for name in told} == told
