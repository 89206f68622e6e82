#!/usr/bin/env bash
# What the tests with other people's clients share. Sourced, not run:
#
#     . "$(dirname "$0")/lib.sh"
#     python=$(install_python runpod 1.12.0) || skip_client "runpod from PyPI"
#     . "$clients/../e2e/lib.sh"                  # from here on as it says
#     start_sim --no-sshd
#
# Clients are installed first, with the user's own settings; e2e/lib.sh then takes the home folder away. They are kept in
# PODSMITH_CLIENTS (default build/clients) and are not installed twice.
set -euo pipefail

clients=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PODSMITH_CLIENTS=$(realpath -m "${PODSMITH_CLIENTS:-$clients/../../build/clients}")
mkdir -p "$PODSMITH_CLIENTS"

# skip_client WHAT: the client cannot be had here (no network, no interpreter, not in the registry).
skip_client() {
  printf 'SKIPPED %s: cannot install %s here; the reason is in the *.log of %s\n' "$(basename "$0" .sh)" "$1" \
    "$PODSMITH_CLIENTS"
  exit 77
}

has_program() { command -v "$1" >/dev/null; }

# install_python PACKAGE VERSION: into a venv of its own; prints the venv's interpreter.
install_python() {
  local folder=$PODSMITH_CLIENTS/python-$1-$2
  if [ ! -f "$folder/ready" ]; then
    has_program python3 || { echo "no python3" >"$folder.log"; return 1; }
    rm -rf "$folder"
    { python3 -m venv "$folder" && "$folder/bin/pip" install --quiet --disable-pip-version-check "$1==$2"; } \
      >"$folder.log" 2>&1 || return 1
    touch "$folder/ready"
  fi
  printf '%s\n' "$folder/bin/python"
}

# install_node PACKAGE VERSION: into a folder of its own; prints the package's folder.
install_node() {
  local folder
  folder=$PODSMITH_CLIENTS/node-$(basename "$1")-$2
  if [ ! -f "$folder/ready" ]; then
    if ! has_program node || ! has_program npm; then
      echo "no node or no npm" >"$folder.log"
      return 1
    fi
    rm -rf "$folder"
    mkdir "$folder"
    npm install --prefix "$folder" --no-audit --no-fund "$1@$2" >"$folder.log" 2>&1 || return 1
    touch "$folder/ready"
  fi
  printf '%s\n' "$folder/node_modules/$1"
}

# install_go MODULE VERSION: prints the program's path.
install_go() {
  local folder name
  name=$(basename "$1")
  folder=$PODSMITH_CLIENTS/go-$name-$2
  if [ ! -x "$folder/$name" ]; then
    has_program go || { echo "no go" >"$folder.log"; return 1; }
    GOBIN=$folder go install "$1@$2" >"$folder.log" 2>&1 || return 1
  fi
  printf '%s\n' "$folder/$name"
}

# ---- these use the helpers of e2e/lib.sh, and its scratch folder

# json FILE EXPRESSION: the value of a Lua expression over v, the JSON in a file of the scratch folder.
# shellcheck disable=SC2154 # scratch is of e2e/lib.sh
json() { query "$2" <"$scratch/$1" || fail "$1 is not the JSON that was expected"; }

# expect_json FILE EXPRESSION VALUE
expect_json() {
  local got
  got=$(json "$1" "$2")
  [ "$got" = "$3" ] || fail "$1: $2 is '$got', not '$3'"
}

# state_of POD FIELD: what the simulator holds of a pod, ended or not.
state_of() {
  sim_state | query "(function() for _, p in ipairs(v.pods) do if p.id == '$1' then return p.$2 end end end)()"
}

# expect_state POD FIELD VALUE
expect_state() {
  local got
  got=$(state_of "$1" "$2")
  [ "$got" = "$3" ] || fail "the simulator's pod $1 has $2 '$got', not '$3'"
}
