#!/usr/bin/env bash
# Network volumes and the files on them without any pod: the CLI against the simulator's S3 API with Runpod's quirks,
# faults, broken transfers that go on, keys that are wrong.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --no-sshd --s3 page_keys=7 --s3 repeat_token=2
volumes() { "$PODSMITH" volumes "$@" </dev/null; }
# same DIR DIR: both trees have the same files.
same() { diff -r "$1" "$2" >diff.out || fail "$1 and $2 differ: $(cat diff.out)"; }

check "create, list, delete"
volumes list >list.out
expect_text list.out "no network volumes"
volume=$(volumes create data --size 20 --data-center EU-RO-1 --json | query v.id)
volumes >list.out
expect_text list.out "$volume  data  20 GB  EU-RO-1"
expect_text list.out "1.40"
[ "$(volumes list --json | query 'v[1].size')" -eq 20 ] || fail "list --json"
if volumes create small --size 5 --data-center EU-RO-1 2>small.err; then fail "a volume of 5 GB"; fi
expect_text small.err "--size must be at least 10, not 5"
if volumes delete data 2>ask.err; then fail "deleted without an answer"; fi
expect_text ask.err "all its files will be gone"
if volumes ls dat 2>near.err; then fail "an unknown volume"; fi
expect_text near.err "did you mean 'data'?"
if volumes lsit 2>verb.err; then fail "an unknown verb"; fi
expect_text verb.err "did you mean"
volumes --help >help.out
expect_text help.out "push VOLUME LOCAL PATH"

check "a tree goes up, is listed over many pages, and comes down the same"
mkdir -p tree/sub/deep tree/hollow "tree/odd #1 ä&<b>"
for i in $(seq 1 40); do echo "file $i" >"tree/sub/f$i.txt"; done
head -c 300000 /dev/urandom >tree/sub/deep/blob.bin
echo odd >"tree/odd #1 ä&<b>/a+b =%41.txt"
: >tree/empty
volumes push data tree work/tree >push.out
expect_text push.out "pushed 43 files"
volumes push data tree work/tree --json >again.out
[ "$(query '("%d %d"):format(v.files, v.unchanged)' <again.out)" = "0 43" ] || fail "a second push sent something: $(cat again.out)"
volumes ls data work/tree/sub >ls.out
expect_text ls.out "40 files"
expect_text ls.out "work/tree/sub/f40.txt"
[ "$(volumes ls data work -r --json | query '#v')" -eq 48 ] || fail "ls -r: $(volumes ls data work -r)"
volumes du data --depth 3 >du.out
expect_text du.out "work/tree/sub/"
volumes pull data /workspace/work/tree down >pull.out
same tree down
volumes pull data work/tree down --json >again.out
[ "$(query v.files <again.out)" -eq 0 ] || fail "a second pull got something"

check "only what differs; --delete takes what is gone, and what is ignored stays"
echo changed >tree/sub/f1.txt
rm tree/sub/f2.txt
mkdir -p tree/__pycache__
echo x >tree/__pycache__/x.pyc
volumes push data tree work/tree --delete --dry-run >plan.out
expect_text plan.out "send     sub/f1.txt"
expect_text plan.out "delete   sub/f2.txt"
volumes push data tree work/tree --delete >push.out
expect_text push.out "pushed 1 file"
expect_text push.out "1 deleted"
rm -r down tree/__pycache__
volumes pull data work/tree down >pull.out
same tree down
echo mine >down/extra
volumes pull data work/tree down --delete >pull.out
same tree down

check "the parts of a large file, with failures at every call"
cat >parts.lua <<'LUA'
local name, verb, here = ...
require("podsmith.volume_transfer").part_size = 100000
local volume = runpod.volumes.list { name = "data" }[1]
local summary = verb == "push" and volume:push(here, name) or volume:pull(name, here)
print(summary.files, summary.resumed)
LUA
head -c 950001 /dev/urandom >big.bin
fault 'POST /eu-ro-1/*/big.bin:status:503/0@1'
fault 'PUT /eu-ro-1/*/big.bin:reset@2'
fault 'PUT /eu-ro-1/*/big.bin:status_after:502@4'
fault 'PUT /eu-ro-1/*/big.bin:drop_after@6'
fault 'POST /eu-ro-1/*/big.bin:drop_after@3'
fault 'GET /eu-ro-1/*/big.bin:truncate:400000@2'
fault 'GET /eu-ro-1/*/big.bin:reset@4'
"$PODSMITH" run parts.lua big.bin push big.bin >parts.out
expect_text parts.out "1	0"
"$PODSMITH" run parts.lua big.bin pull got.bin >parts.out
cmp big.bin got.bin || fail "the large file is another"
no_faults
[ -z "$(find . -maxdepth 1 -name '.podsmith-part-*')" ] || fail "a part file was left"

