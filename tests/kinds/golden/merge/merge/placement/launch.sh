#!/usr/bin/env bash
# One process is enough.
set -euo pipefail
export PYTHONPATH="harness${PYTHONPATH:+:$PYTHONPATH}" HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
exec python recipe/merge.py
