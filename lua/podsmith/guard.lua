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
#   leave                                    go on watching, but not at later starts of the container
#   off                                      stop watching, also at later starts of the container
# An ACTION is terminate or stop.
set -u
home=${0%/*}

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

# The image's own tool may know a way that the key opens when REST v2 does not.
by_tool() { RUNPOD_API_KEY=$key runpodctl "$1" pod "$id" >>"$home/log" 2>&1; }

# try_to ACTION TRY: what cannot be stopped, because the pod does not allow it or the key is refused again and again, is
# terminated.
try_to() {
  if [ "$1" = stop ]; then
    status=$(call POST "/v2/pods/$id/action" '{"action":"stop"}')
    case $status in
    2*) return 0 ;;
    400 | 409 | 422) ;;
    4*)
      if by_tool stop; then return 0; fi
      [ "$status" != 429 ] && [ "$2" -ge 3 ] || return 1 ;;
    *) return 1 ;;
    esac
  fi
  status=$(call DELETE "/v2/pods/$id")
  case $status in 2* | 404) return 0 ;; esac
  by_tool remove
}

# finish ACTION REASON: until it has worked, or somebody has renewed the lease after all.
finish() {
  say "$2: $1 of pod $id"
  end_jobs
  [ "$1" != stop ] || mark_off # whoever starts it again holds no lease
  pause=2 try=1
  until try_to "$1" "$try"; do
    say "$1 failed (HTTP $status), trying again in $pause s"
    sleep "$pause"
    pause=$((pause < 60 ? pause * 2 : 60)) try=$((try + 1))
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
put_lease() {
  printf '%s\n' "$*" >"$home/lease.new" && mv "$home/lease.new" "$home/lease" && return
  echo "the lease cannot be written to $home" >&2
  exit 1
}

hold() {
  now=$(uptime)
  put_lease "$boot" $((now + $1)) "$2" $(($3 > 0 ? now + $3 : 0)) "$4"
  rm -f "$marker"
  if is_watched; then
    found=$(cat "$home/checked") # empty while the start command still tries the key
    echo "renewed ${found:-$(check)}"
    return
  fi
  detach=$(command -v setsid)
  RUNPOD_POD_ID=$id RUNPOD_API_KEY=$key RUNPOD_API_URL=$api $detach sh "$home/script" watch </dev/null >/dev/null 2>&1 &
  echo "$! $(start_of $!)" >"$home/pid"
  check >"$home/checked"
  echo "armed $(cat "$home/checked")"
}

case $1 in
boot) [ -e "$marker" ] || { set -- $(variable PODSMITH_LEASE); hold "$@"; } >>"$home/log" ;;
hold) shift; hold "$@" ;;
leave) mark_off && echo left ;;
off) put_lease "$boot" off - 0 -; mark_off; echo off ;;
watch) watch ;;
esac
]==]

-- Puts the script that comes on standard input where it runs from: a file system in memory where there is one, since a
-- full disk must not keep a lease from being renewed. By rename, since sh reads a running script bit by bit, from a name of
-- its own, since two may come at once. No quotes, no $$ and no $(: this text also stands in a start command, and start
-- commands have readers of their own.
local function install(verb)
  local new = "$h/new-" .. core.random_tag(8)
  return ("umask 077; for h in /dev/shm /run /tmp; do h=$h/podsmith-guard; mkdir -p $h 2>/dev/null && [ -w $h ] && break; done;"
    .. " cat >%s && mv %s $h/script && sh $h/script %s"):format(new, new, verb)
end

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
  body.args = ("bash -c '{ echo \"$PODSMITH_GUARD\" | base64 -d | { %s; }; } & exec \"$@\"' start %s"):format(install("boot"),
    body.args or "/start.sh")
  return true
end

-- ---- arming and renewing over SSH --------------------------------------------------------------------------------------

local PROBLEM = {
  ["no-key"] = { "it has no key of its own (RUNPOD_API_KEY)", "set lease = false (--lease off) to go without a guard" },
  ["no-tool"] = { "it has neither curl nor python3", "use an image with one of them, or go without a guard: lease = false (--lease off)" },
}

-- Said once a start of the container: what the guard found when it tried the pod's own key.
local function tell_armed(pod, how)
  pod.run:event("guard_armed", { pod = pod.id, lease = pod.lease.seconds, action = pod.lease.action, key_works = how == "200" })
  if how ~= "200" and not pod.said_unproven then
    pod.said_unproven = true
    core.log("warn", ("pod %s is guarded, but its own key may not be able to end it (the API answered %s); should this machine "
      .. "fail, look for the pod with podsmith reap"):format(pod.id, how))
  end
end

local function run_guard(session, verb, timeout)
  return session:exec(install(verb), { input = M.SCRIPT, timeout = timeout })
end

--- Arms the guard, or renews the lease. Waits. Raises remote when the pod cannot be guarded.
---@param pod podsmith.Pod with a lease and a session
---@param is_first? boolean the first time at this start of the container
function M.hold(pod, is_first)
  local words = terms(pod.lease, pod.run.limit:guard_seconds(), pod:gentle_end())
  local answer = run_guard(pod.link, "hold " .. words, 60)
  local how = answer.stdout:match("^%l+ (%S+)")
  local problem = PROBLEM[how]
  if answer.code ~= 0 or not how or problem then
    errors.raise("remote", ("pod %s cannot be guarded: %s"):format(pod.id,
      problem and problem[1] or "its shell said: " .. (answer.stderr .. answer.stdout):sub(1, 300)),
      problem and problem[2] or "lease = false (--lease off) goes without a guard", { status = answer.code })
  end
  pod.held_at = core.now()
  if is_first then tell_armed(pod, how) end
end

-- The verbs that take back: each answers with its own word.
local function take_back(pod, verb, word)
  local answer = run_guard(pod:session(30), verb, 30)
  if answer.stdout:match("^" .. word) then return end
  errors.raise("remote", ("the guard of pod %s does not obey: %s"):format(pod.id, answer.stderr), nil, { status = answer.code })
end

--- Disarms the guard of a pod that shall live on. Waits.
---@param pod podsmith.Pod
function M.off(pod) take_back(pod, "off", "off") end

--- Keeps the guard from being armed again by the next start of a pod that is about to be stopped; until then it watches.
--- Waits.
---@param pod podsmith.Pod
function M.leave(pod) take_back(pod, "leave", "left") end

-- A renewal that fails is tried again; when half a lease has gone by, it is said.
local function note_failure(pod, err)
  core.log("debug", ("the lease of pod %s was not renewed: %s"):format(pod.id, err.message))
  local silent = core.now() - (pod.held_at or pod.born)
  if silent < pod.lease.seconds / 2 or pod.said_unheld then return end
  pod.said_unheld = true
  core.log("warn", ("the lease of pod %s has not been renewed for %s; its guard ends it in %s: %s"):format(pod.id,
    show.duration(silent), show.duration(math.max(0, pod.lease.seconds - silent)), err.message))
end

-- Seconds between two looks: a machine that has slept through many of them must not lie down again first.
local NAP = 15

--- Renews the pod's lease as long as the pod is ours: runs as a task of the run. A link that is down is tried again, and so is
--- everything else: as long as the pod lives, giving up would end it.
---@param pod podsmith.Pod
function M.keep(pod)
  while pod.state == "created" do
    local due = (pod.held_at or -math.huge) + math.min(pod.lease.seconds / 4, 120)
    if not pod.is_resting and core.now() >= due then
      local _, err = errors.try(function()
        pod:session(pod.lease.seconds)
        M.hold(pod)
      end)
      if err then note_failure(pod, err) else pod.said_unheld = nil end
    end
    core.sleep(math.min(NAP, pod.lease.seconds / 12))
  end
end

return M
