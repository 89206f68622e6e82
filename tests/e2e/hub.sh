#!/usr/bin/env bash
# podsmith hub against the simulated Hub: what goes up comes down byte for byte, what is there is not sent again, and what
# is refused is said so.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --no-sshd
export HF_HOME=$scratch/hf
me=sim-user

hub() { "$PODSMITH" hub "$@" >last.out 2>last.err || fail "podsmith hub $*"; }
refused() {
  local code=$1
  shift
  exit_code=0
  "$PODSMITH" hub "$@" >last.out 2>last.err || exit_code=$?
  [ "$exit_code" -eq "$code" ] || fail "podsmith hub $* ended with $exit_code, not $code"
}
equal() { diff -r --no-dereference "$1" "$2" >diff.out || fail "$1 and $2 differ: $(head -n 3 diff.out)"; }
field() { query "v.$1" <last.out; }

check "a folder up and down"
mkdir -p data/deep/er
printf -- '---\nlicense: mit\n---\n# hello\n' >data/README.md
printf '{}' >data/config.json
: >data/empty
printf 'x' >"data/deep/er/odd name #1 %41.txt"
head -c 300000 /dev/urandom >data/small.bin
head -c 41000000 /dev/urandom >data/model.safetensors
ln -s config.json data/link.json
hub upload "$me/all" data --json -m "first"
[ "$(field commits)" -eq 1 ] || fail "not one commit"
[ "$(field files)" -eq 7 ] || fail "not seven files"
hub download "$me/all" --to back
rm -rf back/.cache back/.gitattributes data.flat
cp -rL data data.flat
equal data.flat back
pass "seven files in one commit, equal when they come back: empty, odd names, a link, multipart"

check "nothing twice"
hub upload "$me/all" data --json
[ "$(field commits)" -eq 0 ] || fail "a commit without a change"
[ "$(field unchanged)" -eq 7 ] || fail "not all are unchanged"
cp data/model.safetensors data/again.safetensors
hub upload "$me/all" data --json
[ "$(field bytes_sent)" -eq 0 ] || fail "known bytes were sent again"
[ "$(field files)" -eq 1 ] || fail "more than the new name was committed"
hub download "$me/all" --json
first=$(field commit)
hub download "$me/all" --json
[ "$(field bytes_received)" -eq 0 ] || fail "files that are here came again"
rm -rf data.flat && cp -rL data data.flat
snapshot=$HF_HOME/hub/models--$me--all/snapshots/$first
[ -L "$snapshot/model.safetensors" ] || fail "the cache has no links"
[ "$(cat "$HF_HOME/hub/models--$me--all/refs/main")" = "$first" ] || fail "the ref is wrong"
rm -f "$snapshot/.gitattributes"
diff -r data.flat "$snapshot" >diff.out || fail "the snapshot differs: $(head -n 3 diff.out)"
pass "unchanged files make no commit, known bytes are not sent, the cache is the official layout"

check "a pinned commit needs no request"
HF_ENDPOINT=http://127.0.0.1:9 hub download "$me/all" config.json --revision "$first"
[ "$(cat "$(cat last.out)/config.json")" = '{}' ] || fail "not the file"
pass "it came from the cache"

check "copies, deletions, branches, pull requests"
cat >changes.lua <<'LUA'
local id = arg[1]
local done = hf.upload(id, { { path = "copy.bin", copy = "model.safetensors" }, { path = "copy.json", copy = "config.json" },
  { path = "empty", delete = true }, { path = "deep/", delete = true }, { path = "note.txt", text = "héllo\n" } }, { message = "odd things" })
