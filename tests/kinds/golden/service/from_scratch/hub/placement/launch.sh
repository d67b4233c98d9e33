#!/usr/bin/env bash
# One process, which starts what the bundle holds and ends it; nothing is looked up on a hub.
set -euo pipefail
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONPATH=harness
exec python recipe/prove.py
