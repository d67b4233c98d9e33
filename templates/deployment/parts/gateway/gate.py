"""Who may ask what, and what the engine is told: keys, limits, personas, tokens; the routes only speak HTTP."""

from __future__ import annotations

import asyncio
import base64
import struct

from . import asks, faults, head, limits, logs, personas, wire
from . import engine as engines
from . import keys as stored
from .answers import Answer, refused
from .counts import Counts


class Gate:
    """All that one running gateway knows."""

    def __init__(self, bundle, keys, program):
        self.bundle, self.settings = bundle, bundle.settings
        self.keys = stored.Keys(keys)
        facts = head.facts(bundle.path)
        self.context = min(bundle.context, head.trained(facts) or bundle.context)
        self.source = facts.get("tokenizer.chat_template")
        self.template = None
        sizes = {"context": self.context, "threads": self.settings.threads}
        self.engine = engines.Engine(engines.command(program, bundle.path, slots=self.settings.slots, **sizes))
        self.embedder = engines.Engine(engines.command(program, bundle.path, slots=1, embeddings=True, **sizes), "embedder")
        self._starting = asyncio.Lock()
        self.personas = personas.of_bundle(bundle)
        self.slots = limits.Slots(self.settings.slots, self.settings.queue, self.settings.patience)
        self.rate = limits.Rate(self.settings.requests_per_minute, "requests")
        spent = self.settings.tokens_per_minute
        self.spent = limits.Rate(spent, "tokens") if spent else None
        self.counts = Counts(self.slots, (self.engine,))
        self.stopping = False

    async def start(self):
        """The engine is ready, and its template is known."""
        await self.engine.start()
        told = await wire.call(self.engine, "/props")
        self.template = personas.Template(self.source, bos=told["bos_token"], eos=told["eos_token"])

    async def stop(self):
        """Nothing is left running."""
        await asyncio.gather(self.engine.stop(), self.embedder.stop())

    def kill(self):
        """At once."""
        self.engine.kill()
        self.embedder.kill()

    # --- who asks ---

    def who(self, request):
        """The name that limits count for: a key's, or an address in open mode."""
        said = request.headers.get("authorization", "")
        scheme, _, key = said.partition(" ")
        if said and scheme.lower() == "bearer" and key:
            owner = self._owner(key.strip())
            if owner is not None:
                return owner
            if not self.settings.open:  # clients send some key always: in open mode any will do
                raise faults.wrong_key()
        if not self.settings.open:
            raise faults.no_key()
        return self.address(request)

    def _owner(self, key):
        try:
            return self.keys.owner(key)
        except stored.Wrong as error:
            if self.settings.open:
                return None
            logs.tell("keys_unreadable", "error", why=str(error))
            raise faults.no_keys() from error

    @property
    def keyed(self):
        """Whether it can be known who has a key, where that counts."""
        try:
            return self.settings.open or self.keys.readable()
        except stored.Wrong:
            return False

    def address(self, request):
        """Where a request comes from: behind so many proxies of ours, what the outermost of them saw."""
        hops = [each.strip() for each in request.headers.get("x-forwarded-for", "").split(",") if each.strip()]
        behind = self.settings.proxies
        if behind and len(hops) >= behind:
            return hops[-behind]
        return request.client.host if request.client else "unknown"

    def admit(self, who):
        """Count a request, or refuse it."""
        if self.spent is not None:
            self.spent.take(who, 0 if self.spent.left(who) > 0 else 1)
        self.rate.take(who)

    def persona(self, name):
        """The model that is asked for, and no other."""
        if name not in self.personas:
            raise faults.no_model(name, self.bundle.names)
        return self.personas[name]

    def awake(self):
        """The engine answers, or this says why not."""
        if self.stopping:
            raise faults.not_ready("this server is stopping", 5)
        if not self.engine.ready or self.template is None:
            raise faults.not_ready(f"the engine is {self.engine.state}")

    # --- what is asked ---

    async def chat(self, ask):
        """An answer to a chat, not begun yet."""
        persona = self.persona(ask.model)
        self.awake()
        said = [each.plain() for each in ask.messages]
        self._short(sum(len(each["content"]) for each in said), "messages")
        try:
            messages = await asyncio.to_thread(persona.messages, said) if persona.searches else persona.messages(said)
            text = self.template.render(messages, persona.arguments)
        except ValueError as error:  # a template that refuses the order of roles, a chat without a question
            raise faults.bad(str(error), "messages") from error
        ids = await self._ids(text, begin=not self.source)
        body = self._body(persona, ask, ids, ask.max_completion_tokens or ask.max_tokens)
        if ask.logprobs:
            body["n_probs"] = max(1, ask.top_logprobs or 0)
        if ask.response_format is not None and ask.response_format.type != "text":
            body["json_schema"] = _form(ask.response_format)
        return Answer(self, ask, body, ids, chat=True)

    async def completion(self, ask):
        """The same for a bare text."""
        persona = self.persona(ask.model)
        self.awake()
        prompt = ask.one()
        self._short(len(prompt), "prompt")
        ids = prompt if isinstance(prompt, list) else await self._ids(prompt, begin=True)
        return Answer(self, ask, self._body(persona, ask, ids, ask.max_tokens), ids, chat=False)

    async def _ids(self, text, *, begin):
        try:
            return await engines.tokenize(self.engine, text, begin=begin)
        except wire.Gone as error:
            raise faults.not_ready(str(error)) from error

    def _short(self, letters, param):
        """What cannot be short enough is refused before it is read: no token says more than this."""
        if letters > 64 * self.context:
            says = f"{letters:,} characters are far more than {self.context:,} tokens"
            raise faults.bad(says, param, "context_length_exceeded")

    def _body(self, persona, ask, ids, most):
        """What the engine is told beside the prompt; the answer fits behind it."""
        room = self.context - len(ids)
        longest = min(self.settings.prompt_tokens or self.context, self.context - 1)
        if len(ids) > longest:
            says = f"the prompt has {len(ids):,} tokens, and {longest:,} are read here at most"
            raise faults.bad(says, "messages", "context_length_exceeded")
        most = most or persona.sampling.get("max_tokens") or personas.LONGEST
        if self.settings.max_tokens:
            most = min(most, self.settings.max_tokens)
        told = personas.drawing(persona.sampling, ask.given(), min(most, room))
        return {**told, "stream": True, "return_tokens": ask.return_token_ids, "cache_prompt": True}

    async def embed(self, ask):
        """Vectors for texts, by the mean of what the last layer finds."""
        self.persona(ask.model)
        self.awake()
        if not self.settings.embeddings:
            raise faults.bad("this server gives no embeddings", "model", "not_supported")
        if not ask.input or (isinstance(ask.input, list) and "" in ask.input):
            raise faults.bad("there is an empty input", "input")
        await self._all_short(ask.input)
        async with self.slots.taken():
            await self._embedder()
            body = {"input": ask.input, "encoding_format": "float"}
            try:
                told = await wire.call(self.embedder, "/v1/embeddings", body)
            except wire.Refused as error:
                raise refused(error, "input") from error
            except wire.Gone as error:
                raise faults.not_ready(str(error)) from error
        vectors = [(each["index"], _coded(each["embedding"], ask)) for each in told["data"]]
        rows = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in vectors]
        return {"object": "list", "model": ask.model, "data": rows, "usage": told["usage"]}

    async def _all_short(self, given):
        """Each input has room in the context: the engine calls a longer one a fault of its own."""
        one = isinstance(given, str) or isinstance(given[0], int)
        for each in [given] if one else given:
            long = len(each.encode()) + 2 if isinstance(each, str) else len(each)  # a token is a byte at least
            if long > self.context and isinstance(each, str):
                self._short(len(each), "input")
                long = len(await self._ids(each, begin=True))
            if long > self.context:
                says = f"an input has {long:,} tokens, and {self.context:,} are read here at most"
                raise faults.bad(says, "input", "context_length_exceeded")

    async def _embedder(self):
        """A second engine on the same file: one that answers cannot embed. It starts with the first call."""
        async with self._starting:
            if self.embedder.state == "stopped" and not self.stopping:
                try:
                    await self.embedder.start()
                except engines.Failed as error:
                    raise faults.Fault(500, "engine_error", "this model gives no embeddings") from error
        if not self.embedder.ready:
            raise faults.not_ready(f"the embedder is {self.embedder.state}")


def _form(wanted):
    if wanted.type == "json_object":
        return {"type": "object"}
    if wanted.json_schema is None:
        raise faults.bad("`response_format.json_schema` is missing", "response_format", "missing_parameter")
    return wanted.json_schema.schema_


def _coded(vector, ask):
    if ask.encoding_format == "float":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


FORMS = {"chat": asks.ChatAsk, "completion": asks.CompletionAsk, "embed": asks.EmbeddingAsk}
