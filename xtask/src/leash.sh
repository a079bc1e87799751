#!/bin/sh
# Runs a program that must not outlive whoever started it, not even when the starter is killed.
#
#   leash GRACE PROGRAM [ARGUMENT…]      with standard input a pipe that the starter holds open
#
# When that pipe closes (the starter is done, or dead), the program is asked to stop, and after GRACE tenths of a
# second its whole process group is killed. LEASH_SCRATCH names a folder to remove then; LEASH_PID a file that gets the
# program's id at its start. Start it as the leader of a process group of its own. Its exit status is the program's.
grace=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
[ -n "${LEASH_PID:-}" ] && echo "$program" >"$LEASH_PID"
(
    exec >/dev/null 2>&1
    cat <&3
    trap '' TERM
    [ "$grace" -gt 0 ] && kill -TERM "$program"
    while [ "$grace" -gt 0 ] && kill -0 "$program"; do
        sleep 0.1
        grace=$((grace - 1))
    done
    kill -KILL "$program"
    # Until it is reaped it may still hold its port: whoever started it counts on that being free.
    while kill -0 "$program"; do sleep 0.01; done
    [ -n "${LEASH_SCRATCH:-}" ] && rm -rf -- "$LEASH_SCRATCH"
    kill -KILL 0
) &
watcher=$!
exec 3<&- 2>/dev/null
wait "$program"
status=$?
# The program ended by itself: so does the watcher. Or the watcher ended it: then it is still at the rest of the group.
kill "$watcher"
wait "$watcher"
exit "$status"
