#!/bin/sh
# install.sh VENV DIST: an environment at VENV with the one wheel in DIST, pinned by the constraints.txt beside DIST.
# Machines of aws.yaml and the image of the Dockerfile are set up by this same script. Repeating it is cheap.
set -eu

venv=$1
dist=$2
constraints=$(dirname "$dist")/constraints.txt

fail() {
    echo "install.sh: $*" >&2
    exit 2
}

set -- "$dist"/eisen_ray-*.whl
[ $# -eq 1 ] && [ -f "$1" ] || fail "$dist must hold exactly one eisen_ray-*.whl; found: $*"
[ -f "$constraints" ] || fail "$constraints is missing"

if ! [ -x "$venv/bin/pip" ]; then
    # Debian and Ubuntu keep ensurepip in a package of its own.
    if ! python3 -c 'import ensurepip' 2>/dev/null; then
        sudo apt-get update -qq && sudo apt-get install -y -qq --no-install-recommends python3-venv
    fi
    python3 -m venv "$venv"
fi
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir -c "$constraints" "$1"
# The same version may have been built anew.
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --no-deps --force-reinstall "$1"
"$venv/bin/python" -c 'import eisen_ray.config'
