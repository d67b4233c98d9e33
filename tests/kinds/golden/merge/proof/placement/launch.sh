#!/usr/bin/env bash
# One process is enough.
set -euo pipefail
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
exec python recipe/look.py
