#!/usr/bin/env bash
# One process is enough.
set -euo pipefail
exec python recipe/hygiene.py
