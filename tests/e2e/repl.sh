#!/usr/bin/env bash
# The shell in a real terminal (tmux): values, history, several lines, tasks in the background, Ctrl-C, Ctrl-D, and that
# the pods rented there end with it. Then without a terminal: -e and a pipe.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

command -v tmux >/dev/null || skip "tmux is not installed: apt-get install tmux"

export TMUX_TMPDIR=$scratch/tmp
unset TMUX
in_tmux() { tmux -L repl -f /dev/null "$@"; }
screen() { in_tmux capture-pane -p -J -S -2000 -t "$1" 2>/dev/null; }

# open_shell NAME FLAGS...: podsmith repl in a terminal of its own; its exit code is printed when it ends.
open_shell() {
  name=$1
  shift
  in_tmux new-session -d -s "$name" -x 110 -y 45 \
    "$(printf '%q ' "$PODSMITH" repl "$@"); echo \"ended with code \$?\"; exec sleep 600"
  wait_until 60 has_prompts 1
}
press() { in_tmux send-keys -t "$name" "$@"; }
type_text() { in_tmux send-keys -t "$name" -l -- "$1"; }

shows() { screen "$name" | grep -qF -- "$1"; }
shows_line() { screen "$name" | grep -qxF -- "$1"; }
count_lines() { screen "$name" | grep -cxF -- "$1" || true; }
has_lines() { [ "$(count_lines "$2")" -ge "$1" ]; }
count_prompts() { screen "$name" | grep -c '^podsmith> ' || true; }
has_prompts() { [ "$(count_prompts)" -ge "$1" ]; }

say_screen() {
  screen "$name" | tail -n 30 >&2
  fail "$1"
}
expect_line() { wait_until 60 shows_line "$1"; }
expect_shown() { wait_until 60 shows "$1"; }

# enter TEXT: types it and waits until the shell asks again.
enter() {
  local before
  before=$(count_prompts)
  type_text "$1"
  press Enter
  wait_until 90 has_prompts $((before + 1))
}

in_tmux new-session -d -s first 'exec sleep 900'
children+=("$(in_tmux display-message -p '#{pid}')") # the tmux server; its terminals end with it

check "expressions, statements, tables, errors (--sim)"
open_shell plain --sim
expect_shown "help() lists what there is"
enter '6*7'
expect_line 42
enter 'answer = 40; answer = answer + 2'
enter 'answer, "text", nil'
expect_line '"text"'
enter '{ gpus = 2, names = { "a", "b" } }'
expect_line '{ gpus = 2, names = { "a", "b" } }'
enter '#runpod.gpus() > 3'
expect_line true
enter 'nosuch.field'
expect_shown "attempt to index a nil value (global 'nosuch')"
enter 'error("on purpose")'
expect_shown "shell:1: on purpose"
enter 'runpod.get("nosuchpod")'
expect_shown "nosuchpod"
enter 'x = = 2'
expect_shown "unexpected symbol near '='"

check "several lines"
type_text 'for i = 1, 3 do'
press Enter
expect_line '       .. '
type_text 'total = (total or 0) + i'
press Enter
type_text 'end total = total * 100'
press Enter
enter 'total'
expect_line 600

check "history: arrow up brings the last line back"
enter '11*11'
before=$(count_lines 121)
press Up
wait_until 30 shows_line "podsmith> 11*11"
press Enter
wait_until 60 has_lines $((before + 1)) 121

check "tasks go on at the prompt, and what they print leaves the typed text alone"
enter 'task.spawn(function() for i = 1, 600 do count = i print("tick " .. i) task.sleep(0.5) end end)'
expect_line "tick 1"
type_text '1234'
expect_shown 'podsmith> 1234'
seen=$(screen "$name" | grep -c '^tick ')
more_ticks() { [ "$(screen "$name" | grep -c '^tick ')" -gt $((seen + 2)) ]; }
wait_until 60 more_ticks
type_text '*2'
press Enter
expect_line 2468
enter 'count > 2'
wait_until 60 has_lines 2 true

check "Ctrl-C ends the call and not the shell"
type_text 'print("sleep begins") task.sleep(1000)'
press Enter
expect_line "sleep begins"
press C-c
expect_line interrupted
enter '7*8'
expect_line 56
seen=$(screen "$name" | grep -c '^tick ')
wait_until 60 more_ticks # Ctrl-C was for the call alone

check "Ctrl-C at the prompt drops the line"
type_text 'this would be wrong ('
expect_shown 'podsmith> this would be wrong ('
press C-c
enter '9*9'
expect_line 81
if shows "near 'would'"; then say_screen "the dropped line was evaluated"; fi

check "Ctrl-D leaves with code 0"
press C-d
expect_line "ended with code 0"

check "pods: shown in one line, live, ended with the shell"
start_sim --boot 0.3
# The tmux server keeps the variables that it was started with.
for variable in RUNPOD_API_URL RUNPOD_API_KEY HF_ENDPOINT HF_TOKEN SSH_PRIVATE_KEY_PATH SSH_PUBLIC_KEY; do
  in_tmux set-environment -g "$variable" "${!variable}"
done
open_shell pods
enter 'pod = runpod.create { name = "shell", gpu = "NVIDIA L40S", image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404" }'
enter 'pod:wait_ready()'
expect_shown '1 x NVIDIA L40S RUNNING'
enter 'pod:exec({ "expr", "40", "+", "3" }).stdout'
expect_line '"43\n"'
enter 'runpod.list()'
expect_shown '{ pod '
type_text 'print("waits") pod:exec("sleep 1000")'
press Enter
expect_line waits
press C-c
wait_until 60 shows_line interrupted
enter 'pod:exec({ "expr", "40", "+", "4" }).stdout'
expect_line '"44\n"'
expect_pods 1
press C-d
wait_until 90 shows 'ended with code'
shows_line "ended with code 0" || say_screen "the shell did not end with code 0"
expect_no_pods

check "history is kept for the next time, readable by its owner alone"
[ "$(stat -c %a "$PODSMITH_STATE/history")" = 600 ] || fail "the history file has mode $(stat -c %a "$PODSMITH_STATE/history")"
open_shell again
press Up
expect_shown 'podsmith> pod:exec({ "expr", "40", "+", "4" })'
press C-c
type_text 'exit'
press Enter
expect_line "ended with code 0"

check "-e and a pipe"
expect_output() { # WANT COMMAND...
  local want=$1 got
  shift
  got=$("$@" 2>"$scratch/piped.err") || fail "$* ended with code $?: $(cat "$scratch/piped.err")"
  [ "$got" = "$want" ] || fail "$*: '$got', not '$want'"
}
piped() { printf '%b' "$1" | "$PODSMITH" repl; }
expect_output 2 "$PODSMITH" repl -e '1+1'
expect_output $'3\n{ a = 1 }' "$PODSMITH" repl -e 'x = 3' -e x -e '{ a = 1 }'
expect_output $'5\n10' piped 'x = 5\nx\nfor i = 1, 5 do\nx = x + 1\nend\nx'
code=0
"$PODSMITH" repl -e 'error("on purpose")' >"$scratch/e.out" 2>"$scratch/e.err" || code=$?
[ "$code" -eq 1 ] || fail "a failed -e ended with code $code"
expect_text e.err "on purpose"
code=0
printf 'error("first")\n"second"\n' | "$PODSMITH" repl >"$scratch/f.out" 2>"$scratch/f.err" || code=$?
[ "$code" -eq 1 ] || fail "a pipe with a failed statement ended with code $code"
expect_text f.err first
expect_text f.out second
pass repl
