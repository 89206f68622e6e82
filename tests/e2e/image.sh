#!/usr/bin/env bash
# podsmith image: what it writes is sound, what it runs is what it prints, and a failed build is one.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

image() {
  local label=$1
  shift
  start "$label" image "$@"
  exit_of "$label"
}

check "the folder and the commands"
image plain sft --tag example.com/me/openr1:1 --transformers-version 4.52.3 --custom-dependencies 'pkg>=1,<2'
[ "$exit_code" -eq 0 ] || fail "podsmith image failed"
expect_text plain.out "build --build-arg BASE=runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404 -t example.com/me/openr1:1 image"
expect_text plain.out "push example.com/me/openr1:1"
expect_text image/settings.sh "TRANSFORMERS='transformers==4.52.3'"
expect_text image/settings.sh "CUSTOM=('pkg>=1,<2')"
for name in common.sh settings.sh setup.sh; do
  grep -q "^COPY.* $name" image/Dockerfile || fail "the Dockerfile does not copy $name"
done
for file in image/*.sh; do bash -n "$file" || fail "$file is not bash"; done
if command -v shellcheck >/dev/null; then shellcheck -x image/*.sh >&3 || fail "shellcheck"; fi
pass "folder and commands"

check "build and push"
mkdir bin
cat >bin/docker <<'SH'
#!/bin/sh
echo "docker $*" >>calls
[ "$1" = build ] && [ -f broken ] && exit 3
exit 0
SH
chmod +x bin/docker
export PATH=$scratch/bin:$PATH
image push sft --push --engine docker --tag example.com/me/openr1:2 --image other/base:1
[ "$exit_code" -eq 0 ] || fail "build and push failed"
printf '%s\n' "docker build --build-arg BASE=other/base:1 -t example.com/me/openr1:2 image" \
  "docker push example.com/me/openr1:2" | diff - calls >&3 || fail "other calls than those"
touch broken
rm calls
image broken sft --push --engine docker --tag example.com/me/openr1:3
[ "$exit_code" -eq 1 ] || fail "a failed build ended with $exit_code"
expect_text broken.err "docker build ended with code 3"
grep -q push calls && fail "what was not built was pushed"
pass "build and push"

check "wrong usage"
image nameless
[ "$exit_code" -eq 2 ] || fail "no recipe: exit code $exit_code"
expect_text nameless.err "these have an image: grpo, sft"
image untagged sft --push
[ "$exit_code" -eq 2 ] || fail "--push without --tag: exit code $exit_code"
image misspelled sft --transformer-version 4
[ "$exit_code" -eq 2 ] || fail "a wrong flag: exit code $exit_code"
expect_text misspelled.err "did you mean --transformers-version?"
pass "wrong usage"
