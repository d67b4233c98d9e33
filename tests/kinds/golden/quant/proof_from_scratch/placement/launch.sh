#!/usr/bin/env bash
# One process, which may start a server on loopback for a while; nothing is looked up on a hub.
set -euo pipefail
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONPATH="harness${PYTHONPATH:+:$PYTHONPATH}"
for script in recipe/prove_*.py; do
  exec python harness/environments.py "$script"
done
