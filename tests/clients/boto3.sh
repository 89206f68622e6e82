#!/usr/bin/env bash
# Amazon's Python SDK against the network volumes' S3 API: what Runpod's documentation shows, what it lists as missing, and
# the quirks.
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"
python=$(install_python boto3 1.44.8) || skip_client "the package boto3 from PyPI"
# shellcheck source=tests/e2e/lib.sh
. "$clients/../e2e/lib.sh"
start_sim --no-sshd --s3 page_keys=5
volume=$("$PODSMITH" volumes create data --size 20 --data-center EU-RO-1 --json | query v.id)
export VOLUME=$volume

check "the SDK's calls"
"$python" "$clients/boto3_s3.py" >"$scratch/sdk.out" 2>"$scratch/sdk.err" || fail "the SDK's script"
expect_text sdk.out "all calls done"

check "what one client writes the other reads"
"$PODSMITH" volumes pull data from-boto "$scratch/got" >pull.out
[ "$(cat "$scratch/got/hello.txt")" = "hello from boto3" ] || fail "podsmith read something else"
[ "$(stat -c %s "$scratch/got/parts.bin")" -eq 12000001 ] || fail "the file in parts has another size"
"$PODSMITH" volumes pull data from-boto "$scratch/got" --json >again.out
[ "$(query v.files <again.out)" -eq 0 ] || fail "the same files were got again"
pass boto3
