"""What /openapi.json says: every route, the fields that are read, and the errors."""

from __future__ import annotations

from pydantic.json_schema import models_json_schema

from .gate import FORMS

PLACE = "#/components/schemas/{model}"
ERRORS = {
    "400": "The request cannot be understood; `code` says how.",
    "401": "No key, a wrong one, or one that was revoked.",
    "404": "There is no such model.",
    "413": "The body is too large.",
    "429": "Too many requests, or the queue is full: come back after `Retry-After` seconds.",
    "503": "The engine is being started, or the keys cannot be read: come back after `Retry-After` seconds.",
    "504": "The answer took too long.",
}
ROUTES = {"/v1/chat/completions": ("chat", "Answer a chat"), "/v1/completions": ("completion", "Go on with a text")}
ROUTES |= {"/v1/embeddings": ("embed", "Turn texts into vectors")}
READ = {
    "/v1/models": "The models: one a persona",
    "/v1/models/{name}": "One model",
    "/metrics": "Counts for Prometheus",
    "/health": "Whether the process lives",
    "/ready": "Whether an answer can be had now",
}


def openapi(bundle):
    """The document, for this bundle."""
    _, defined = models_json_schema([(form, "validation") for form in FORMS.values()], ref_template=PLACE)
    words = {name: {"type": ["string", "null"]} for name in ("message", "type", "param", "code")}
    error = {"type": "object", "properties": words}
    schemas = {**defined["$defs"], "Error": {"type": "object", "properties": {"error": error}}}
    paths = {path: {"post": _asking(kind, says)} for path, (kind, says) in ROUTES.items()}
    paths |= {path: {"get": _reading(path, says)} for path, says in READ.items()}
    names = ", ".join(f"`{each}`" for each in bundle.names)
    return {
        "openapi": "3.1.0",
        "info": {"title": bundle.name, "version": "1", "description": f"OpenAI's API for {names}."},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{}] if bundle.settings.open else [{"key": []}],
    }


def _asking(kind, says):
    ref = {"$ref": PLACE.format(model=FORMS[kind].__name__)}
    fine = {"application/json": {"schema": {"type": "object"}}}
    if kind != "embed":
        fine["text/event-stream"] = {"schema": {"type": "string"}}
    failed = {"application/json": {"schema": {"$ref": PLACE.format(model="Error")}}}
    responses = {"200": {"description": "The answer", "content": fine}}
    responses |= {code: {"description": text, "content": failed} for code, text in ERRORS.items()}
    body = {"required": True, "content": {"application/json": {"schema": ref}}}
    return {"operationId": kind, "summary": says, "requestBody": body, "responses": responses}


def _reading(path, says):
    told = {"summary": says, "operationId": path.strip("/").replace("/", "_"), "responses": {"200": {"description": says}}}
    if "{name}" in path:
        told["operationId"] = "model"
        told["parameters"] = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
    if path in ("/health", "/ready"):
        told["security"] = [{}]
    return told
