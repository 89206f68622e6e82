#!/usr/bin/env bash
# podsmith money and podsmith templates: balance, burn rate, spend by day and by run, as tables and as JSON.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --no-sshd --boot 0 --balance 50
near() { query "math.abs(($1) - ($2)) < ${3:-0.001}" | grep -qx true; }

check "an account on which nothing runs"
"$PODSMITH" money >empty.out
expect_text empty.out '50.00'
expect_text empty.out '0.0000/h'

check "what runs now: a pod, a stopped pod's disk, a volume"
cat >rent.lua <<'LUA'
local pod = runpod.create { name = "one", gpu = "NVIDIA L40S", image = "podsmith-sim/no-container", lease = false, start_ssh = false }
pod:keep()
local other = runpod.create { name = "two", gpu = "NVIDIA L40S", image = "podsmith-sim/no-container", lease = false,
  start_ssh = false, volume = { size = 73 } }
other:stop()
other:keep()
LUA
"$PODSMITH" run rent.lua >rent.out
"$PODSMITH" volumes create data --size 100 --data-center EU-RO-1 >volume.out
"$PODSMITH" money --json >money.json
price=$(sim_state | query 'v.pods[1].cost_per_hour')
near v.now.pods "$price + 73 * 0.2 / 730" <money.json || fail "pods burn $(query v.now.pods <money.json)"
near v.now.volumes "100 * 0.07 / 730" <money.json || fail "volumes burn $(query v.now.volumes <money.json)"
near v.hours_left "v.account.balance / v.now.total" 0.1 <money.json || fail "the balance's hours"

check "spend by day and by run is the simulator's bill"
near 'v.days[1].total' 'v.days[1].pods + v.days[1].volumes' 0.000001 <money.json || fail "the day does not add up: $(cat money.json)"
near 'v.days[1].volumes' "100 * 0.07 / 730" <money.json || fail "the volume's first hour"
[ "$(query '#v.runs' <money.json)" -eq 1 ] || fail "there is one run"
[ "$(query 'v.runs[1].pods' <money.json)" -eq 2 ] || fail "it rented two pods"
near 'v.runs[1].billed' 'v.days[1].pods' 0.01 <money.json || fail "the run's bill: $(cat money.json)"
near 'v.runs[1].counted' 'v.runs[1].billed' 0.05 <money.json || fail "counted and billed are far apart: $(cat money.json)"
"$PODSMITH" money >money.out
for text in 'DAY (UTC)' 'RUN' 'COUNTED' 'rent ' 'lasts'; do expect_text money.out "$text"; done

check "another machine sees the bill without the runs"
PODSMITH_STATE=$scratch/other "$PODSMITH" money --json >other.json
[ "$(query '#v.runs' <other.json)" -eq 0 ] || fail "runs from nowhere"
near v.other v.days[1].pods 0.01 <other.json || fail "what others spent: $(cat other.json)"

check "templates"
"$PODSMITH" templates >none.out
expect_text none.out "no templates"
cat >template.lua <<'LUA'
runpod.templates.create { name = "mine", image = "runpod/base:0.7.0", disk = 15, env = { TOKEN = "hush-hush" }, ports = { "22/tcp" },
  volume = { size = 20, path = "/data" } }
LUA
"$PODSMITH" run template.lua
"$PODSMITH" templates >templates.out
expect_text templates.out "runpod/base:0.7.0"
expect_text templates.out "20 GB at /data"
"$PODSMITH" templates list --json >templates.json
[ "$(query 'v[1].env.TOKEN' <templates.json)" = "***" ] || fail "a template's variables were shown"
"$PODSMITH" templates --source official >official.out
expect_text official.out "nvidia"
"$PODSMITH" templates --filter nothing-like-it >filtered.out
expect_text filtered.out "no templates"
if "$PODSMITH" templates delete mine </dev/null 2>ask.err; then fail "deleted without an answer"; fi
"$PODSMITH" templates delete mine --yes >delete.out
expect_text delete.out "deleted"

check "an account whose GraphQL is gone still knows what it burns"
stop_sim
start_sim --no-sshd --graphql gone
"$PODSMITH" money >gone.out 2>gone.err
expect_text gone.out '0.0000/h'
expect_text gone.err "not told: balance"
pass money
