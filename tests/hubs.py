"""Models as people have them, small enough to be written by a test: a folder of transformers, and a hub cache that holds one."""

import base64
import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

CONFIG = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 512, "max_position_embeddings": 256, "tie_word_embeddings": True, "dtype": "float32",
}  # fmt: skip
TOKENIZER = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "<|im_end|>", "add_bos_token": True}
CHATML = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
COMMITS = {"main": "1" * 40, "v1": "2" * 40}


def folder(home, *, weights=("model.safetensors",), **config):
    """The small files of a model, and files where weights would be: enough to plan with."""
    home = Path(home)
    home.mkdir(parents=True, exist_ok=True)
    told = {name: value for name, value in {**CONFIG, **config}.items() if value is not None}
    (home / "config.json").write_text(json.dumps(told))
    (home / "tokenizer_config.json").write_text(json.dumps(TOKENIZER))
    (home / "chat_template.jinja").write_text(CHATML)
    (home / "tokenizer.json").write_text("{}")
    for name in weights:
        (home / name).write_bytes(b"weights")
    return home


def hub(cache, repository, source=None, *, kind="model", commits=COMMITS):
    """A repository as the user's own cache keeps it: references, and for each commit a snapshot with links to its bytes."""
    home = Path(cache) / f"{kind}s--{repository.replace('/', '--')}"
    (home / "refs").mkdir(parents=True, exist_ok=True)
    (home / "blobs").mkdir(exist_ok=True)
    for revision, commit in commits.items():
        (home / "refs" / revision).write_text(commit)
        snapshot = home / "snapshots" / commit
        snapshot.mkdir(parents=True, exist_ok=True)
        for path in sorted(Path(source).iterdir()) if source is not None else ():
            blob = home / "blobs" / f"{path.name}-{commit[:4]}"
            blob.write_bytes(path.read_bytes())
            link = snapshot / path.name
            link.unlink(missing_ok=True)
            link.symlink_to(Path("..") / ".." / "blobs" / blob.name)
    return home


class Hub(ThreadingHTTPServer):
    """A hub on loopback that holds repositories: what its own client asks for, and nothing more."""

    def __init__(self, repositories, *, gated=()):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.repositories = {name: Path(folder) for name, folder in repositories.items()}
        self.gated = gated
        self.asked = []

    @property
    def url(self):
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class _Answer(BaseHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""

    def do_GET(self):
        self.answer(body=True)

    def do_HEAD(self):
        self.answer(body=False)

    def answer(self, *, body):
        """Facts of a repository, or one of its files."""
        self.server.asked.append(self.path)
        path = self.path.partition("?")[0]
        facts = re.fullmatch(r"/api/(model|dataset)s/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?/?", path)
        file = re.fullmatch(r"/(?:datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        name = facts[2] if facts else file[1] if file else ""
        revision = (facts[4] or "main") if facts else file[2] if file else ""
        home = self.server.repositories.get(name)
        if home is None:
            return self.send(404, b"{}", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, body=body)
        commit = COMMITS.get(revision, revision)
        if commit not in COMMITS.values():
            return self.send(404, b"{}", {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "no such"}, body=body)
        token = self.headers.get("Authorization", "")
        if file and name in self.server.gated and token != "Bearer good":  # facts are public, files are not
            return self.send(403, b"{}", {"X-Error-Code": "GatedRepo", "X-Error-Message": "gated"}, body=body)
        if facts and facts[3] == "tree":
            rows = [{"type": "file", "path": each.name, "size": each.stat().st_size, "oid": _etag(each)} for each in _files(home)]
            return self.send(200, json.dumps(rows).encode(), body=body)
        if facts:
            siblings = [{"rfilename": each.name} for each in _files(home)]
            told = {"_id": "1", "id": name, "modelId": name, "sha": commit, "private": False, "siblings": siblings, "tags": []}
            return self.send(200, json.dumps({**told, "gated": False, "downloads": 0, "likes": 0}).encode(), body=body)
        target = home / file[3]
        if not target.exists():
            return self.send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, body=body)
        return self.send(200, target.read_bytes(), {"X-Repo-Commit": commit, "ETag": f'"{_etag(target)}"'}, body=body)

    def send(self, code, content, headers=None, *, body):
        """One answer."""
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), "Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


def _files(home):
    return sorted(each for each in home.iterdir() if each.is_file())


def _etag(path):
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()


class Taking(ThreadingHTTPServer):
    """A hub on loopback that takes repositories and commits, and remembers who sent what: no more than its client asks for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Taken)
        self.repositories, self.tokens, self.order = {}, set(), []

    @property
    def url(self):
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class _Taken(BaseHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""

    def do_POST(self):
        self.server.tokens.add(self.headers.get("Authorization", ""))
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length) if length else self._chunks()
        path = self.path.partition("?")[0]
        if self.headers.get("Authorization") != "Bearer good":
            return self._send(401, {"error": "Invalid username or password."})
        if path == "/api/validate-yaml":
            return self._send(200, {"errors": [], "warnings": []})
        if path == "/api/repos/create":
            told = json.loads(content)
            name = f"{told['organization']}/{told['name']}" if told.get("organization") else told["name"]
            self.server.order.append(
                (told.get("type") or "model", name, told.get("visibility") == "private" or bool(told.get("private")))
            )
            return self._send(200, {"url": f"{self.server.url}/{name}", "name": name})
        found = re.fullmatch(r"/api/(model|space)s/([^/]+/[^/]+)/(preupload|commit)/main", path)
        if found and found[3] == "preupload":
            files = [
                {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False} for each in json.loads(content)["files"]
            ]
            return self._send(200, {"files": files})
        if found:
            rows = [json.loads(line) for line in content.splitlines() if line.strip()]
            told = {row["value"]["path"]: base64.b64decode(row["value"]["content"]) for row in rows if row["key"] == "file"}
            self.server.repositories[found[1], found[2]] = told
            oid = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            return self._send(200, {"commitUrl": f"{self.server.url}/{found[2]}/commit/{oid}", "commitOid": oid, "success": True})
        return self._send(404, {"error": f"{path} is nothing here"})

    def _chunks(self):
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        return content

    def do_GET(self):
        self._send(200, {"type": "user", "name": "me", "auth": {"accessToken": {"role": "write"}}, "orgs": []})

    def _send(self, code, told):
        content = json.dumps(told).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
