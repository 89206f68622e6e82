#!/bin/bash
# Simulator: first process of a simulated pod. Runs the start command, and moves the SSH server when told to.
# Its stdin is held by the simulator: lines are orders, end of file means that the simulator has gone.
exec 3<&0 </dev/null

# Ends every sshd and what its sessions run; jobs that were put in a session of their own live on.
cut_sshd() {
    local listener session server
    listener=$(cat /run/sshd.pid 2>/dev/null) || return
    server=$(ps -o comm= -p "$listener")
    for session in $(pgrep -x "$server"); do
        [ "$session" = "$listener" ] && continue
        for leader in $(pgrep -P "$session"); do
            [ "$(ps -o comm= -p "$leader")" = "$server" ] || pkill -KILL -s "$leader"
        done
        [ "$server" = sshd ] || pkill -KILL -s "$session" # commands of Dropbear are in the connection's session
    done
    pkill -KILL -x "$server"
    rm -f /run/sshd.pid
    /opt/podsmith-sim/sshd.sh
}

obey() {
    while read -r order <&3; do
        case $order in
        move) cut_sshd </dev/null ;;
        end) kill -TERM -1 ;; # all but this shell
        esac
    done
    kill -KILL -1
}

mapfile -d '' -t start_command </opt/podsmith-sim/command
obey &
exec 3<&-
trap : TERM # not for us: the pod lives as long as its command (which gets the default again)
"${start_command[@]}" &
command=$!
wait "$command"
code=$?
while kill -0 "$command" 2>/dev/null; do # a trapped signal ended the wait
    wait "$command"
    code=$?
done
exit $code
