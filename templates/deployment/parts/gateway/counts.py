"""What Prometheus reads: requests, tokens, times, slots and the engine's state; nothing of what was said."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300)


class Counts:
    """The gateway's own numbers."""

    def __init__(self, slots, engines):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

        def made(form, name, says, labels=(), **more):
            return form(f"gateway_{name}", says, labels, registry=self.registry, **more)

        self.requests = made(Counter, "requests", "Requests by route, model and status", ("route", "model", "status"))
        self.refused = made(Counter, "refused", "Requests that were refused, by code", ("code",))
        self.tokens = made(Counter, "tokens", "Tokens read and written", ("model", "kind"))
        self.gone = made(Counter, "clients_gone", "Clients that went away before their answer was whole")
        self.first = made(Histogram, "first_token_seconds", "Seconds to the first token, waiting included", buckets=SECONDS)
        self.whole = made(Histogram, "answer_seconds", "Seconds to the end of an answer, waiting included", buckets=SECONDS)
        made(Gauge, "slots", "Answers that may be written at the same time").set(slots.count)
        made(Gauge, "slots_busy", "Answers that are being written").set_function(lambda: slots.busy)
        made(Gauge, "queue_waiting", "Requests that wait for a slot").set_function(lambda: slots.waiting)
        made(Gauge, "engine_up", "1 while the engine answers").set_function(lambda: int(engines[0].ready))
        made(Gauge, "engine_restarts", "How often the engine had to be started again").set_function(lambda: engines[0].restarts)

    def text(self):
        """In Prometheus's own form."""
        return generate_latest(self.registry).decode()
