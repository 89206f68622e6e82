#!/usr/bin/env bash
# What the tests with the Hub's clients share. Sourced after lib.sh and e2e/lib.sh.

# start_hub [FLAGS...]: a simulator, and the variables that keep a client on it and away from Xet.
start_hub() {
  start_sim --no-sshd "$@"
  export HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_UPDATE_CHECK=1 HF_HUB_DISABLE_PROGRESS_BARS=1
}

hub_state() { control GET /_sim/hub; }

# expect_no_unknown_routes: every call of the client met a route.
expect_no_unknown_routes() {
  local lost
  lost=$(sim_state | query '(function() local t = {} for k in pairs(v.requests) do if k:find("no route", 1, true) then t[#t + 1] = k end end return table.concat(t, ", ") end)()')
  [ -z "$lost" ] || fail "the client asked for what the Hub does not know: $lost"
}

# expect_each_put_once: no object and no part was sent twice, and all were kept.
expect_each_put_once() {
  local twice
  twice=$(hub_state | query '(function() local seen, bad = {}, {} for _, p in ipairs(v.puts) do local k = p.oid .. " " .. p.part if seen[k] or not p.stored then bad[#bad + 1] = k end seen[k] = true end return table.concat(bad, ", ") end)()')
  [ -z "$twice" ] || fail "sent twice, or not kept: $twice"
}

# make_folder FOLDER NAME: files of every kind of upload: empty, text, small and large binary (parts), one with that name.
make_folder() {
  mkdir -p "$1/deep/er"
  printf '{"a": 1}\n' >"$1/config.json"
  : >"$1/deep/empty.txt"
  printf 'h\303\251llo\n' >"$1/deep/er/$2"
  head -c 200000 /dev/urandom >"$1/small.bin"
  head -c 2000000 /dev/urandom >"$1/model.safetensors"
}

# expect_equal FOLDER OTHER: the same files, but for what a client or the Hub adds.
# shellcheck disable=SC2154 # scratch is of e2e/lib.sh
expect_equal() {
  diff -r -x .gitattributes -x .cache "$1" "$2" >"$scratch/diff.out" || fail "$2 is not $1: $(head -n 3 "$scratch/diff.out")"
}

podsmith_hub() { "$PODSMITH" hub "$@" >"$scratch/podsmith.out" 2>"$scratch/podsmith.err" || fail "podsmith hub $*"; }
