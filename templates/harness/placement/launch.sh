#!/usr/bin/env bash
# One process; the data of the harness's own tasks comes from a hub.
set -euo pipefail
export TOKENIZERS_PARALLELISM=false PYTHONPATH=harness
exec python recipe/harness.py
