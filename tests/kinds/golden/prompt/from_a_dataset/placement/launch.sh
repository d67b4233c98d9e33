#!/usr/bin/env bash
# One process is enough.
set -euo pipefail
PYTHONPATH=harness exec python recipe/prompt.py
