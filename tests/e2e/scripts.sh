#!/usr/bin/env bash
# Scripts and recipes of the user's own, --dry-run and --render, JSON output, and exit codes.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --boot 0.2

# run_case CODE COMMAND...: its output is in case.out and case.err.
run_case() {
  local want=$1 code=0
  shift
  "$@" </dev/null >"$scratch/case.out" 2>"$scratch/case.err" || code=$?
  [ "$code" -eq "$want" ] || fail "exit code $code, not $want, of: $*"
}
expect_stdout() { [ "$(cat "$scratch/case.out")" = "$1" ] || fail "the output is not '$1'"; }
count_json() { "$PODSMITH" run "$e2e/json_lines.lua" <"$scratch/case.out"; }

check "a plain script: arguments, a module beside it, exit codes"
mkdir -p own/tools
cat >own/tools/greet.lua <<'LUA'
local M = {}
function M.hello(who) return "hello " .. who end
function M.broken(value) return value.field.deeper end
return M
LUA
cat >own/script.lua <<'LUA'
local greet = require("tools.greet")
local who, flag = ...
print(greet.hello(who), flag, #arg, arg[2])
LUA
run_case 0 "$PODSMITH" run own/script.lua world --shout
expect_stdout $'hello world\t--shout\t2\t--shout'
(cd own && "$PODSMITH" run script.lua again -x) >case.out
expect_stdout $'hello again\t-x\t2\t-x'

check "an error names the user's file and line, also in a module and in a task"
cat >own/broken.lua <<'LUA'
local greet = require("tools.greet")
local function work() greet.broken({}) end
task.all {
  function() task.sleep(0.01) end,
  function() work() return 1 end,
}
LUA
run_case 1 "$PODSMITH" run own/broken.lua
expect_text case.err "own/tools/greet.lua:3: attempt to index a nil value (field 'field')"
expect_text case.err "stack traceback:"
expect_text case.err "own/broken.lua:2: in upvalue 'work'"
expect_text case.err "own/broken.lua:5: in "

check "os.exit ends in order: what the script has rented is ended first"
cat >own/exit.lua <<'LUA'
local code, where = ...
runpod.create { name = "exit", gpu = "NVIDIA L40S", image = "podsmith-sim/no-container" }
local function leave() os.exit(tonumber(code)) end
if where == "task" then
  task.spawn(leave)
  task.sleep(600)
end
leave()
LUA
run_case 7 "$PODSMITH" run own/exit.lua 7
expect_no_pods
run_case 3 "$PODSMITH" run own/exit.lua 3 task
expect_no_pods
run_case 0 "$PODSMITH" run own/exit.lua 0
expect_no_pods
[ "$(pods_ever)" -eq 3 ] || fail "the scripts made $(pods_ever) pods, not 3"

check "a script that forgets its pod: it ends with the script"
echo 'runpod.create { name = "forgotten", gpu = "NVIDIA L40S", image = "podsmith-sim/no-container" }' >own/forget.lua
run_case 0 "$PODSMITH" run own/forget.lua
expect_no_pods

check "a recipe of one's own: help, flags, summary, JSON"
cat >own/hello.lua <<'LUA'
return recipe {
  name = "hello",
  summary = "Says what a rented computer is called.",
  params = {
    { "vram", "integer", default = 24, min = 1, help = "GB of GPU memory" },
    { "greeting", "choice", choices = { "hello", "goodbye" }, default = "hello", help = "what to say" },
    { "shout", "flag", help = "in capitals" },
    { "word", "list", help = "more words" },
  },
  run = function(ctx)
    local pod <close> = runpod.create {
      name = "hello", gpu = gpu.pick { vram = ctx.args.vram }, image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404",
    }
    pod:wait_ready()
    local text = ctx.args.greeting .. " " .. table.concat(ctx.args.word, " ") .. " from " .. pod:check("hostname")
    ctx:say("%s", ctx.args.shout and text:upper() or text)
    ctx:note("pod's name", pod.name)
  end,
}
LUA
run_case 0 "$PODSMITH" run own/hello.lua --help
for text in "usage: podsmith run hello [flags]" "Says what a rented computer is called." "--vram N" "GB of GPU memory [24]" \
  "--greeting hello|goodbye" "--shout" "--dry-run" "--json"; do expect_text case.out "$text"; done
run_case 2 "$PODSMITH" run own/hello.lua --shuot
expect_text case.err "did you mean --shout?"
run_case 2 "$PODSMITH" run own/hello.lua --vram 0
expect_text case.err "--vram must be at least 1, not 0"
run_case 2 "$PODSMITH" run own/hello.lua --env-file nosuch.env
run_case 0 "$PODSMITH" run own/hello.lua --greeting goodbye --shout --word cruel --word=world --vram=40
grep -qE 'GOODBYE CRUEL WORLD FROM [A-Z0-9]+$' case.out || fail "the recipe did not say it"
expect_text case.out "hello: done"
expect_text case.out "pod's name"
expect_no_pods
run_case 0 "$PODSMITH" run own/hello.lua --json
[ "$(count_json)" -ge 4 ] || fail "--json gave $(count_json) lines"
grep -q '"event":"pod_terminated"' case.out || fail "--json has no event pod_terminated"
expect_no_pods

check "a private key without its .pub will do"
(
  install -m 600 "$SSH_PRIVATE_KEY_PATH" own/key
  unset SSH_PUBLIC_KEY
  export SSH_PRIVATE_KEY_PATH=$scratch/own/key
  run_case 0 "$PODSMITH" run own/hello.lua
)
expect_no_pods

check "an error in a recipe of one's own names its line"
sed 's/pod:wait_ready()/pod:wait_redy()/' own/hello.lua >own/typo.lua
run_case 1 "$PODSMITH" run own/typo.lua
expect_text case.err "own/typo.lua:14: attempt to call a nil value (method 'wait_redy')"
expect_no_pods

check "grpo --dry-run and --render: a plan and files, no pod"
before=$(calls "POST /v2/pods")
run_case 0 "$PODSMITH" run grpo --dry-run --max-steps 3
cp case.out plan.out
run_case 0 "$PODSMITH" runs --limit 1
expect_text case.out "plan"
cp plan.out case.out
expect_text case.out "plan (nothing has been created):"
expect_text case.out "file grpo_config.yaml"
run_case 0 "$PODSMITH" run grpo --dry-run --json
[ "$(count_json)" -ge 2 ] || fail "--dry-run --json gave $(count_json) lines"
expect_text case.out '"event":"dry_run"'
run_case 0 "$PODSMITH" run grpo --render rendered --max-steps 3
for file in grpo_config.yaml accelerate.yaml setup.sh train.sh; do
  [ -s "rendered/$file" ] || fail "--render did not write $file"
done
bash -n rendered/setup.sh
bash -n rendered/train.sh
echo 'for _, name in ipairs { ... } do print(yaml.decode(fs.read(name)).max_steps) end' >own/yaml.lua
run_case 0 "$PODSMITH" run own/yaml.lua rendered/grpo_config.yaml rendered/accelerate.yaml
expect_stdout $'3\nnil'
if grep -qrF -e "$HF_TOKEN" -e "$RUNPOD_API_KEY" rendered; then fail "a rendered file holds a key"; fi
[ "$(calls "POST /v2/pods")" -eq "$before" ] || fail "a pod was asked for"

check "exec, logs and terminate from the command line"
cat >own/keep.lua <<'LUA'
local pod = runpod.create { name = "kept", gpu = "NVIDIA L40S", image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404" }
pod:wait_ready()
pod:keep()
print("id " .. pod.id)
LUA
run_case 0 "$PODSMITH" run own/keep.lua
pod=$(sed -n "s/^id //p" case.out)
expect_pods 1
run_case 7 "$PODSMITH" exec "$pod" -- sh -c 'exit 7'
# shellcheck disable=SC2016 # the pod's shell must not expand it either
run_case 0 "$PODSMITH" exec "$pod" -- printf '%s|' 'a b' "it's" '$HOME' '--help' ''
expect_stdout "a b|it's|\$HOME|--help||"
run_case 3 "$PODSMITH" exec "$pod" -- 'echo out; echo err >&2; exit 3'
expect_stdout out
expect_text case.err err
run_case 0 "$PODSMITH" logs "$pod" --tail 50
[ -s case.out ] || fail "the pod's log is empty"

check "JSON of ps, gpus, runs and reap"
run_case 0 "$PODSMITH" ps --json
[ "$(query 'v[1].id' <case.out)" = "$pod" ] || fail "ps --json does not have pod $pod"
run_case 0 "$PODSMITH" gpus --vram 48 --json
[ "$(query '#v.candidates > 0 and v.candidates[1].memory >= 48' <case.out)" = true ] || fail "gpus --json has no GPU of 48 GB"
run_case 0 "$PODSMITH" runs --json --limit 3
[ "$(query '#v' <case.out)" -eq 3 ] || fail "runs --json --limit 3 has $(query '#v' <case.out) runs"
run_case 0 "$PODSMITH" reap --json
[ "$(query 'v.kept .. " " .. #v.ended' <case.out)" = "1 0" ] || fail "reap --json does not know the kept pod"
run_case 0 "$PODSMITH" reap --kept --yes --json
[ "$(query 'v.ended[1]' <case.out)" = "$pod" ] || fail "reap --kept --json did not end pod $pod"
expect_no_pods
run_case 0 "$PODSMITH" ps --json
expect_stdout '[]'
pass scripts
