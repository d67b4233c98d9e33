"""What writes the answers: llama.cpp in this process, or a llama-server that runs already; both see the same text."""

import contextlib
import hashlib
import importlib
import json
import urllib.error
import urllib.request
from pathlib import Path

from .loop import Engine

SECONDS = 300  # for an answer of a server


def checked(bundle, told):
    """The files of the model are those that were packed."""
    for name, known in told["model"]["files"].items():
        path = Path(bundle, name)
        if not path.is_file():
            raise SystemExit(f"error: {name} is missing: the bundle is not whole\nhelp: fetch or build the bundle again")
        if path.stat().st_size != known["bytes"] or _digest(path) != known["sha256"]:
            raise SystemExit(f"error: {name} is not the file that was packed\nhelp: fetch or build the bundle again")


def _digest(path):
    told = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 22):
            told.update(part)
    return told.hexdigest()


def library(version):
    """The module llama_cpp on whatever library of llama.cpp is here; how to get one where there is none."""
    try:
        return importlib.import_module("llama_cpp")
    except ImportError:
        help_ = f"pip install llama-cpp-python=={version}, or give the address of a llama-server: --server http://127.0.0.1:8080"
    except (OSError, RuntimeError, FileNotFoundError):  # bindings that came without their library
        with contextlib.suppress(Exception):
            import llama_home  # where zyc builds llama.cpp itself

            return llama_home.bindings(version, lambda _text: None)
        help_ = f"pip install --force-reinstall llama-cpp-python=={version}, or --server http://127.0.0.1:8080"
    raise SystemExit(f"error: llama-cpp-python does not run here\nhelp: {help_}")


class _Model:
    """A GGUF with what its own file says of it."""

    def __init__(self, bundle, told, persona):
        from answering import LlamaCpp

        module, path = library(told["llama_cpp"]), str(Path(bundle, told["model"]["first"]))

        class Here(LlamaCpp):
            """The engine of the exams, on the library that is here."""

            def __init__(self):
                self.library = module
                self.context = told["context"]
                self.llama = self._opened(self.context)
                trained = module.llama_model_n_ctx_train(self.llama.model)
                if 0 < trained < self.context:
                    self.llama.close()
                    self.context = trained
                    self.llama = self._opened(trained)
                self.words = module.llama_model_get_vocab(self.llama.model)
                self.vocabulary = self.llama.n_vocab()
                self.template = self.llama.metadata.get("tokenizer.chat_template")
                begins = module.llama_vocab_get_add_bos(self.words)
                self.begin = [self.llama.token_bos()] if begins and self.llama.token_bos() >= 0 else []

            def _opened(self, context):
                batch = min(512, context)
                return module.Llama(path, n_ctx=context, n_batch=batch, n_ubatch=batch, verbose=False)

        self.engine, self.persona, self.draw = Here(), persona, 0
        self.arguments = persona.arguments
        self.plain_tools = not self._takes_tools()

    def _takes_tools(self):
        """Whether the template has a turn for what a tool gave back."""
        try:
            told = self.engine.render([{"role": "user", "content": "a"}, {"role": "tool", "content": "zyxw"}], self.arguments)
        except Exception:  # noqa: BLE001  # a template may raise whatever it likes
            return False
        return "zyxw" in told

    def text(self, messages):
        """What the model reads."""
        if self.plain_tools:
            messages = [{**each, "role": "user"} if each["role"] == "tool" else each for each in messages]
        return self.engine.render(messages, self.arguments)

    def count(self, messages):
        """Tokens."""
        return len(self.engine.ids(self.text(messages)))

    def say(self, messages):
        """The answer, drawn as the persona says."""
        from sampler import answer

        ids = self.engine.ids(self.text(messages))
        made = answer(self.engine, ids, self.persona.sampling, draw=self.draw)
        self.draw += 1
        return made.text

    def borders(self):
        """The texts of the special tokens."""
        module, words = self.engine.library, self.engine.words
        control = (module.LLAMA_TOKEN_ATTR_CONTROL, module.LLAMA_TOKEN_ATTR_USER_DEFINED)
        told = set()
        for at in range(self.engine.vocabulary):
            if module.llama_vocab_get_attr(words, at) & (control[0] | control[1]):
                told.add(module.llama_vocab_get_text(words, at).decode(errors="replace"))
        return tuple(sorted(each for each in told if len(each) > 1 and each.strip()))


def in_process(bundle, told, persona):
    """The bundle's model in this process."""
    model = _Model(bundle, told, persona)
    return Engine(model.say, model.count, model.engine.context, model.borders())


# --- a server ---


def served(url, persona, context):
    """A llama-server by its address; it applies the template of its own model."""
    url = url.rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise SystemExit(f"error: `{url}` is no address of a server: http://127.0.0.1:8080")
    known = _asked(url, "/props")
    context = min(context, int(known.get("default_generation_settings", {}).get("n_ctx") or context))

    def rendered(messages):
        return _asked(url, "/apply-template", {"messages": messages})["prompt"]

    def count(messages):
        told = _asked(url, "/tokenize", {"content": rendered(messages), "add_special": True, "parse_special": True})
        return len(told["tokens"])

    def say(messages):
        drawn = {name: value for name, value in persona.sampling.items() if name in ("top_p", "top_k", "min_p", "stop", "seed")}
        drawn |= {"temperature": persona.sampling.get("temperature") or 0, "n_predict": persona.room}
        drawn |= {"repeat_penalty": persona.sampling.get("repeat_penalty") or 1.0, "cache_prompt": True}
        return _asked(url, "/completion", {"prompt": rendered(messages), **drawn})["content"]

    return Engine(say, count, context)


def _asked(url, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})  # noqa: S310  # looked at before
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise SystemExit(f"error: the server at {url} says {error.code} to {path}: {error.read()[:200]!r}") from None
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: no llama-server answers at {url}: {error}\nhelp: start one, or leave `--server` out") from None
