#!/usr/bin/env bash
# Publishing 1 GB of JSONL: podsmith against the same steps in plain Python (json.loads on each row, sha256, tarfile "w:gz",
# manifest, upload, one commit), on the same simulated Hub. MEGABYTES sets another size.
set -euo pipefail
PODSMITH=$(realpath "${1:-./build/podsmith}")
megabytes=${MEGABYTES:-1000}
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v python3 >/dev/null; then
  echo "no python3 here to compare with"
  exit 0
fi
scratch=$(mktemp -d)
export PODSMITH_STATE=$scratch/state HF_HOME=$scratch/hf
"$PODSMITH" sim --no-sshd --env-file "$scratch/env" --dir "$scratch/sim" >"$scratch/sim.log" 2>&1 &
sim=$!
trap 'kill "$sim" 2>/dev/null; wait "$sim" 2>/dev/null; rm -rf "$scratch"' EXIT
until [ -s "$scratch/env" ]; do sleep 0.1; done
set -a
# shellcheck source=/dev/null
. "$scratch/env"
set +a

# Chat rows of words whose frequencies fall off as in a language: they compress about as text does.
python3 - "$scratch/chat" "$megabytes" <<'PY'
import json, os, random, sys
random.seed(7)
words = ["".join(random.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(random.randint(2, 11))) for _ in range(20000)]
weights, total = [], 0
for i in range(len(words)):
    total += 1 / (i + 1)
    weights.append(total)
def text(count): return " ".join(random.choices(words, cum_weights=weights, k=count))
def block(count):
    return "".join(json.dumps({"messages": [{"role": "user", "content": text(random.randint(10, 60))},
                                            {"role": "assistant", "content": text(random.randint(20, 150))}],
                               "id": random.getrandbits(48)}) + "\n" for _ in range(count))
os.makedirs(sys.argv[1])
# Making text is slow: 100 MB of it, then the same rows again with other ids.
rows = block(1)
pieces, size = [], 0
while size < min(100, int(sys.argv[2])) * 1e6:
    pieces.append(block(1000))
    size += len(pieces[-1])
with open(sys.argv[1] + "/train.jsonl", "w") as out:
    written = 0
    while written < int(sys.argv[2]) * 1e6:
        random.shuffle(pieces)
        for piece in pieces:
            out.write(piece)
            written += len(piece)
            if written >= int(sys.argv[2]) * 1e6:
                break
with open(sys.argv[1] + "/val.jsonl", "w") as out:
    out.write(block(1000))
PY
printf 'hf.create_repo(hf.whoami().name .. "/bench", { kind = "dataset" }) print(hf.whoami().name)\n' >"$scratch/make.lua"
repo=$("$PODSMITH" run "$scratch/make.lua")/bench
cat "$scratch"/chat/* >/dev/null

# seconds COMMAND...: how long it took and the processor time it used, on standard output; the command's own output goes
# into the scratch folder.
seconds() {
  local TIMEFORMAT='%R %U %S'
  { time "$@" >"$scratch/out" 2>"$scratch/err"; } 2>"$scratch/time" || { cat "$scratch/out" "$scratch/err" >&2; exit 1; }
  awk '{ print $1, $2 + $3 }' "$scratch/time"
}
read -r check check_cpu < <(seconds "$PODSMITH" dataset validate "$scratch/chat")
read -r ours ours_cpu < <(seconds "$PODSMITH" dataset publish --repo-id "$repo" --dataset-dir "$scratch/chat" --version ours)
read -r plain plain_cpu < <(seconds python3 "$here/dataset_plain.py" "$scratch/chat" "$repo" plain)
size=$(du -cb "$scratch"/chat/* | tail -n 1 | cut -f1)
awk "BEGIN {
  printf \"%d MB of chat rows, %d processors              time   processor time\\n\", $size / 1e6, $(nproc)
  printf \"podsmith dataset validate (%4.0f MB/s)  %9.2f s  %9.2f s\\n\", $size / 1e6 / $check, $check, $check_cpu
  printf \"podsmith dataset publish               %9.2f s  %9.2f s\\n\", $ours, $ours_cpu
  printf \"the same in plain Python               %9.2f s  %9.2f s\\n\", $plain, $plain_cpu
  printf \"ratio                                  %9.1f    %9.1f\\n\", $plain / $ours, $plain_cpu / $ours_cpu
}"
