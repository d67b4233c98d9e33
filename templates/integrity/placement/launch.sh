#!/usr/bin/env bash
# One process is enough.
set -euo pipefail
export HF_HUB_OFFLINE=1
PYTHONPATH=harness exec python recipe/integrity.py
