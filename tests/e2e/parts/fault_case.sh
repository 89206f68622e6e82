#!/usr/bin/env bash
# One cell of the matrix of faults.sh: fault_case.sh CALL KIND FAULT... Prints "CALL KIND OUTCOME"; fails when the run
# neither succeeds nor ends in one clear error, or when a pod is left.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

call=$1 kind=$2
shift 2

# Every call to Runpod that a recipe makes.
case $call in
  cluster-*) cat >work.lua <<'LUA' ;;
local cluster <close> = runpod.clusters.create { name = "fault", type = "APPLICATION", gpu = "NVIDIA L40S", gpu_count = 1,
  pod_count = 2, disk = 10, ports = { "22/tcp" }, start_ssh = true, image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404" }
cluster:wait_ready { timeout = "3m" }
print(cluster:exec("echo works")[2].stdout)
assert(#runpod.clusters.list() == 1)
print("all done")
LUA
  *) cat >work.lua <<'LUA' ;;
local pod <close> = runpod.create { name = "fault", gpu = gpu.pick { vram = 40 },
  image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404", volume = { size = 20 } }
pod:wait_ready { timeout = "3m" }
print(pod:check("echo works"))
pod:refresh()
pod:stop()
print("all done")
LUA
esac

start_sim --boot 0.3
for spec in "$@"; do fault "$spec"; done
start work run work.lua
exit_of work
no_faults
errors=$(grep -c '^error: ' work.err || true)
case $exit_code in
  0)
    has_text work.out "all done" || fail "$call $kind: success without the work"
    outcome=success ;;
  1)
    [ "$kind" != none ] || fail "$call: it fails without a fault"
    [ "$errors" -eq 1 ] || fail "$call $kind: $errors error lines"
    grep -q '^  hint: ' work.err || fail "$call $kind: an error without a hint"
    outcome="error: $(sed -n 's/^error: //p' work.err)" ;;
  *) fail "$call $kind: exit code $exit_code" ;;
esac
expect_no_pods
printf '%-20s %-16s %s\n' "$call" "$kind" "${outcome:0:140}"
