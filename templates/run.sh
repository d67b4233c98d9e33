#!/usr/bin/env bash
# Runs this step by hand, without zyc: reads in/, writes out/, keeps unfinished work in state/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
mkdir -p out state tmp
exec bash placement/launch.sh