print(json.encode(done))
local names = {}
for _, entry in ipairs(hf.list(id)) do if entry.type == "file" then names[#names + 1] = entry.path end end
table.sort(names)
print(table.concat(names, " "))
print(hf.read(id, "note.txt"))
LUA
"$PODSMITH" run changes.lua "$me/all" >last.out 2>last.err || fail "the changes"
[ "$(sed -n 2p last.out)" = ".gitattributes README.md again.safetensors config.json copy.bin copy.json link.json model.safetensors note.txt small.bin" ] ||
  fail "not the files that should be there: $(sed -n 2p last.out)"
expect_text last.out "héllo"
hub upload "$me/all" data/config.json branch.json --revision dev
hub ls "$me/all" --revision dev
expect_text last.out branch.json
hub ls "$me/all"
if has_text last.out branch.json; then fail "it went to main"; fi
hub upload "$me/all" data/config.json pr.json --create-pr --json
request=$(field pull_request)
hub ls "$me/all" --revision "refs/pr/${request##*/}"
expect_text last.out pr.json
pass "in one commit; a branch is made; a pull request has an address"

check "whose token, and may it"
hub whoami
expect_text last.out "sim-user (token of HF_TOKEN"
(
  token=$HF_TOKEN
  unset HF_TOKEN
  refused 1 whoami
  expect_text last.err "there is no Hugging Face token"
  mkdir -p "$HF_HOME" && printf '%s\n' "$token" >"$HF_HOME/token"
  hub whoami
  expect_text last.out "sim-user (token of $HF_HOME/token"
  HF_HUB_DISABLE_IMPLICIT_TOKEN=1 refused 1 whoami
  rm "$HF_HOME/token"
) || exit 1
hub can-write "$me/new"
HF_TOKEN=$SIM_HF_READ_TOKEN refused 1 can-write "$me/new"
expect_text last.out "no:"
HF_TOKEN=$SIM_HF_READ_TOKEN refused 1 upload "$me/all" data --no-create
expect_text last.err "hint:"
pass "a read-only token is told before anything is sent"

check "what is refused is said so"
refused 1 info "$me/nothing"
expect_text last.err "does not exist, or it is private"
refused 1 download "$me/all" nothing.txt
expect_text last.err "there is no such file in main"
refused 1 download "$me/all" --revision nope
expect_text last.err "check the branch"
mkdir nil
refused 1 upload "$me/all" nil
expect_text last.err "no file in it is to go up"
refused 1 upload "$me/all" missing.bin
expect_text last.err "there is no such file or folder"
refused 2 uplaod "$me/all" data
expect_text last.err "did you mean 'upload'?"
refused 2 upload not/a/name data
expect_text last.err "write namespace/name"
refused 2 delete "$me/all"
expect_text last.err "nobody said yes"
printf -- '---\nlicense: not-a-license\n---\n' >bad.md
refused 1 upload "$me/all" bad.md README.md
expect_text last.err "license"
if grep -rF "$HF_TOKEN" last.out last.err; then fail "a token was printed"; fi
pass "with the reason and what to do"

check "weights by their headers"
cat >weights.lua <<'LUA'
for id, files in pairs { ["acme/tiny"] = 1, ["acme/llama-70b"] = 30 } do
  local info, found = hf.model_info(id), hf.safetensors(id)
  assert(found.files == files and found.total == info.safetensors.total and found.parameters.BF16 == found.total)
  local bytes = hf.weight_bytes(info)
  assert(found.bytes <= bytes and found.bytes > bytes - 200000 * files, "the bytes are not those of the files")
end
assert(hf.safetensors(arg[1]) == nil or error("it has weights"))
LUA
"$PODSMITH" hub upload "$me/plain" data/config.json >last.out 2>last.err || fail "a repository without weights"
"$PODSMITH" run weights.lua "$me/plain" >last.out 2>last.err || fail "the headers"
pass "of one file and of thirty, as the Hub counts them"

check "sync, and the end"
hub sync data "$me/synced" --path artifacts --include '*.json' --include '*.bin' --json
[ "$(field files)" -eq 3 ] || fail "not the three files that match"
hub ls "$me/synced" artifacts
expect_text last.out "artifacts/small.bin"
hub sync data "$me/synced" --include '*.nothing'
expect_text last.out "no file matches"
hub visibility "$me/synced" public
hub info "$me/synced"
expect_text last.out "public"
hub delete "$me/synced" --yes
refused 1 info "$me/synced"
pass "sync takes what matches; a deleted repository is gone"
