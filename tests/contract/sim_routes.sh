#!/usr/bin/env bash
# Calls every route of the simulator's REST v2 with curl and has check_openapi.py judge bodies and answers.
# PODSMITH: the program; PYTHON: an interpreter with jsonschema (default python3, else Debian's). Exit code 77: cannot run here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
"$python" -c 'import jsonschema' 2>/dev/null || python=/usr/bin/python3
podsmith=${PODSMITH:-$here/../../build/podsmith}
command -v curl >/dev/null || { echo "skipped: curl is missing"; exit 77; }
command -v "$python" >/dev/null || { echo "skipped: $python is missing"; exit 77; }

scratch=$(mktemp -d)
"$podsmith" sim --no-sshd --boot 0 --env-file "$scratch/env" --record "$scratch/calls" --fault 'GET /v2/billing:status:503@2' \
  >"$scratch/sim.log" 2>&1 &
sim=$!
trap 'kill "$sim" 2>/dev/null; wait "$sim" 2>/dev/null; rm -rf "$scratch"' EXIT
until [ -s "$scratch/env" ]; do
  kill -0 "$sim" || { cat "$scratch/sim.log"; exit 1; }
  sleep 0.1
done
set -a
# shellcheck disable=SC1091
. "$scratch/env"
set +a

# call METHOD PATH STATUS [BODY]: the answer on stdout; another status ends the test.
call() {
  local answer status
  # The key goes by stdin: it is not to be seen in the process list.
  answer=$(printf 'header = "Authorization: Bearer %s"\n' "$RUNPOD_API_KEY" |
    curl -sS -K - -X "$1" -m 20 -w '\n%{http_code}' -H 'Content-Type: application/json' ${4:+--data-binary "$4"} "$RUNPOD_API_URL$2")
  status=${answer##*$'\n'}
  [ "$status" = "$3" ] || { echo "$1 $2: want $3, got $status: ${answer%$'\n'*}" >&2; exit 1; }
  printf '%s\n' "${answer%$'\n'*}"
}
field() { "$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

catalogue() {
  local with='include=AVAILABILITY&product=POD'
  for path in gpus "gpus?$with" "gpus/NVIDIA%20L40S?$with&minCudaVersion=12" cpus "cpus?$with" "cpus/cpu5c?$with&vcpuCount=4" \
    datacenters 'datacenters?include=GPU_AVAILABILITY,CPU_AVAILABILITY' 'datacenters/EU-RO-1?include=GPU_AVAILABILITY' \
    templates 'templates?source=community'; do
    call GET "/v2/catalog/$path" 200
  done
  call GET "/v2/catalog/gpus?include=AVAILABILITY" 400
  call GET "/v2/catalog/gpus/none" 404
}

account() {
  call PUT /v2/account/ssh-keys 200 '{"keys":["ssh-ed25519 AAAA me"]}'
  call PUT /v2/account/ssh-keys 422 '{"keys":["nonsense"]}'
  call GET /v2/account/ssh-keys 200
}

templates() {
  template=$(call POST /v2/templates 201 '{"name":"t","image":"i","env":{"A":"1"},"mounts":{"persistent":{"size":10,"path":"/d"}}}' | field id)
  call POST /v2/templates 422 '{"name":"t","image":"i","volume":1}'
  call GET /v2/templates 200
  call GET "/v2/templates/$template" 200
  call PATCH "/v2/templates/$template" 200 '{"disk":12,"allowedCudaVersions":["12.8"]}'
}

registries() {
  registry=$(call POST /v2/registries 201 '{"name":"r","username":"u","password":"p"}' | field id)
  call GET /v2/registries 200
  call GET "/v2/registries/$registry" 200
  local delegation
  delegation=$(call POST /v2/registries/delegations 201 '{"resource":"arn:aws:ecr:us-east-2:418399314813:repository/a/b"}' | field id)
  call GET /v2/registries/delegations 200
  call DELETE "/v2/registries/delegations/$delegation" 204
}

volumes() {
  volume=$(call POST /v2/network-volumes 201 '{"name":"v","size":10,"dataCenter":"US-KS-2"}' | field id)
  call GET /v2/network-volumes 200
  call GET "/v2/network-volumes/$volume" 200
  call PATCH "/v2/network-volumes/$volume" 200 '{"size":20}'
  call PATCH "/v2/network-volumes/$volume" 400 '{"size":10}'
  call PATCH "/v2/network-volumes/$volume" 422 '{}'
}

pods() {
  local gpu='"gpu":{"id":"NVIDIA L40S","count":1}' pod cpu
  pod=$(call POST /v2/pods 201 "{\"name\":\"a\",\"image\":\"i\",\"disk\":20,\"ports\":[\"22/tcp\",\"8888/http\"],\"registry\":\"$registry\",
    \"mounts\":{\"network\":[{\"volumeId\":\"$volume\",\"path\":\"/workspace\"}]},\"startSsh\":true,$gpu}" | field id)
  call POST /v2/pods 201 "{\"name\":\"b\",\"templateId\":\"$template\",$gpu}"
  cpu=$(call POST /v2/pods 201 '{"name":"c","image":"i","disk":10,"cpu":{"id":"cpu3g","vcpuCount":2}}' | field id)
  call POST /v2/pods 422 "{\"image\":\"i\",$gpu}"
  call POST /v2/pods 422 "{\"name\":\"d\",\"templateId\":\"sim-worker\",$gpu}"
  call POST /v2/pods 400 "{\"name\":\"d\",\"image\":\"i\",$gpu}"
  call GET '/v2/pods?includeClusterPods=true' 200
  call GET "/v2/pods/$pod" 200
  call GET "/v2/pods/$cpu" 200
  call PATCH "/v2/pods/$pod" 200 '{"name":"e","env":{"K":"v"},"registry":null,"globalNetworking":true}'
  call PATCH "/v2/pods/$pod" 422 '{"gpu":{}}'
  for action in stop start restart; do call POST "/v2/pods/$pod/action" 200 "{\"action\":\"$action\"}"; done
  call POST "/v2/pods/$pod/action" 422 '{"action":"reset"}'
  call DELETE "/v2/network-volumes/$volume" 400
  # The stream never ends by itself: curl is ended, which is no failure here.
  printf 'header = "Authorization: Bearer %s"\n' "$RUNPOD_API_KEY" | curl -s -K - -m 1 "$RUNPOD_API_URL/v2/pods/$pod/logs" || true
  call POST "/v2/pods/$cpu/action" 204 '{"action":"terminate"}'
  call POST "/v2/pods/$pod/action" 200 '{"action":"stop"}'
  call POST "/v2/pods/$pod/action" 409 '{"action":"stop"}'
  call DELETE "/v2/pods/$pod" 204
  call GET "/v2/pods/$pod" 404
}

clusters() {
  local cluster
  cluster=$(call POST /v2/clusters 201 '{"name":"c","type":"SLURM","image":"i","disk":20,"ports":["22/tcp"],
    "compute":{"gpuTypeId":"NVIDIA L4","gpuCountPerPod":1,"podCount":2}}' | field id)
  call GET /v2/clusters 200
  call GET "/v2/clusters/$cluster" 200
  call GET "/v2/clusters/$cluster/pods" 200
  call PATCH "/v2/clusters/$cluster" 200 '{"name":"d"}'
  call PATCH "/v2/clusters/$cluster" 422 '{}'
  call DELETE "/v2/clusters/$cluster" 204
}

billing() {
  for path in '' /pods /serverless /endpoints /network-volumes /clusters; do
    call GET "/v2/billing$path" 200
  done
  call GET '/v2/billing' 503
  call GET '/v2/billing?bucketSize=month&lastN=2' 200
  call GET '/v2/billing?bucketSize=minute' 422
}

goodbye() {
  call DELETE "/v2/network-volumes/$volume" 204
  call DELETE "/v2/registries/$registry" 204
  call DELETE "/v2/templates/$template" 204
}

for part in catalogue account templates registries volumes pods clusters billing goodbye; do
  $part >>"$scratch/answers"
done
"$python" "$here/check_openapi.py" "$scratch/calls" --all-routes
