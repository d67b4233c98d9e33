#!/usr/bin/env bash
# The command is the user's own; the values that it names come first.
set -euo pipefail
if [ -f recipe/values.sh ]; then
  . recipe/values.sh
fi
exec bash -euo pipefail recipe/command.sh
