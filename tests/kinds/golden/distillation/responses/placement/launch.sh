#!/usr/bin/env bash
# Sets what must be set before Python starts, then starts as many processes as placement/settings.json says.
set -euo pipefail
export PYTHONPATH=harness HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false TRL_EXPERIMENTAL_SILENCE=1
# without these two, large batches on a CPU spend most of their time giving memory back and asking for it again
export MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592
exec python harness/launch.py recipe/train.py
