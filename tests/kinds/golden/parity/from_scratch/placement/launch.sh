#!/usr/bin/env bash
# One process, which starts a server on loopback for a while; nothing is looked up on a hub.
set -euo pipefail
export HF_HUB_OFFLINE=1 PYTHONPATH=harness
exec python recipe/parity.py
