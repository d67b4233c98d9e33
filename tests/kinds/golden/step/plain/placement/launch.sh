#!/usr/bin/env bash
# The command is the user's own; the values that it names come first.
set -euo pipefail
if [ -f recipe/values.sh ]; then
  . recipe/values.sh
fi
# Asked to stop, bash itself goes on after a command that was just done, or that ended well in its own way: this one ends then.
exec bash -euo pipefail -c 'trap "exit 130" INT; . recipe/command.sh' recipe/command.sh
