#!/usr/bin/env bash
# One process is enough: the script of the format that this node has.
set -euo pipefail
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONPATH="harness${PYTHONPATH:+:$PYTHONPATH}"
for script in recipe/to_*.py; do
  exec python harness/environments.py "$script"
done
