"""32 clients at once for a minute: no error but 429, every stream whole, memory flat."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

import gateways

pytestmark = pytest.mark.torture


def test_thirty_two_clients_for_a_minute(tmp_path):
    """What a gateway promises on a busy day."""
    gguf = gateways.make_gguf(tmp_path / "made")
    folder = gateways.lay(tmp_path / "bundle", gguf, slots=4, queue=16)
    key = gateways.key(folder)
    with gateways.running(folder) as gateway:
        gateways.crowd(gateway, key, clients=32, seconds=10)
        before = gateway.memory()
        whole, refused, wrong = gateways.crowd(gateway, key, clients=32, seconds=60)
        assert wrong == []
        assert whole > 100
        assert refused > 0
        assert gateway.memory() < before + 20_000_000
        assert gateway.get("/ready").json()["engine"]["restarts"] == 0
