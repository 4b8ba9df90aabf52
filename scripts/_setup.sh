# Sourced by demo, test and check.  Makes the virtual environment, or what is still missing in it:
# the project itself (editable), the extras asked for, and an ffmpeg if the machine has none that
# works.  Needs Python >= 3.11 and a package index; no root.  RECPIPE_VENV names another folder.

unset CDPATH
root=$(cd "$(dirname "$0")/.." && pwd -P)
venv=${RECPIPE_VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
cd "$root"

# What other projects' environments leave behind.  Where pip finds packages stays as it is.
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV
unset PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_NO_DEPS PIP_DRY_RUN PIP_REQUIREMENT
unset PIP_REQUIRE_HASHES PIP_NO_BUILD_ISOLATION PIP_CONFIG_SETTINGS PIP_IGNORE_INSTALLED
export PYTHONNOUSERSITE=1 PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1

fail() {
    echo "${0##*/}: $*" >&2
    exit 2
}

is_recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    lacking=
    for name in python3.13 python3.12 python3.11 python3 python python3.14; do
        is_recent "$name" || continue
        if "$name" -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$name"
            return
        fi
        lacking=$name
    done
    test -z "$lacking" ||
        fail "$lacking cannot make virtual environments: install its venv module (Debian: apt install python3-venv)"
    fail "no Python >= 3.11 found (looked for python3.13, python3.12, python3.11, python3, python)"
}

make_venv() {
    is_recent "$venv/bin/python" && "$venv/bin/python" -c 'import pip' 2>/dev/null && return
    base=$(find_python) || exit
    if test -e "$venv" && ! test -e "$venv/pyvenv.cfg" && test -n "$(ls -A "$venv")"; then
        fail "$venv is not a virtual environment: move it away, or set RECPIPE_VENV"
    fi
    echo "making a virtual environment with $base in $venv" >&2
    "$base" -m venv --clear "$venv" || fail "$base -m venv failed"
}

# The stamp holds what the installation depends on; an equal one means there is nothing to do.
stamp() {
    echo "$root"
    cat pyproject.toml
}

is_installed() {
    stamp | cmp -s - "$venv/installed-${1:-plain}"
}

install() {
    echo "installing recpipe${1:+[$1]}" >&2
    "$venv/bin/python" -m pip install --quiet --editable ".${1:+[$1]}" ||
        fail "pip could not install recpipe${1:+[$1]}"
    stamp >"$venv/installed-${1:-plain}"
}

# setup web for users, setup dev for developers
setup() {
    make_venv
    is_installed dev || is_installed "$1" || install "$1"
    PATH=$venv/bin:$PATH
    export PATH
    "$venv/bin/python" -m pipeline.muxing.locate >/dev/null 2>&1 && return
    is_installed ffmpeg || install ffmpeg
    "$venv/bin/python" -m pipeline.muxing.locate >/dev/null || fail "no usable ffmpeg"
}
