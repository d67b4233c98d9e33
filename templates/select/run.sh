#!/usr/bin/env bash
# Makes out/ a link to the best member of a family: its gates first, then its measure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec python3 recipe/choose.py
