#!/usr/bin/env bash
# One process; nothing is looked up on a hub.
set -euo pipefail
export HF_HUB_OFFLINE=1 PYTHONPATH=harness
exec python recipe/pack.py
