#!/usr/bin/env bash
# One process.
set -euo pipefail
export MPLBACKEND=Agg PYTHONPATH=harness
exec python recipe/table.py
