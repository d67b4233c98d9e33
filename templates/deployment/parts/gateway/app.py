"""The routes: OpenAI's four, health and readiness, counts, documents, and a page where the bundle has one."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import aclosing, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from . import answers, asks, documents, faults, logs, wire
from .gate import FORMS

READING = 30  # seconds that a body may take to arrive
LOOPBACK = ("127.0.0.1", "::1")


def application(gate):
    """The ASGI application."""
    page = gate.bundle.folder / "page" / "index.html"
    routes = [
        Route("/v1/chat/completions", Asked(gate, "chat").respond, methods=["POST"]),
        Route("/v1/completions", Asked(gate, "completion").respond, methods=["POST"]),
        Route("/v1/embeddings", Asked(gate, "embed").respond, methods=["POST"]),
        Route("/v1/models", guarded(gate, models)),
        Route("/v1/models/{name:path}", guarded(gate, model)),
        Route("/metrics", guarded(gate, metrics)),
        Route("/health", lambda _: JSONResponse({"status": "ok"})),
        Route("/ready", guarded(gate, ready, free=True)),
        Route("/openapi.json", lambda _: JSONResponse(documents.openapi(gate.bundle))),
        Route("/docs", lambda _: HTMLResponse((Path(__file__).parent / "docs.html").read_text(encoding="utf-8"))),
    ]
    if page.is_file():
        routes.append(Route("/", lambda _: FileResponse(page, headers={"Cache-Control": "no-cache"})))
        routes.append(Route("/about.json", lambda _: JSONResponse(about(gate))))
    handlers = {404: unknown, 405: unknown, faults.Fault: lambda _, error: refusal(error), Exception: broken}
    return Starlette(routes=routes, exception_handlers=handlers)


def refusal(fault):
    """A fault as a response."""
    return JSONResponse(fault.body(), fault.status, fault.headers())


async def unknown(request, error):
    """A path or a method that is not there."""
    code = "not_found" if error.status_code == 404 else "method_not_allowed"
    fault = faults.Fault(error.status_code, code, f"there is no {request.method} {request.url.path} here: see /docs")
    return JSONResponse(fault.body(), fault.status)


async def broken(_, error):
    """A bug: its traceback is in the log."""
    fault = faults.Fault(500, "internal_error", f"this server has a bug: {type(error).__name__}")
    return JSONResponse(fault.body(), 500)


def guarded(gate, view, *, free=False):
    """A view for whoever has a key."""

    async def seen(request):
        if not free:
            near = request.client and request.client.host in LOOPBACK and "x-forwarded-for" not in request.headers
            if not (view is metrics and near):  # whoever is on this machine may count
                gate.who(request)
            if view is metrics and gate.settings.open and not near:
                raise faults.Fault(403, "not_allowed", "counts are told on this machine only")
        return await view(gate, request)

    return seen


async def models(gate, _):
    """The personas."""
    return JSONResponse({"object": "list", "data": [_model(gate, name) for name in gate.bundle.names]})


async def model(gate, request):
    """One of them."""
    name = request.path_params["name"]
    gate.persona(name)
    return JSONResponse(_model(gate, name))


def _model(gate, name):
    made = int((gate.bundle.folder / "bundle.json").stat().st_mtime)
    return {"id": name, "object": "model", "created": made, "owned_by": gate.bundle.name, "max_model_len": gate.context}


async def metrics(gate, _):
    """The gateway's own numbers, then the engine's."""
    told = gate.counts.text()
    if gate.engine.ready:
        with suppress(wire.Gone, wire.Refused):  # it ends just now: the gauge says so
            told += await wire.text(gate.engine, "/metrics")
    return PlainTextResponse(told, media_type="text/plain; version=0.0.4; charset=utf-8")


async def ready(gate, _):
    """Whether an answer can be had now; and how the engine fares."""
    state = "stopping" if gate.stopping else gate.engine.state
    if state == "ready" and not gate.keyed:
        state = "keys_unreadable"
    fine = state == "ready" and gate.template is not None
    told = {"status": state, "engine": gate.engine.told(), "waiting": gate.slots.waiting, "busy": gate.slots.busy}
    return JSONResponse(told, 200 if fine else 503, {} if fine else {"Retry-After": "2"})


def about(gate):
    """What the page tells of itself."""
    settings = gate.settings
    told = {"title": settings.title or gate.bundle.name, "models": gate.bundle.names, "open": settings.open}
    return {**told, "examples": list(settings.examples), "waiting": gate.slots.waiting, "seconds": round(gate.slots.soon())}


class Asked:
    """One route that asks the model: who, how much, what; then an answer, whole or streamed; and a line in the log."""

    def __init__(self, gate, kind):
        self.gate, self.kind = gate, kind

    async def respond(self, request):
        """The answer, or why there is none."""
        id_, began = f"req_{secrets.token_hex(8)}", time.monotonic()
        told = {"id": id_, "route": self.kind, "began": began}
        try:
            told["who"] = self.gate.who(request)
            if self.gate.stopping:
                raise faults.not_ready("this server is stopping", 5)
            self.gate.admit(told["who"])
            ask = asks.read(FORMS[self.kind], await self._body(request))
            told["model"] = ask.model if ask.model in self.gate.personas else None
            response = await self._answer(request, ask, told)
        except faults.Fault as fault:
            self.gate.counts.refused.labels(fault.code).inc()
            self._note(told, fault.status, code=fault.code)
            response = refusal(fault)
        response.headers["x-request-id"] = id_
        return response

    async def _body(self, request):
        """The body, as long as it is not too long."""
        most = self.gate.settings.body
        large = faults.Fault(413, "request_too_large", f"a request has at most {most:,} bytes")
        said = request.headers.get("content-length", "0")
        if said.isdecimal() and int(said) > most:
            raise large
        parts, size = [], 0
        try:
            async with asyncio.timeout(READING):
                async for part in request.stream():
                    size += len(part)
                    if size > most:
                        raise large
                    parts.append(part)
        except TimeoutError:
            raise faults.Fault(408, "request_too_slow", f"the body did not come within {READING} s") from None
        return b"".join(parts)

    async def _answer(self, request, ask, told):
        gate = self.gate
        if self.kind == "embed":
            made, gone = await self._in_time(request, gate.embed(ask))
            self._note(told, 499 if gone else 200, usage=made and made["usage"])
            return JSONResponse(made)
        answer = await getattr(gate, self.kind)(ask)
        told["answer"] = answer
        if not ask.stream:
            made, gone = await self._in_time(request, answer.whole())
            self._note(told, 499 if gone else 200)
            return JSONResponse(made)
        stream = answer.stream()
        try:
            first, gone = await self._in_time(request, anext(stream))
        except BaseException:
            await stream.aclose()
            raise
        if gone:
            await stream.aclose()
            self._note(told, 499)
            return Response()
        return Streamed(self, stream, first, told)

    async def _in_time(self, request, work):
        try:
            async with asyncio.timeout(self.gate.settings.timeout):
                return await answers.or_gone(request.receive, work)
        except TimeoutError:
            raise faults.Fault(504, "timeout", f"no answer within {self.gate.settings.timeout:g} s") from None

    def _note(self, told, status, **more):
        """Count it, and write its line."""
        gate, answer = self.gate, told.get("answer")
        seconds = time.monotonic() - told["began"]
        model = told.get("model") or ""
        gate.counts.requests.labels(self.kind, model, str(status)).inc()
        if status == 499:
            gate.counts.gone.inc()
        usage = more.pop("usage", None) or (answer.usage() if answer else {})
        if usage:
            gate.counts.tokens.labels(model, "read").inc(usage.get("prompt_tokens", 0))
            gate.counts.tokens.labels(model, "written").inc(usage.get("completion_tokens", 0))
            if gate.spent is not None:
                gate.spent.spend(told["who"], usage["total_tokens"])
        if answer is not None and status == 200:
            gate.counts.first.observe(answer.first or seconds)
            gate.counts.whole.observe(seconds)
        facts = {name: told.get(name) for name in ("id", "route", "who", "model")}
        if answer is not None:
            more |= {"first_ms": answer.first and round(answer.first * 1e3), "finish": answer.finish}
            if gate.settings.log_text:
                said = [each.plain() for each in answer.ask.messages] if answer.chat else answer.ask.prompt
                more |= {"asked": said, "answered": "".join(answer.texts)}
        told_usage = {name: usage.get(name) for name in ("prompt_tokens", "completion_tokens")}
        logs.tell("request", status=status, **facts, **told_usage, ms=round(seconds * 1e3), **more)


class Streamed(Response):
    """A stream that ends when its answer does, when its time is over, or when nobody listens any more."""

    media_type = "text/event-stream"

    def __init__(self, asked, stream, first, told):
        super().__init__()
        self.asked, self.stream, self.first, self.told = asked, stream, first, told
        del self.headers["content-length"]
        self.headers.update({"cache-control": "no-cache", "x-accel-buffering": "no"})

    async def __call__(self, scope, receive, send):
        """Send it."""
        status, code = 200, None
        timeout = self.asked.gate.settings.timeout
        left = timeout - (time.monotonic() - self.told["began"])
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            async with aclosing(self.stream), asyncio.timeout(left):
                _, gone = await answers.or_gone(receive, self._pump(send))
            status = 499 if gone else 200
        except (faults.Fault, TimeoutError) as error:
            over = faults.Fault(504, "timeout", f"the answer was not whole within {timeout:g} s")
            fault = error if isinstance(error, faults.Fault) else over
            status, code = fault.status, fault.code
            said = b"data: " + JSONResponse(fault.body()).body + b"\n\n"
            await send({"type": "http.response.body", "body": said, "more_body": True})
        except asyncio.CancelledError:
            status, code = 499, "stopped"
            raise
        finally:
            self.asked._note(self.told, status, code=code)  # noqa: SLF001  # two halves of one request
        if status != 499:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pump(self, send):
        await send({"type": "http.response.body", "body": self.first, "more_body": True})
        async for piece in self.stream:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
