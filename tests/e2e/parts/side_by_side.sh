# shellcheck shell=bash
# Cases that wait more than they work, several at once. Sourced, not run.

# side_by_side SCRIPT COUNT: runs the script once for each line of the standard input, whose words are parted by tabs, so many
# at a time (JOBS says otherwise). Each has a simulator and a journal of its own. Gives 77 when none could run here, 1 when one
# failed.
side_by_side() {
  local codes
  codes=$(mktemp)
  export case_script=$1 case_codes=$codes
  # shellcheck disable=SC2317 # called by xargs
  run_one() {
    local words code=0
    IFS=$'\t' read -r -a words <<<"$1"
    bash "$case_script" "${words[@]}" 2>&1 || code=$?
    echo "$code" >>"$case_codes"
  }
  export -f run_one
  # shellcheck disable=SC2016 # expanded by the inner shell
  tr '\n' '\0' | xargs -0 -P "${JOBS:-$2}" -I{} bash -c 'run_one "$0"' {}
  local failed skipped all
  all=$(wc -l <"$codes")
  skipped=$(grep -cx 77 "$codes" || true)
  failed=$(grep -cvxE '0|77' "$codes" || true)
  rm -f "$codes"
  [ "$failed" -eq 0 ] || return 1
  [ "$skipped" -lt "$all" ] || return 77
}
