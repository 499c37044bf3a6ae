#!/bin/sh
# A Ray cluster of several raylets on this machine, for trying out what a cluster does: on loopback only, with a token.
#
#     cluster/local.sh start [RAYLETS]   head (no CPU, as in aws.yaml) and workers of 2 CPUs each; default 2
#     eval "$(cluster/local.sh env)"     address and token for `ray job submit`, `ray status`, python
#     cluster/local.sh stop              ends this cluster, and no other: `ray stop` would end every one on the machine
#
# EISEN_LOCAL       its folder (default /tmp/eisen-local-$USER; short: socket paths are limited to 107 bytes)
# EISEN_LOCAL_PORT  first of ten ports in a row that it uses (default 8260; the dashboard has the sixth)
set -eu

folder=${EISEN_LOCAL:-/tmp/eisen-local-$(id -un)}
first=${EISEN_LOCAL_PORT:-8260}
port=$first
dashboard=$((first + 5))
here=$(cd "$(dirname "$0")/.." && pwd)

fail() {
    echo "local.sh: $*" >&2
    exit 2
}

# The repository's environment if there is one, else the caller's.
[ -x "$here/.venv/bin/ray" ] && PATH=$here/.venv/bin:$PATH
command -v ray >/dev/null || fail "no \`ray\`: run ./dev setup, or activate the environment that has it"

in_own_group() {
    # A group of its own, so that `stop` reaches all of it.
    python -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@" >"$folder/$name.log" 2>&1 </dev/null &
    echo $! >>"$folder/pids"
}

exported() {
    echo "export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH='$folder/token'"
    echo "export RAY_ADDRESS=127.0.0.1:$port RAY_API_SERVER_ADDRESS=http://127.0.0.1:$dashboard"
}

start() {
    raylets=${1:-2}
    case $raylets in '' | *[!0-9]* | 0) fail "start takes a number of raylets, 1 or more; got $raylets" ;; esac
    [ ! -e "$folder/pids" ] || fail "$folder holds a cluster: \`$0 stop\` first"
    mkdir -p "$folder"
    chmod 700 "$folder"
    (umask 077 && python -c 'import secrets; print(secrets.token_hex(32), end="")' >"$folder/token")
    export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$folder/token" RAY_USAGE_STATS_ENABLED=0
    # Ports of the head are named, so that two clusters can stand side by side; loopback is what the node address says.
    name=head
    in_own_group ray start --head --block --node-ip-address=127.0.0.1 --port="$port" --num-cpus=0 --num-gpus=0 \
        --labels=role=head --dashboard-host=127.0.0.1 --dashboard-port="$dashboard" \
        --ray-client-server-port="$((first + 1))" --dashboard-agent-listen-port="$((first + 6))" \
        --temp-dir="$folder" --object-store-memory=104857600 --disable-usage-stats
    await 1
    number=0
    while [ "$number" -lt "$raylets" ]; do
        number=$((number + 1))
        name=worker$number
        in_own_group ray start --block --address="127.0.0.1:$port" --node-ip-address=127.0.0.1 --num-cpus=2 \
            --labels=role=decode --dashboard-agent-listen-port=0 --object-store-memory=209715200 --disable-usage-stats
    done
    await "$((raylets + 1))"
    echo "A head and $raylets raylets of 2 CPUs; dashboard http://127.0.0.1:$dashboard. Now: eval \"\$($0 env)\"" >&2
}

# Until so many nodes are alive.
await() {
    python - "127.0.0.1:$port" "$1" <<'PY' || { stop; fail "not up within 90 s; logs: $folder"; }
import sys, time
from ray._raylet import GcsClient

for _ in range(180):
    try:
        nodes = GcsClient(address=sys.argv[1]).get_all_node_info()
        if sum(node.state == 0 for node in nodes.values()) >= int(sys.argv[2]):
            sys.exit(0)
    except Exception as error:  # not up yet, whatever form that takes
        last = error
    time.sleep(0.5)
sys.exit("not up")
PY
}

stop() {
    [ -e "$folder/pids" ] || fail "no cluster in $folder"
    # Workers before the head.
    for pid in $(sort -rn "$folder/pids"); do kill -TERM -- "-$pid" 2>/dev/null || true; done
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        alive=""
        for pid in $(cat "$folder/pids"); do kill -0 "$pid" 2>/dev/null && alive=1; done
        [ -n "$alive" ] || break
        sleep 0.5
    done
    for pid in $(cat "$folder/pids"); do kill -KILL -- "-$pid" 2>/dev/null || true; done
    # Whatever left its group has the folder in its command line.
    pkill -KILL -f -- "[=/ ]${folder#/}/session_" 2>/dev/null || true
    rm -rf "$folder"
}

case ${1:-help} in
start) start "${2:-2}" ;;
env) [ -e "$folder/pids" ] || fail "no cluster in $folder" && exported ;;
stop) stop ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0" ;;
esac
