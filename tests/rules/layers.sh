#!/usr/bin/env bash
# The direction of dependency, read from the includes: each folder of host/ may use those named here and itself.
# design.md: base <- net <- ssh, runpod, hf <- lua <- app; gpu, config and journal stand on base alone,
# dataset on base and config.
set -euo pipefail
cd "$(dirname "$0")/../.."

declare -A MAY=(
  [base]="" [gpu]="base" [config]="base" [dataset]="base config" [journal]="base" [net]="base" [term]="base net" [ssh]="base net" [sync]="base net ssh"
  [runpod]="base net" [s3]="base net" [hf]="base net" [lua]="base gpu config dataset journal net term ssh sync runpod s3 hf"
  [app]="base net lua sim"
)
bad=0
for folder in "${!MAY[@]}"; do
  while IFS=: read -r file line text; do
    used=$(sed -E 's/.*"([a-z0-9]+)\/.*/\1/' <<<"$text")
    case " ${MAY[$folder]} $folder " in
      *" $used "*) ;;
      *) echo "$file:$line: host/$folder must not include $used/"; bad=1 ;;
    esac
  done < <(grep -rnE '#include "[a-z0-9]+/' "host/$folder" 2>/dev/null || true)
done
if grep -rnE '#include "(lua|app|ssh|runpod|s3|hf)/' sim --include='*.[ch]pp'; then
  echo "sim/ must not include host/lua, app, ssh, runpod, s3 or hf: it is the second implementation of the contract"
  bad=1
fi
if grep -rnE 'lua\.hpp|lauxlib' host sim --include='*.[ch]pp' | grep -v '^host/lua/'; then
  echo "only host/lua may see Lua"
  bad=1
fi
if grep -rnE 'podsmith\.core' recipes; then
  echo "a recipe must use podsmith's modules, not the natives"
  bad=1
fi
if grep -rnE 'require.*"recipes' lua; then
  echo "lua/ must not know a recipe"
  bad=1
fi
exit $bad
