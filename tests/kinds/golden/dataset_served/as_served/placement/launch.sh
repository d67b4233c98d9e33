#!/usr/bin/env bash
# One process reads and writes; what is done to rows is spread over `cpus` of placement/settings.json.
set -euo pipefail
exec python recipe/dataset.py
