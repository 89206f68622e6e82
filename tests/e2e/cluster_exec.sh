#!/usr/bin/env bash
# A cluster's members: waited for, one command on all of them, with Runpod's variables in their environment.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --boot 0.5
cat >train.lua <<'LUA'
local cluster <close> = runpod.clusters.create {
  name = "twins", type = "TRAINING", gpu = "NVIDIA L40S", gpu_count = 2, pod_count = 2, disk = 10, start_ssh = true,
  image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404",
}
cluster:wait_ready { timeout = "3m" }
for rank, out in ipairs(cluster:exec("echo $NODE_RANK of $NUM_NODES, $WORLD_SIZE GPUs, primary $PRIMARY_ADDR=$MASTER_ADDR; exit $NODE_RANK")) do
  print(("member %d: %s(%d)"):format(rank - 1, out.stdout:gsub("\n", " "), out.code))
end
local again = cluster:exec("cat /proc/sys/kernel/hostname")
assert(#again == 2 and again[1].stdout ~= again[2].stdout)
LUA
"$PODSMITH" run train.lua >train.out 2>train.err || fail "the cluster's script"
expect_text train.out "member 0: 0 of 2, 4 GPUs, primary 127."
expect_text train.out "member 1: 1 of 2, 4 GPUs, primary 127."
expect_text train.out "(1)"
expect_no_pods
pass cluster_exec
