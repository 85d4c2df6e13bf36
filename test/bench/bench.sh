#!/bin/sh
# bench.sh - figures, never a verdict: holdfast beside the incumbent, measured by the project's harness (../shared/suite/perf) when that
# is here, else the chaos lane's own figures. Called by "make bench"; needs root.
#
#   bench.sh [DAEMON] [SCENARIO...]     default: build/holdfast, all scenarios that need no virtual machine
#   environment: BENCH_RUNS (runs a scenario), BENCH_OUT (directory, default build/bench), PEER (default /usr/sbin/keepalived)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
daemon=${1:-$top/build/holdfast}
[ $# -gt 0 ] && shift
scenarios=${*:-startup failover jitter vips config reload watchdog idle scale}
out=${BENCH_OUT:-$top/build/bench}
peer=${PEER:-/usr/sbin/keepalived}
suite=${SUITE:-$top/../shared/suite/perf}

if [ ! -x "$daemon" ]; then
    echo "bench: $daemon is not there (make first)" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "bench: network namespaces need root" >&2
    exit 1
fi
case $daemon in
/*) ;;
*) daemon=$(pwd)/$daemon ;;
esac
mkdir -p "$out"

if [ ! -f "$suite/bench.py" ]; then
    echo "bench: no $suite on this machine: the built-in figures (crashes, with the incumbent as control when it is installed)"
    exec python3 "$top/test/chaos/run.py" --daemon "$daemon" --runs "${BENCH_RUNS:-5}" --json "$out/chaos.json"
fi

# The harness compiles its helpers beside itself, so it runs from a copy.
rm -rf "$out/perf"
cp -r "$suite" "$out/perf"
chmod -R u+w "$out/perf"
rm -f "$out/perf.json"
set -- --a "$daemon" --only "$(echo "$scenarios" | tr ' ' ',')" --json "$out/perf.json"
if [ -x "$peer" ]; then
    set -- "$@" --b "$peer"
else
    echo "bench: no $peer: holdfast alone (apt install keepalived for the comparison)"
fi
[ -z "${BENCH_RUNS:-}" ] || set -- "$@" --runs "$BENCH_RUNS"
status=0
python3 "$out/perf/bench.py" "$@" || status=$?
echo "bench: raw samples in $out/perf.json; a is $daemon, b is $peer; median (least-most), a/b below 1 is better for times and CPU"
exit $status
