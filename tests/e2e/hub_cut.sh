#!/usr/bin/env bash
# A large upload and download whose connections are cut at 20 random moments, and one that is killed: they complete, nothing is
# sent twice but what was on its way, and memory stays small. PODSMITH_CUT_MIB=2048 for the size that the issue names.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip "needs python3"
mib=${PODSMITH_CUT_MIB:-256}
size=$((mib << 20))
part=16000000
[ "$(df --output=avail -B1 "$scratch" | tail -n 1)" -gt $((5 * size)) ] || skip "needs $((5 * mib)) MiB of disk"

start_sim --no-sshd
export HF_HOME=$scratch/hf
hub_port=${HF_ENDPOINT##*:}

# Zeros with marks in between, so that a part in the wrong place shows.
truncate -s "$size" big.bin
for i in $(seq 0 "$((mib / 8 - 1))"); do printf 'block %d' "$i" | dd of=big.bin bs=1 seek=$((i << 23)) conv=notrunc status=none; done

# cuts COUNT WAY: so many random numbers of bytes below nine tenths of the size.
cuts() { awk -v n="$1" -v way="$2" -v size="$size" 'BEGIN { srand(); for (i = 0; i < n; i++) printf "%s:%d ", way, 1 + rand() * size * 0.9 }'; }
has_port() { [ -s "$1.port" ]; }
# proxy NAME CUT...: sets HF_ENDPOINT to one that cuts.
proxy() {
  local name=$1
  shift
  background "$name" python3 "$e2e/parts/cut_proxy.py" "$name.port" "$hub_port" "$name.json" "$@"
  wait_until 60 has_port "$name"
  HF_ENDPOINT=http://127.0.0.1:$(cat "$name.port")
}
count() { query "v.$2" <"$1.json"; }
peak_is_small() { [ "$(cat "$1")" -lt 65536 ] || fail "$1: $(cat "$1") KiB of memory"; }

check "upload of $mib MiB, 20 cuts"
# shellcheck disable=SC2046 # words
proxy up $(cuts 20 up)
python3 "$e2e/parts/peak.py" upload.peak "$PODSMITH" hub upload sim-user/big big.bin --json >upload.out 2>upload.err || fail "the upload"
cut=$(count up cuts)
sent=$(count up up)
[ "$cut" -ge 15 ] || fail "only $cut connections were cut"
most=$((size + cut * part + (4 << 20)))
[ "$sent" -le "$most" ] || fail "$sent bytes were sent for $size, with $cut cuts"
[ "$(query v.commits <upload.out)" -eq 1 ] || fail "not one commit"
peak_is_small upload.peak
pass "$cut cuts, $sent bytes for $size, $(cat upload.peak) KiB of memory"

check "download, 20 cuts"
# shellcheck disable=SC2046
proxy down $(cuts 20 down)
python3 "$e2e/parts/peak.py" download.peak "$PODSMITH" hub download sim-user/big big.bin --to back --json >download.out 2>download.err ||
  fail "the download"
cmp big.bin back/big.bin || fail "it came back different"
got=$(count down down)
cut=$(count down cuts)
[ "$cut" -ge 15 ] || fail "only $cut connections were cut"
# What was read ahead on a connection that is cut is lost: sockets' buffers, a few MiB each.
[ "$got" -le $((size + cut * (8 << 20))) ] || fail "$got bytes came for $size, with $cut cuts"
peak_is_small download.peak
rm -rf back
pass "$cut cuts, $got bytes for $size, $(cat download.peak) KiB of memory"

check "killed, and started again"
printf 'another' | dd of=big.bin bs=1 seek=99 conv=notrunc status=none
proxy kill
half_way() { [ "$(count kill up)" -gt $((size * 2 / 3)) ] || has_ended "${pid_of[killed]}"; }
start killed hub upload sim-user/killed big.bin
wait_until 120 half_way
kill -KILL "${pid_of[killed]}"
wait "${pid_of[killed]}" 2>/dev/null || true
"$PODSMITH" hub upload sim-user/killed big.bin --json >again.out 2>again.err || fail "the second upload"
[ "$(query v.bytes_found <again.out)" -gt 0 ] || fail "nothing was found of the first upload"
sent=$(count kill up)
[ "$sent" -le $((size + 8 * part + (4 << 20))) ] || fail "$sent bytes were sent for $size"
[ -z "$(ls -A "$PODSMITH_STATE/hub-uploads")" ] || fail "notes of the upload were left"
down_half() { [ "$(count kill down)" -gt $((size * 2 / 3)) ] || has_ended "${pid_of[half]}"; }
start half hub download sim-user/killed big.bin
wait_until 120 down_half
kill -KILL "${pid_of[half]}"
wait "${pid_of[half]}" 2>/dev/null || true
"$PODSMITH" hub download sim-user/killed big.bin --json >rest.out 2>rest.err || fail "the second download"
[ "$(query v.bytes_received <rest.out)" -lt "$size" ] || fail "all came again"
cmp big.bin "$(query v.path <rest.out)/big.bin" || fail "it came back different"
pass "both went on: $sent bytes up for $size, $(query v.bytes_received <rest.out) of them came in the second download"
