#!/usr/bin/env bash
# A thousand pods are watched by one program within the account's rate limit of 60 requests a minute, and one that
# vanishes is noticed.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --boot 0.1 --no-sshd
control POST /_sim/pods '{"count": 1000, "pod": {"name": "many", "image": "any/image:1", "disk": 10,
  "gpu": {"id": "NVIDIA L40S", "count": 1}}}' >/dev/null
[ "$(pods_left)" -eq 1000 ] || fail "the simulator has $(pods_left) pods, not 1000"

cat >watch.lua <<'LUA'
local pods = runpod.list()
print("watching " .. #pods)
local scope <close> = task.scope()
for _, pod in ipairs(pods) do
  scope:spawn(function()
    local ok, err = pcall(pod.until_lost, pod)
    if not ok and err.kind == "lost" then print("lost " .. pod.id) elseif not ok then error(err, 0) end
  end)
end
task.sleep(tonumber(arg[1]))
print("watched")
LUA

check "a thousand pods, more than a minute"
before=$(calls 'GET /v2/pods')
start watch run watch.lua 66
wait_text watch "watching 1000"
sleep 20
id=$(live_pod)
control POST "/_sim/pods/$id/vanish" >/dev/null
wait_text watch "lost $id"
expect_exit watch 0
expect_text watch.out "watched"
[ "$(grep -c '^lost ' watch.out)" -eq 1 ] || fail "more than one pod was called lost"
made=$(($(calls 'GET /v2/pods') - before))
# 66 s at the default quota are 66 requests; half of it is for watching.
[ "$made" -le 60 ] || fail "$made list calls in 66 s"
[ "$made" -ge 10 ] || fail "only $made list calls in 66 s: nobody watched"
grep -q 429 watch.err && fail "the rate limit was hit"
pass "watch: $made list calls in 66 s for 1000 pods"
