#!/usr/bin/env bash
# One process is enough.
set -euo pipefail
export HF_HUB_DISABLE_PROGRESS_BARS=1
PYTHONPATH=harness exec python recipe/model.py
