--- The guard on the pod: a small shell process that ends its own pod, with the pod's own key, when nobody renews the
--- pod's lease. What this program promises about money holds also when this program, or its machine, is gone.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local show = require("podsmith.show")

local M = {}

--- Seconds that a pod lives on without word from here, where nobody says otherwise: long enough for a nap of the laptop.
M.DEFAULT = 3600

-- POSIX sh with curl or python3. Everything is relative to the kernel's uptime and to this start of the container: a
-- changed clock moves no lease, and one that lies on a volume from another start means nothing. The key goes to curl by
-- a pipe and to python3 by its environment, so that no process list shows it.
M.SCRIPT = [==[
# podsmith's guard: ends this pod when its lease runs out. Runs as $home/script.
#   boot                                     arm from PODSMITH_LEASE, at the first start of the container
#   hold SECONDS ACTION LIMIT LIMIT_ACTION   arm, or renew. LIMIT: seconds until the end whatever is renewed, 0 for none
#   off                                      stop watching, also at later starts of the container
# An ACTION is terminate or stop.
set -u
home=/run/podsmith-guard
mkdir -p "$home" 2>/dev/null && [ -w "$home" ] || { home=/tmp/podsmith-guard; mkdir -p "$home"; }
chmod 700 "$home"

variable() {
  eval "value=\${$1-}"
  [ -n "$value" ] || value=$(tr '\0' '\n' </proc/1/environ 2>/dev/null | sed -n "s/^$1=//p" | head -n 1)
  printf '%s' "$value"
}
uptime() { read -r up rest </proc/uptime; echo "${up%%.*}"; }
start_of() {
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -- ${stat##*) }
  echo "${20}"
}
boot=$(cat /proc/sys/kernel/random/boot_id)/$(start_of 1)
id=$(variable RUNPOD_POD_ID)
key=$(variable RUNPOD_API_KEY)
api=$(variable RUNPOD_API_URL)
api=${api:-https://api.runpod.io}
marker=/workspace/.podsmith/guard-off-$id

say() {
  echo "podsmith guard: $*" >>"$home/log"
  echo "podsmith guard: $*" >/proc/1/fd/1
} 2>/dev/null

# call METHOD PATH [BODY]: prints the HTTP status, 000 when there was no answer.
call() {
  if command -v curl >/dev/null 2>&1; then
    printf 'header = "Authorization: Bearer %s"\n' "$key" |
      curl -K - -sS -m 20 -o /dev/null -w '%{http_code}' -A podsmith-guard -H 'Content-Type: application/json' \
        -X "$1" ${3:+-d "$3"} "$api$2" 2>>"$home/log"
  else
    GUARD_KEY=$key python3 - "$@" "$api" <<'PYTHON' 2>>"$home/log"
import os, sys, urllib.error, urllib.request
method, path, body, api = sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 4 else "", sys.argv[-1]
request = urllib.request.Request(api + path, body.encode() or None, method=method, headers={
    "Authorization": "Bearer " + os.environ["GUARD_KEY"], "Content-Type": "application/json", "User-Agent": "podsmith-guard"})
try:
    print(urllib.request.urlopen(request, timeout=20).status)
except urllib.error.HTTPError as refused:
    print(refused.code)
except OSError as problem:
    print("000")
PYTHON
  fi
}

# How things stand, as one word: for the one who arms it.
check() {
  if [ -z "$id" ] || [ -z "$key" ]; then
    echo no-key
  elif ! command -v curl >/dev/null 2>&1 && ! command -v python3 >/dev/null 2>&1; then
    echo no-tool
  else
    call GET "/v2/pods/$id"
  fi
}

is_watched() { read -r pid start <"$home/pid" && [ "$(start_of "$pid")" = "$start" ]; } 2>/dev/null

read_lease() {
  read -r of_boot e a l la <"$home/lease" && [ "$of_boot" = "$boot" ] && [ -n "$la" ] || return 1
  expires=$e action=$a limit=$l limit_action=$la
} 2>/dev/null

# Work is told to end first, so that it can write what it has.
end_jobs() {
  for file in /workspace/.podsmith/jobs/*/pid; do
    read -r pid start <"$file" && [ "$(start_of "$pid")" = "$start" ] && kill -s TERM -- "-$pid"
  done 2>/dev/null
  sleep 5
}

try_to() {
  if [ "$1" = stop ]; then
    status=$(call POST "/v2/pods/$id/action" '{"action":"stop"}')
    case $status in 2*) return 0 ;; 400 | 409 | 422) ;; *) return 1 ;; esac # what cannot be stopped is terminated
  fi
  status=$(call DELETE "/v2/pods/$id")
  case $status in 2* | 404) return 0 ;; esac
  # The image's own tool may know a way that this key opens.
  RUNPOD_API_KEY=$key runpodctl remove pod "$id" >>"$home/log" 2>&1
}

# finish ACTION REASON: until it has worked, or somebody has renewed the lease after all.
finish() {
  say "$2: $1 of pod $id"
  end_jobs
  [ "$1" != stop ] || mark_off # whoever starts it again holds no lease
  pause=2
  until try_to "$1"; do
    say "$1 failed (HTTP $status), trying again in $pause s"
    sleep "$pause"
    pause=$((pause < 60 ? pause * 2 : 60))
    if [ "$3" = lease ] && read_lease && [ "$expires" != off ] && [ "$(uptime)" -lt "$expires" ]; then return; fi
  done
  say "$1 done"
  sleep 60
}

watch() {
  read_lease || exit 1
  while [ "$expires" != off ]; do
    now=$(uptime)
    if [ "$limit" -gt 0 ] && [ "$now" -ge "$limit" ]; then
      finish "$limit_action" "the run's limit is reached" limit
    elif [ "$now" -ge "$expires" ]; then
      finish "$action" "the lease has run out" lease
    fi
    sleep 1
    read_lease
  done
}

mark_off() { mkdir -p "${marker%/*}" && : >"$marker"; }
put_lease() { printf '%s\n' "$*" >"$home/lease.new" && mv "$home/lease.new" "$home/lease"; }

hold() {
  now=$(uptime)
  put_lease "$boot" $((now + $1)) "$2" $(($3 > 0 ? now + $3 : 0)) "$4"
  if is_watched; then
    echo renewed
    return
  fi
  detach=$(command -v setsid)
  RUNPOD_POD_ID=$id RUNPOD_API_KEY=$key RUNPOD_API_URL=$api $detach sh "$home/script" watch </dev/null >/dev/null 2>&1 &
  echo "$! $(start_of $!)" >"$home/pid"
  echo "armed $(check)"
}

case $1 in
boot)
  # Later starts are another matter: somebody has stopped the pod and started it again, and arms it when they log in.
  born=$(variable PODSMITH_BORN)
  [ $(($(date +%s) - ${born:-0})) -gt 1800 ] || [ -e "$marker" ] || { set -- $(variable PODSMITH_LEASE); hold "$@"; } >>"$home/log" ;;
hold) shift; hold "$@" ;;
off) put_lease "$boot" off - 0 -; mark_off; echo off ;;
watch) umask 077; watch ;;
esac
]==]

-- Puts the script that comes on standard input where it runs from; by rename, since sh reads a running script bit by bit.
-- No $$, $( or quotes: this text also stands in a start command, and start commands have readers of their own.
local INSTALL = "h=/run/podsmith-guard; mkdir -p $h 2>/dev/null && [ -w $h ] || h=/tmp/podsmith-guard; mkdir -p $h"
  .. " && cat >$h/new && mv $h/new $h/script && sh $h/script "

-- ---- leases -------------------------------------------------------------------------------------------------------

---@class podsmith.Lease
---@field seconds number how long the pod lives on without word from here
---@field action "terminate"|"stop" what the guard does then

--- A lease from what people write: seconds, "90m", {seconds=|ttl=, action=}; nil for the default; false or "off" for none.
--- Raises invalid.
---@param value nil|false|number|string|table
---@return podsmith.Lease?
function M.lease(value)
  if value == false or value == "off" then return nil end
  local options = type(value) == "table" and errors.check_options(value, { "ttl", "seconds", "action" }, "lease") or {}
  if type(value) ~= "table" then options.ttl = value end
  local seconds = errors.seconds(options.ttl or options.seconds or M.DEFAULT, "lease")
  local action = options.action or "terminate"
  if seconds < 10 then
    errors.raise("invalid", ("a lease of %g s is shorter than the 10 s that it takes to renew one"):format(seconds),
      "an hour is the default; 'off' goes without")
  end
  if action ~= "terminate" and action ~= "stop" then
    errors.raise("invalid", ("a lease ends with 'terminate' or 'stop', not '%s'"):format(tostring(action)))
  end
  return { seconds = seconds, action = action }
end

-- The words after `hold`: the lease, and the run's own limit, which holds even when the lease is renewed.
local function terms(lease, limit, limit_action)
  return ("%d %s %d %s"):format(math.ceil(lease.seconds), lease.action, limit and math.max(1, math.ceil(limit)) or 0,
    limit_action or "terminate")
end

-- ---- arming at the container's start ---------------------------------------------------------------------------------

-- Images whose start command is known to be /start.sh: another's would be lost by putting ours in its place.
local function has_known_start(image)
  return image:match("^runpod/base[:@]") ~= nil or image:match("^runpod/pytorch[:@]") ~= nil
end

--- Puts the guard into the start of a pod that is about to be created: it is armed before anybody has logged in. Only
--- for images whose start command is known; others are armed at the first login.
---@param body table of POST /v2/pods; `args` and `env` are changed
---@param lease podsmith.Lease
---@param limit? number seconds
---@param limit_action? string
---@return boolean armed
function M.arm_at_boot(body, lease, limit, limit_action)
  if not body.image or body.templateId or not has_known_start(body.image) then return false end
  body.env.PODSMITH_GUARD = core.base64(M.SCRIPT)
  body.env.PODSMITH_LEASE = terms(lease, limit, limit_action)
  body.env.PODSMITH_BORN = tostring(math.floor(core.utc()))
  body.args = ("bash -c '{ echo \"$PODSMITH_GUARD\" | base64 -d | { %s boot; }; } & exec \"$@\"' start %s"):format(INSTALL,
    body.args or "/start.sh")
  return true
end

-- ---- arming and renewing over SSH --------------------------------------------------------------------------------------

local PROBLEM = {
  ["no-key"] = { "it has no key of its own (RUNPOD_API_KEY)", "set lease = false (--lease off) to go without a guard" },
  ["no-tool"] = { "it has neither curl nor python3", "use an image with one of them, or go without a guard: lease = false (--lease off)" },
}

local function tell_armed(pod, how)
  local seconds = show.duration(pod.lease.seconds)
  local fields = { pod = pod.id, lease = pod.lease.seconds, action = pod.lease.action, key_works = how == "200" }
  pod.run:event("guard_armed", fields)
  if how ~= "200" and not pod.said_unproven then
    pod.said_unproven = true
    core.log("warn", ("pod %s is guarded, but its own key may not be able to end it (the API answered %s); should this machine "
      .. "fail, look for the pod with podsmith reap after %s"):format(pod.id, how, seconds))
  end
end

--- Arms the guard, or renews the lease. Waits. Raises remote when the pod cannot be guarded.
---@param pod podsmith.Pod with a lease and a session
function M.hold(pod)
  local words = terms(pod.lease, pod.run.limit:guard_seconds(), pod:gentle_end())
  local answer = pod.link:exec(INSTALL .. "hold " .. words, { input = M.SCRIPT, timeout = 60 })
  if answer.stdout:match("^renewed") then return end
  local how = answer.stdout:match("^armed (%S+)")
  local problem = PROBLEM[how]
  if not how or problem then
    errors.raise("remote", ("pod %s cannot be guarded: %s"):format(pod.id,
      problem and problem[1] or "its shell said: " .. (answer.stderr .. answer.stdout):sub(1, 300)),
      problem and problem[2] or "lease = false (--lease off) goes without a guard", { status = answer.code })
  end
  tell_armed(pod, how)
end

--- Disarms the guard of a pod that shall live on. Waits.
---@param pod podsmith.Pod
function M.off(pod)
  local answer = pod:session(30):exec(INSTALL .. "off", { input = M.SCRIPT, timeout = 30 })
  if not answer.stdout:match("^off") then
    errors.raise("remote", ("the guard of pod %s cannot be switched off: %s"):format(pod.id, answer.stderr), nil,
      { status = answer.code })
  end
end

--- Renews the pod's lease as long as the pod is ours: runs as a task of the run. A link that is down is tried again.
---@param pod podsmith.Pod
function M.keep(pod)
  while pod.state == "created" do
    local held, err = errors.try(function()
      pod:session(pod.lease.seconds)
      M.hold(pod)
      return true
    end)
    if err then
      core.log("debug", ("the lease of pod %s was not renewed: %s"):format(pod.id, err.message))
      if err.kind == "lost" or err.kind == "auth" or err.kind == "host_key" then return end
    end
    core.sleep(math.min(pod.lease.seconds / (held and 4 or 12), held and 120 or 30))
  end
end

return M
