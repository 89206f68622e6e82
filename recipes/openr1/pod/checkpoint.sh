#!/bin/bash
# checkpoint.sh REPO REVISION FOLDER: fetches a checkpoint from the Hub, so that the trainer finds it in its folder and goes
# on from it. checkpoint.list has a line "SIZE PATH" for each file of FOLDER.
{ set +x; } 2>/dev/null
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

repo=$1 revision=$2 folder=$3
base=${HF_ENDPOINT:-https://huggingface.co}/$repo/resolve/$revision/$folder
part=$OUTPUT_DIR/$folder.part
read_token

# The token goes by a pipe, and curl drops it when the Hub sends it to another host.
fetch() {
  printf 'header = "Authorization: Bearer %s"\n' "$token" |
    curl -K - -fsSL --retry 5 --retry-delay 3 --create-dirs -o "$part/$1" "$base/$1"
}

rm -rf "$part"
mkdir -p "$part"
while read -r size file; do
  echo "fetching $file"
  fetch "$file"
  have=$(stat -c %s "$part/$file")
  if [ "$size" != - ] && [ "$have" != "$size" ]; then stop "$file came with $have bytes of $size"; fi
done <"$here/checkpoint.list"
global_step=$(sed -n 's/.*"global_step": *\([0-9][0-9]*\).*/\1/p' "$part/trainer_state.json" | head -n 1)
if [ -z "$global_step" ]; then stop "the checkpoint on the Hub does not say its step"; fi
rm -rf "$OUTPUT_DIR/checkpoint-$global_step"
mv "$part" "$OUTPUT_DIR/checkpoint-$global_step"
printf '%s\n' "$RUN" >"$OUTPUT_DIR.run"
echo "the checkpoint of step $global_step is in place"
