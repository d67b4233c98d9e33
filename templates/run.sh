#!/usr/bin/env bash
# Runs this step, by hand too, without zyc: reads in/, writes out/, keeps unfinished work in state/; `exit` says how it ended.
set -u
here=${BASH_SOURCE[0]%/*}
[ "$here" = "${BASH_SOURCE[0]}" ] || cd "$here" || exit
: > exit
[ -d out ] && [ -d state ] && [ -d tmp ] || mkdir -p out state tmp || exit
trap : HUP INT TERM # what a signal means is for the step to say: it is waited for, and its end is written down
exec 3>&2 2> /dev/null # this shell has nothing to say of how its child ended
bash placement/launch.sh 2>&3 3>&-
code=$?
echo "ended $code" > exit
exit "$code"
