#!/bin/sh
# A Ray cluster of several raylets on this machine, for trying out what a cluster does: on loopback only, with a token.
#
#     cluster/local.sh start [RAYLETS]   a head without CPUs, as in aws.yaml, and raylets of 2 CPUs each; default 2
#     eval "$(cluster/local.sh env)"     address and token, for `ray job submit`, `ray status` and python
#     cluster/local.sh stop              ends this cluster and no other: `ray stop` would end every one on the machine
#
# EISEN_LOCAL       its folder (default /tmp/eisen-local-$USER; short: socket paths are limited to 107 bytes)
# EISEN_LOCAL_PORT  its port; the dashboard has the fifth after it (default 6380 and 6385)
set -eu

folder=${EISEN_LOCAL:-/tmp/eisen-local-$(id -un)}
port=${EISEN_LOCAL_PORT:-6380}
dashboard=$((port + 5))
here=$(cd "$(dirname "$0")/.." && pwd)

fail() {
    echo "local.sh: $*" >&2
    exit 2
}

start() {
    case $1 in '' | *[!0-9]* | 0) fail "start takes a number of raylets, 1 or more; got $1" ;; esac
    [ ! -e "$folder" ] || fail "$folder holds a cluster, or something else: \`$0 stop\`, or name another by EISEN_LOCAL"
    # The repository's environment if there is one, else the caller's; jobs run by the same `python`.
    [ -x "$here/.venv/bin/ray" ] && PATH=$here/.venv/bin:$PATH
    command -v ray >/dev/null || fail "no \`ray\`: run ./dev setup, or activate the environment that has it"
    mkdir -m 700 "$folder"
    export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$folder/token" RAY_USAGE_STATS_ENABLED=0
    (umask 077 && python -c 'import secrets; print(secrets.token_hex(32), end="")' >"$folder/token")
    python "$here/cluster/local_raylets.py" "$1" "$port" "$folder" >"$folder/log" 2>&1 </dev/null &
    echo $! >"$folder/pid"
    tries=180
    until grep -qx up "$folder/log"; do
        tries=$((tries - 1))
        if [ "$tries" = 0 ] || ! kill -0 "$(cat "$folder/pid")" 2>/dev/null; then
            tail -n 20 "$folder/log" >&2
            stop
            fail "the cluster did not come up; its log is above"
        fi
        sleep 0.5
    done
    echo "A head and $1 raylets of 2 CPUs; dashboard http://127.0.0.1:$dashboard. Now: eval \"\$($0 env)\"" >&2
}

# Ray's clients, too, would replace a loopback address by the machine's outer one: the last variable keeps them from it
# (docs/decisions.md, 102).
exported() {
    cat <<TEXT
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH='$folder/token'
export RAY_ADDRESS=127.0.0.1:$port RAY_API_SERVER_ADDRESS=http://127.0.0.1:$dashboard
export RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0
TEXT
}

stop() {
    pid=$(cat "$folder/pid")
    kill -TERM "$pid" 2>/dev/null || true
    tries=40
    while kill -0 "$pid" 2>/dev/null && [ "$tries" -gt 0 ]; do
        tries=$((tries - 1))
        sleep 0.5
    done
    # It ends everything below itself. Where it could not, by its ids what its group still holds of this cluster.
    for each in $(pgrep -g "$pid" -f -- "$folder" || true); do
        kill -KILL "$each" 2>/dev/null || true
    done
    rm -rf "$folder"
}

case ${1:-help} in
start) start "${2:-2}" ;;
env | stop)
    [ -e "$folder/pid" ] || fail "no cluster in $folder"
    if [ "$1" = stop ]; then stop; else exported; fi
    ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0" ;;
esac
