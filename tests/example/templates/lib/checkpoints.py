"""What a script leaves in state/ and finds there again."""

import json
from pathlib import Path

STATE = Path("state/checkpoint.json")


def load(otherwise):
    """The last state, or what stands for none."""
    return json.loads(STATE.read_text()) if STATE.exists() else otherwise


def save(state):
    """A state is there whole, or the one before it."""
    fresh = STATE.with_suffix(".new")
    fresh.write_text(json.dumps(state))
    fresh.replace(STATE)


def settings():
    """How this run is placed."""
    return json.loads(Path("placement/settings.json").read_text())
