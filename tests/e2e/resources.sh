#!/usr/bin/env bash
# Every Runpod resource through its Lua primitive. Where the published document and Python's jsonschema are at hand, the
# bodies that podsmith sent are judged against it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --boot 0.3 --record "$scratch/calls"
start resources run "$e2e/parts/resources.lua"
expect_exit resources 0
expect_text resources.out "every resource works"
expect_no_pods
grep -rqF very-secret-password "$PODSMITH_STATE" resources.out resources.err && fail "the registry's password was written"
pass "resources"

judged=0
grep -vF '"/graphql"' calls >v2_calls # the document is v2's
python=python3 # one that has jsonschema, which may be Debian's own
python3 -c 'import jsonschema' 2>/dev/null || python=/usr/bin/python3
"$python" "$e2e/../contract/check_openapi.py" v2_calls >judge.out 2>&1 || judged=$?
case $judged in
  0) pass "bodies: $(tail -n 1 judge.out)" ;;
  77) echo "skipped: $(tail -n 1 judge.out)" ;;
  *) fail "the document disagrees: $(cat judge.out)" ;;
esac
