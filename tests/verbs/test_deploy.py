"""`zyc deploy`: what it shows before anything is sent, what arrives at a hub on loopback, and what it refuses."""

import hashlib
import json
import os
import subprocess
import sys

import hubs
import pytest
from example.workshop import Workshop

SPEC = """
tokenizers:
  pieces: {corpus: data/words.txt, vocab: 400, chat_template: chatml}
models:
  tiny: {scratch: {family: llama, layers: 2, heads: 2, width: 64, mlp: 64, context: 256}, tokenizer: pieces, licence: mit}
deployments:
  release: {model: tiny, target: hub, hub: {repository: me/words, private: true}, registry: {id: words}}
  nowhere: {model: tiny, target: hub}
  served: {model: tiny, target: vllm, context: 64}
  page: {model: tiny, target: hf-space, context: 256, registry: {id: words}, hf_space: {space: me/page}}
  rented: {model: tiny, target: modal, context: 64, modal: {secret: mine}}
"""


def zyc(root, *words, **environ):
    """A call in a process of its own: the library that asks hubs reads its variables once."""
    told = {**os.environ, "NO_COLOR": "1", **environ}
    for name in ("HF_HUB_OFFLINE", *(() if "HF_TOKEN" in environ else ("HF_TOKEN",))):
        told.pop(name, None)
    call = [sys.executable, "-m", "zyc", *words]
    return subprocess.run(call, cwd=root, env=told, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose release is built and proven."""
    root = tmp_path_factory.mktemp("deploy")
    Workshop(root).spec(SPEC)
    done = zyc(root, "build", "release", "nowhere", "page", "rented", HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.mark.slow
def test_nothing_is_sent_before_it_is_looked_at(project):
    """Every file with its size and digest, the destination, and that nothing left this machine."""
    with hubs.Taking() as hub:
        said = zyc(project, "deploy", "release", HF_ENDPOINT=hub.url, HF_TOKEN="good")
        assert said.returncode == 0, said.stderr
        assert hub.order == []
    assert "me/words  (a model on the hub, private)" in said.stdout
    assert "model.safetensors" in said.stdout
    assert said.stdout.splitlines()[-1] == "nothing was sent: `--yes` sends it"
    told = json.loads(zyc(project, "deploy", "release", "--json").stdout)
    (shipment,) = told["shipments"]
    names = {each["name"] for each in shipment["files"]}
    assert {"README.md", "bom.json", "config.json", "model.safetensors"} <= names
    assert "bundle.json" not in names
    assert all(len(each["sha256"]) == 64 for each in shipment["files"])


@pytest.mark.slow
def test_yes_sends_exactly_that(project):
    """The repository is made as the spec has it, and holds what was shown, to the byte; the token is in no file."""
    shown = json.loads(zyc(project, "deploy", "release", "--json").stdout)["shipments"][0]["files"]
    with hubs.Taking() as hub:
        said = zyc(project, "deploy", "release", "--yes", HF_ENDPOINT=hub.url, HF_TOKEN="good")
        assert said.returncode == 0, said.stderr
        assert hub.order == [("model", "me/words", True)]
        there = hub.repositories["model", "me/words"]
    assert {name: len(content) for name, content in there.items()} == {each["name"]: each["bytes"] for each in shown}
    assert "sent: me/words at " in said.stdout
    kept = [path for path in project.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in kept if b"Bearer good" in path.read_bytes()]


@pytest.mark.slow
def test_a_space_gets_the_revision_that_its_weights_have_just_become(project):
    """Weights go first, to a repository of their own; the Space holds none of them, and names them and their commit."""
    words = ("deploy", "page", "--model", "me/page-gguf")
    model, space = json.loads(zyc(project, *words, "--json").stdout)["shipments"]
    with hubs.Taking() as hub:
        said = zyc(project, *words, "--yes", HF_ENDPOINT=hub.url, HF_TOKEN="good")
        assert said.returncode == 0, said.stderr
        assert hub.order == [("model", "me/page-gguf", False), ("space", "me/page", False)]
        weights, page = hub.repositories["model", "me/page-gguf"], hub.repositories["space", "me/page"]
    assert (set(weights), set(page)) == tuple({each["name"] for each in told["files"]} for told in (model, space))
    assert "model.gguf" in weights
    assert not [name for name in page if name.startswith("model/")]
    told = json.loads(page["bundle.json"])
    assert told["settings"]["repository"] == "me/page-gguf"
    assert f"me/page-gguf at {told['settings']['revision']}" in said.stdout
    digest = hashlib.sha256(weights["model.gguf"]).hexdigest()
    assert told["model"]["files"]["model/model.gguf"]["sha256"] == digest, "what is fetched is held against it"
    assert page["README.md"].startswith(b"---\n")
    assert b"sdk: docker" in page["README.md"]


@pytest.mark.slow
def test_a_space_without_a_repository_of_its_weights_takes_them_along(project):
    """One repository, with the weights in it."""
    (space,) = json.loads(zyc(project, "deploy", "page", "--json").stdout)["shipments"]
    assert (space["kind"], space["where"]) == ("space", "me/page")
    assert "model/model.gguf" in {each["name"] for each in space["files"]}


@pytest.mark.slow
@pytest.mark.parametrize("code", [0, 3])
def test_modal_is_told_by_its_own_program(project, tmp_path, code):
    """The command that was shown runs in the bundle's folder, only with `--yes`; one that fails is told with how it ended."""
    program = tmp_path / "modal"
    program.write_text(f'#!/bin/sh\nls > "{tmp_path}/seen"\necho "$@" >> "{tmp_path}/seen"\nexit {code}\n')
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    shown = zyc(project, "deploy", "rented", PATH=path)
    assert "modal deploy modal_app.py  (runs here, with these files)" in shown.stdout
    assert not (tmp_path / "seen").exists()
    said = zyc(project, "deploy", "rented", "--yes", PATH=path)
    assert {"modal_app.py", "bundle.json", "deploy modal_app.py"} <= {*(tmp_path / "seen").read_text().splitlines()}
    assert said.returncode == (2 if code else 0), said.stderr
    assert ("it ended with 3" in said.stderr) == bool(code)


@pytest.mark.slow
def test_what_a_program_says_is_not_among_the_data(project, tmp_path):
    """With `--json` standard output is one JSON document; the words of the command that runs are on standard error."""
    program = tmp_path / "modal"
    program.write_text("#!/bin/sh\necho deployed to somewhere\n")
    program.chmod(0o755)
    said = zyc(project, "deploy", "rented", "--yes", "--json", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert json.loads(said.stdout)["sent"] == ["modal deploy modal_app.py"]
    assert "deployed to somewhere" in said.stderr


@pytest.mark.slow
def test_nothing_is_swept_while_it_is_sent(project, tmp_path):
    """Whoever frees space meanwhile is told to wait: the files are those of the store."""
    program, swept = tmp_path / "modal", tmp_path / "swept"
    program.write_text(f'#!/bin/sh\ncd "{project}"\n"{sys.executable}" -m zyc gc --yes > /dev/null 2> "{swept}"\n')
    program.chmod(0o755)
    zyc(project, "deploy", "rented", "--yes", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert "the store is in use" in swept.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "environ", "told"),
    [
        (["release", "--yes"], {}, "no token is in `HF_TOKEN`"),
        (["nowhere"], {}, "`nowhere` does not say where it goes"),
        (["served"], {}, "goes to `vllm`, which is no place to send to"),
        (["tiny"], {}, "`tiny` is no deployment"),
        (["rented", "--yes"], {"PATH": ""}, "there is no `modal` here"),
        (["release", "--set", "release.registry.id=other"], {}, "is not built as it is now"),
    ],
)
def test_what_is_not_sent(project, words, environ, told):
    """No token, no destination, nothing to send, nothing kept: one line, and the next step in another."""
    said = zyc(project, "deploy", *words, **environ)
    assert said.returncode == 2
    first, second = said.stderr.strip().splitlines()[-2:]
    assert told in first
    assert second.startswith("help: ")


@pytest.mark.slow
def test_a_hub_that_refuses_is_told_without_the_token(project):
    """A wrong token is refused there; what is said of it does not hold it."""
    with hubs.Taking() as hub:
        said = zyc(project, "deploy", "release", "--yes", HF_ENDPOINT=hub.url, HF_TOKEN="hf_wrongwrong")
    assert said.returncode == 2
    assert "`me/words` was not sent" in said.stderr
    assert "hf_wrongwrong" not in said.stderr + said.stdout
