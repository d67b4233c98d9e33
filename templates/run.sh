#!/usr/bin/env bash
# Runs this step, by hand too, without zyc: reads in/, writes out/, keeps unfinished work in state/; `exit` says how it ended.
# It may be given open files, the locks of its key and store: they stay open as long as anything of it lives.
set -u
here=${BASH_SOURCE[0]%/*}
[ "$here" = "${BASH_SOURCE[0]}" ] || cd "$here" || exit
: > exit
[ -d out ] && [ -d state ] && [ -d tmp ] || mkdir -p out state tmp || exit
trap : HUP INT TERM # what a signal means is for the step to say: it is waited for, and its end is written down
bash placement/launch.sh
code=$?
echo "ended $code" > exit
exit "$code"