check "an upload that was broken off goes on with the parts that are there"
head -c 1200000 /dev/urandom >late.bin
fault 'PUT /eu-ro-1/*/late.bin:delay:600@7-'
start late run parts.lua late.bin push late.bin
wait_until 60 was_called "S3 UploadPart" 16
kill -9 "$pid"
exit_of late
no_faults
before=$(calls "S3 UploadPart")
"$PODSMITH" run parts.lua late.bin push late.bin >late2.out
expect_text late2.out "1	1"
[ $(($(calls "S3 UploadPart") - before)) -le 9 ] || fail "all parts were sent again"
"$PODSMITH" run parts.lua late.bin pull late.got >/dev/null
cmp late.bin late.got || fail "the resumed file is another"
[ "$(volumes ls data .s3compat_uploads 2>/dev/null | grep -c '^1 file')" -eq 0 ] || fail "parts are left on the volume"

check "a run's old checkpoints go, the newest complete one stays"
for step in 100 200 1000; do
  mkdir -p "run/checkpoint-$step"
  echo "{}" >"run/checkpoint-$step/trainer_state.json"
done
mkdir run/final_model run/tmp
echo x | tee run/final_model/model >run/tmp/x
volumes push data run checkpoints/run >push.out
volumes clean data checkpoints/run --dry-run >clean.out
expect_text clean.out "keep      checkpoints/run/checkpoint-1000/"
expect_text clean.out "remove    checkpoints/run/checkpoint-200/"
expect_text clean.out "not ours  checkpoints/run/tmp/"
volumes clean data checkpoints/run --yes >clean.out
[ "$(volumes ls data checkpoints/run --json | query '#v')" -eq 3 ] || fail "not three folders are left"
volumes rm data checkpoints -r --yes >rm.out

check "removal: planned, asked for, one by one"
if volumes rm data work 2>rm.err; then fail "a folder without --recursive"; fi
expect_text rm.err "is a folder"
volumes rm data work -r --dry-run >rm.out
expect_text rm.out "would remove 42 files"
if volumes rm data work -r 2>rm.err; then fail "removed without an answer"; fi
volumes rm data work -r --yes >rm.out
expect_text rm.out "removed 42 files"
volumes rm data big.bin --yes >rm.out
volumes rm data late.bin --yes >rm.out
volumes ls data >ls.out
expect_text ls.out "0 files"
[ "$(calls "S3 DeleteObjects")" -eq 0 ] || fail "a batch delete was tried"
[ "$(calls "S3 ListObjects")" -eq 0 ] || fail "an old listing was tried"

check "keys that are wrong or missing, a volume that is full, and no secret anywhere"
expect_error() { # EXIT-TEXT HINT-TEXT COMMAND...
  local said=$1 hint=$2
  shift 2
  if "$@" </dev/null >wrong.out 2>wrong.err; then fail "no error: $*"; fi
  expect_text wrong.err "$said"
  expect_text wrong.err "$hint"
}
expect_error "SignatureDoesNotMatch" "the secret (rps_...) of the S3 API key" \
  env AWS_SECRET_ACCESS_KEY=rps_wrong "$PODSMITH" volumes ls data
expect_error "InvalidAccessKeyId" "user_..." env AWS_ACCESS_KEY_ID=AKIAOTHER "$PODSMITH" volumes ls data
expect_error "are not both set" "S3 API key" env -u AWS_SECRET_ACCESS_KEY "$PODSMITH" volumes ls data
expect_error "which is no http or https address" "leave it out" env RUNPOD_S3_ENDPOINT=s3.local "$PODSMITH" volumes ls data
expect_error "the volume is in EU-RO-1" "leave it out" \
  env RUNPOD_S3_ENDPOINT=https://s3api-us-ks-2.runpod.io "$PODSMITH" volumes ls data
fault 'PUT /eu-ro-1/*:status:507'
expect_error "answered 507" "the volume is full" "$PODSMITH" volumes push data tree full
no_faults
mkdir -p "$PODSMITH_STATE"
if grep -rqF "$AWS_SECRET_ACCESS_KEY" ./*.out ./*.err "$PODSMITH_STATE"; then fail "the S3 secret was written"; fi

check "delete"
volumes delete data --yes >delete.out
volumes list >list.out
expect_text list.out "no network volumes"
pass volumes
