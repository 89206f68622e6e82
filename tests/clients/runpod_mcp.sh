#!/usr/bin/env bash
# Runpod's MCP server, driven over its stdin as an assistant drives it; REST v2.
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"
package=$(install_node @runpod/mcp-server 4.0.0) || skip_client "@runpod/mcp-server from npm"
# shellcheck source=tests/e2e/lib.sh
. "$clients/../e2e/lib.sh"
start_sim --no-sshd --boot 0.2 --stock 'NVIDIA B200=0'

check "the server's tools"
node "$clients/runpod_mcp.mjs" "$package/dist/stdio.mjs" >"$scratch/mcp.out" 2>"$scratch/mcp.err" ||
  fail "the MCP server's tools"
expect_text mcp.out "all tools done"

check "what the simulator saw"
pod=$(sed -n 's/^pod //p' "$scratch/mcp.out")
expect_state "$pod" name mcp-two
expect_state "$pod" status TERMINATED
expect_no_pods
was_called "POST /v2/pods/{id}/action" 1 || fail "the actions did not go to v2"
[ "$(calls "POST /v2/pods")" -eq 3 ] || fail "there were $(calls "POST /v2/pods") creates, not 3"
pass runpod_mcp
