"""What is refused, in the shape that clients of OpenAI know: a status, a type, a code, and words with the next step."""

from __future__ import annotations


class Fault(Exception):
    """A request that is not answered, and why."""

    def __init__(self, status, code, message, *, param=None, retry=None):
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param
        self.retry = retry  # seconds

    @property
    def kind(self):
        """OpenAI's word for the family of the error."""
        known = {401: "authentication_error", 403: "permission_error", 404: "invalid_request_error", 429: "rate_limit_error"}
        return known.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")

    def body(self):
        """As JSON has it."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def headers(self):
        """When to come back, where that helps."""
        told = {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        return told if self.retry is None else {**told, "Retry-After": str(max(1, round(self.retry)))}


def no_key():
    """Nobody said who asks."""
    return Fault(401, "missing_api_key", "no API key: send `Authorization: Bearer KEY`")


def wrong_key():
    """A key that is not there, or not any more."""
    return Fault(401, "invalid_api_key", "this API key is not known here, or was revoked")


def no_keys():
    """Nobody can be let in: the file of keys is damaged, or somebody else's."""
    return Fault(
        503, "keys_unreadable", "this server cannot read its keys just now: whoever runs it finds why in its log", retry=30
    )


def no_model(name, names):
    """Somebody else's model, or a typo."""
    return Fault(404, "model_not_found", f"there is no model `{name}` here; there is {', '.join(names)}", param="model")


def bad(message, param=None, code="invalid_value"):
    """A request that cannot be understood."""
    return Fault(400, code, message, param=param)


def busy(seconds):
    """All slots are taken, and the queue is full or slow."""
    return Fault(429, "queue_full", "everybody is being answered: try again later", retry=seconds)


def not_ready(says, seconds=2):
    """The engine is not there just now."""
    return Fault(503, "engine_not_ready", f"the model cannot answer just now: {says}", retry=seconds)
