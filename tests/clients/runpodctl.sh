#!/usr/bin/env bash
# Runpod's command line: GraphQL for create, account, catalogue and SSH; REST v1 for the rest. RUNPODCTL names a program
# that is there already.
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"
ctl=${RUNPODCTL:-$(command -v runpodctl || install_go github.com/runpod/runpodctl latest)} ||
  skip_client "runpodctl from the Go module proxy (or name one with RUNPODCTL=)"
# shellcheck source=tests/e2e/lib.sh
. "$clients/../e2e/lib.sh"
start_sim --no-sshd --boot 0.2 --stock 'NVIDIA B200=0'
# The one variable that has two meanings: ours has no version in it, runpodctl's is the base of v1.
ctl() { RUNPOD_API_URL=$RUNPOD_API_URL/v1 "$ctl" "$@" </dev/null; }
# run NAME ARGUMENTS...: output in NAME.out and NAME.err; the command must succeed.
run() {
  local label=$1
  shift
  ctl "$@" >"$scratch/$label.out" 2>"$scratch/$label.err" || fail "runpodctl $*"
}
ssh_is_up() {
  run ssh ssh info "$pod"
  grep -qF '"ssh_command"' "$scratch/ssh.out"
}

check "account, GPUs, data centers"
run user user
expect_json user.out v.email sim@example.com
expect_json user.out 'v.clientBalance > 99' true
run gpus gpu list
expect_json gpus.out '(function() for _, g in ipairs(v) do if g.gpuId == "NVIDIA L40S" then return g.stockStatus end end end)()' High
expect_json gpus.out '(function() for _, g in ipairs(v) do if g.gpuId == "NVIDIA B200" then return "listed" end end return "hidden" end)()' hidden
run centers datacenter list
expect_json centers.out v[1].id EU-RO-1

check "create, list, get"
run create pod create --name ctl-one --gpu-id "NVIDIA L40S" --image podsmith-sim/no-container --ports 22/tcp,8888/http \
  --env '{"A":"1"}' --volume-in-gb 20
pod=$(json create.out v.id)
expect_json create.out v.desiredStatus RUNNING
expect_json create.out v.machine.gpuDisplayName L40S
expect_state "$pod" name ctl-one
run list pod list
expect_json list.out '#v' 1
expect_json list.out v[1].id "$pod"
run get pod get "$pod"
expect_json get.out v.name ctl-one
expect_json get.out v.env.A 1
expect_json get.out 'table.concat(v.ports, " ")' "22/tcp 8888/http"

check "the SSH address"
wait_until 60 ssh_is_up
expect_json ssh.out v.port "$(state_of "$pod" ssh_port)"

check "rename, stop, start, restart, reset"
run update pod update "$pod" --name ctl-two
expect_state "$pod" name ctl-two
run stop pod stop "$pod"
expect_json stop.out v.desiredStatus EXITED
expect_state "$pod" status EXITED
run start pod start "$pod"
expect_json start.out v.desiredStatus RUNNING
expect_state "$pod" status RUNNING
run restart pod restart "$pod"
run reset pod reset "$pod"
expect_state "$pod" status RUNNING

check "the old commands"
run old_list get pod
expect_text old_list.out "$pod"
run old_stop stop pod "$pod"
expect_text old_stop.out stopped
run old_start start pod "$pod"
expect_state "$pod" status RUNNING
run old_spot create pod --name ctl-spot --gpuType "NVIDIA L40S" --imageName podsmith-sim/no-container \
  --containerDiskSize 10 --secureCloud
expect_pods 2
run old_remove remove pods ctl-spot
expect_pods 1

check "account keys"
ssh-keygen -q -t ed25519 -N "" -C ctl-key -f "$scratch/id" || skip "no ssh-keygen"
run add_key ssh add-key --key-file "$scratch/id.pub"
run keys ssh list-keys
expect_text keys.out ctl-key

check "templates, volumes, registry logins"
run template template create --name ctl-template --image podsmith-sim/no-container --ports 22/tcp --env '{"A":"1"}'
template=$(json template.out v.id)
run templates template list --type user
expect_text templates.out "$template"
run official template list --type official
expect_json official.out 'v[1].isRunpod' true
run from_template pod create --name ctl-three --template-id "$template" --gpu-id "NVIDIA L40S"
expect_json from_template.out v.imageName podsmith-sim/no-container
run delete_three pod delete "$(json from_template.out v.id)"
run delete_template template delete "$template"
run volume network-volume create --name ctl-volume --size 20 --data-center-id EU-RO-1
volume=$(json volume.out v.id)
expect_json volume.out v.dataCenterId EU-RO-1
run volumes network-volume list
expect_text volumes.out "$volume"
run on_volume pod create --name ctl-four --image podsmith-sim/no-container --gpu-id "NVIDIA L40S" \
  --network-volume-id "$volume"
expect_json on_volume.out v.machine.location RO
run delete_four pod delete "$(json on_volume.out v.id)"
run delete_volume network-volume delete "$volume"
run login registry create --name ctl-login --username user --password secret-word
run logins registry list
expect_text logins.out ctl-login
run delete_login registry delete "$(json login.out v.id)"

check "a CPU pod, by REST v1"
run cpu pod create --name ctl-cpu --compute-type cpu --image podsmith-sim/no-container --container-disk-in-gb 10
expect_json cpu.out v.vcpuCount 2
run delete_cpu pod delete "$(json cpu.out v.id)"

check "what it has cost"
run billing billing pods --grouping podId
expect_text billing.out "$pod"

check "refusals"
if ctl pod create --gpu-id "NVIDIA B200" --image x >"$scratch/none.out" 2>"$scratch/none.err"; then fail "a B200 was had"; fi
expect_text none.err "no longer any instances available"
if ctl pod get none >"$scratch/unknown.out" 2>"$scratch/unknown.err"; then fail "an unknown pod was had"; fi
expect_text unknown.err "status 404"

check "delete"
run delete pod delete "$pod"
expect_state "$pod" status TERMINATED
expect_no_pods
pass runpodctl
