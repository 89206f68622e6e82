#!/usr/bin/env bash
# Datasets on the simulated Hub: published, listed, fetched; read by other programs; refused with file and line; a publish that
# is interrupted leaves nothing half-published; an archive that is hostile leaves nothing half-unpacked.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --no-sshd
lua() { printf '%s\n' "$1" >script.lua && "$PODSMITH" run script.lua; }
user=$(lua 'print(hf.whoami().name)')
export HF_DATASET_REPO_ID=$user/games
podsmith() { "$PODSMITH" "$@" >last.out 2>last.err || fail "podsmith $*"; }
refused() { if "$PODSMITH" "$@" >last.out 2>last.err; then fail "podsmith $* did not fail"; fi; }
head_commit() { lua "local info = try(hf.dataset_info, '$user/games'); print(info and info.sha or 'none')"; }
commits() {
  lua "local answer = http.request { url = hf.endpoint() .. '/api/datasets/$user/games/commits/main?limit=100', bearer = hf.token() }
    print(#json.decode(answer.body))"
}
rows() { seq "$1" "$2" | sed 's/.*/{"context":[&,1],"next":&}/'; }

mkdir -p ds/more other
rows 1 3000 >ds/train.jsonl
rows 3001 3100 >ds/val.jsonl
printf '{"rows":3100,"note":null}' >ds/stats.json
head -c 300000 /dev/urandom >ds/more/noise.bin
printf '{"prompt":"a","chosen":"b","rejected":"c"}\n' >other/train.jsonl
printf '{"prompt":"d","chosen":"e","rejected":"f"}\n' >other/val.jsonl

check "what is wrong is refused with file and line, before the repository is made"
mkdir bad
cp ds/train.jsonl bad/
: >bad/val.jsonl
refused dataset publish --dataset-dir bad
expect_text last.err "bad/val.jsonl: has no rows"
printf '{"context":1}\n{"context":\n' >bad/val.jsonl
refused dataset publish --dataset-dir bad
expect_text last.err "bad/val.jsonl:2:12: syntax error"
printf '{"context":1}\n{"context":"\xff"}\n' >bad/val.jsonl
refused dataset validate bad
expect_text last.out "val.jsonl:2:13: invalid UTF-8"
refused dataset validate bad --json
[ "$(query 'v.defects[1].line' <last.out)" = 2 ] || fail "no line in the JSON"
refused dataset publish --datset-dir bad
expect_text last.err "did you mean --dataset-dir?"
refused dataset pubish
expect_text last.err "did you mean 'publish'?"
refused dataset publish --dataset-dir ds --repo-id "$user/games" --dry-run --version ../v
podsmith dataset publish --dataset-dir ds --dry-run
[ "$(head_commit)" = none ] || fail "the repository was made"
pass "three kinds of defects, two slips of the keyboard, and a dry run"

check "publish, with every field of the manifest"
podsmith dataset publish --dataset-dir ds --version 20260227T044455Z --json
lua "print(hf.read('$user/games', 'validated_datasets/ds/20260227T044455Z/manifest.json', { kind = 'dataset' }))" >manifest.json
expect() { [ "$(query "$1" <manifest.json)" = "$2" ] || fail "manifest: $1 is not $2: $(cat manifest.json)"; }
expect v.schema_version 1
expect v.kind chess-bot-validated-dataset
expect 'v.created_at_utc:match("^%d+-%d+-%d+T%d+:%d+:%d+Z$") ~= nil' true
expect v.dataset_name ds
expect v.version 20260227T044455Z
expect v.source_dir ds
expect v.file_count 4
expect v.total_bytes "$(cat ds/*.* ds/more/* | wc -c)"
expect v.dataset_format splice_rows_legacy
expect 'v.required_files_present["train.jsonl"] and v.required_files_present["val.jsonl"]' true
expect v.stats_json.rows 3100
expect v.distribution.mode archive
expect v.distribution.archive_name ds_20260227T044455Z.tar.gz
expect 'v.files[1].path' more/noise.bin
expect 'v.files[4].size_bytes' "$(wc -c <ds/val.jsonl)"
expect 'v.files[4].sha256' "$(sha256sum ds/val.jsonl | cut -d' ' -f1)"
grep -q '"runtime_splice_cache": null' manifest.json || fail "no runtime_splice_cache"
grep -q '"note": null' manifest.json || fail "stats.json came through changed"
lua "print(hf.dataset_info('$user/games').private)" >private.out
expect_text private.out true
refused dataset publish --dataset-dir ds --version 20260227T044455Z
expect_text last.err "has version 20260227T044455Z of ds already"
pass "the manifest is whole, the repository private, and a version is not published twice"

check "other programs read it"
podsmith dataset fetch --dataset-name ds --dest-dir raw --no-extract-archive
archive=raw/ds/20260227T044455Z/ds_20260227T044455Z.tar.gz
gzip -t "$archive" || fail "gzip -t"
mkdir by_tar
tar -xzf "$archive" -C by_tar || fail "tar"
diff -r ds by_tar/dataset >diff.out || fail "tar unpacked something else: $(cat diff.out)"
(cd by_tar/dataset && sha256sum --strict -c "$scratch/raw/ds/20260227T044455Z/checksums.sha256" >/dev/null) || fail "sha256sum -c"
if command -v python3 >/dev/null; then
  python3 - "$archive" raw/ds/20260227T044455Z/manifest.json <<'PY' || fail "Python does not read it"
import hashlib, json, sys, tarfile
manifest = json.load(open(sys.argv[2]))
wanted = {"dataset/" + f["path"]: (f["size_bytes"], f["sha256"]) for f in manifest["files"]}
for mode in ("r:gz", "r|gz"):
    found = {}
    with tarfile.open(sys.argv[1], mode) as archive:
        for member in archive:
            if member.isfile():
                content = archive.extractfile(member).read()
                found[member.name] = (len(content), hashlib.sha256(content).hexdigest())
    assert found == wanted, (mode, found)
PY
fi
pass "gzip, tar, sha256sum and Python's tarfile agree"

check "fetch, and fetch again"
podsmith dataset fetch --dataset-name ds --dest-dir data --output-manifest fetched.json
diff -r ds data/ds/20260227T044455Z/dataset >diff.out || fail "fetched something else: $(cat diff.out)"
podsmith dataset fetch --dataset-name ds --dest-dir data --json
[ "$(query 'v.datasets[1].unchanged' <last.out)" = true ] || fail "fetched although it was there"
printf x >>data/ds/20260227T044455Z/dataset/val.jsonl
touch data/ds/20260227T044455Z/dataset/stray
podsmith dataset fetch --dataset-name ds --dest-dir data
expect_text last.err "fetching it again"
diff -r ds data/ds/20260227T044455Z/dataset >diff.out || fail "old and new were mixed: $(cat diff.out)"
refused dataset fetch --dataset-name dss --dest-dir data
expect_text last.err "did you mean 'ds'?"
pass "the same bytes; what was changed here was replaced whole"

check "all latest, as archives and as files"
rows 1 10 >>ds/train.jsonl
podsmith dataset publish --dataset-dir ds --version validated-20260301T000000Z --commit-message "second"
podsmith dataset publish --dataset-dir other --archive-format none --version v1
podsmith dataset list --json
[ "$(query 'v[1].name .. v[1].latest .. #v[1].versions .. v[2].name' <last.out)" = dsvalidated-20260301T000000Z2other ] || fail "list: $(cat last.out)"
podsmith dataset fetch --all-latest --dest-dir all --output-manifest fetched.json
fetched() { [ "$(query "$1" <fetched.json)" = "$2" ] || fail "$1 is not $2: $(cat fetched.json)"; }
fetched '#v.datasets' 2
fetched v.repo_type dataset
fetched v.all_latest true
fetched v.repo_path_prefix validated_datasets
fetched 'v.datasets[1].repo_path' validated_datasets/ds/validated-20260301T000000Z
fetched 'v.datasets[1].dataset_format' splice_rows_legacy
fetched 'v.datasets[1].distribution_mode' archive
fetched 'v.datasets[1].stats_json_present' true
fetched 'v.datasets[1].manifest_present' true
fetched 'v.datasets[1].copied_entries' 4
fetched 'v.datasets[2].distribution_mode' files
fetched 'v.datasets[2].dest_dir' "$scratch/all/other/v1/dataset"
fetched 'v.datasets[2].train_path' "$scratch/all/other/v1/dataset/train.jsonl"
fetched v.aggregate.dataset_count 2
fetched v.aggregate.val_count 2
fetched 'v.aggregate.train_paths[2]' "$scratch/all/other/v1/dataset/train.jsonl"
fetched v.aggregate_by_format.unknown.train_count 1
fetched v.aggregate_by_format.splice_rows_legacy.dataset_count 1
diff -r ds all/ds/validated-20260301T000000Z/dataset >diff.out || fail "not the latest: $(cat diff.out)"
diff -r other all/other/v1/dataset >diff.out || fail "the files differ: $(cat diff.out)"
pass "both, with paths by format"

check "prune deletes older versions of the same dataset in the same commit"
rows 1 5 >>ds/train.jsonl
podsmith dataset publish --dataset-dir ds --version validated-20260302T000000Z --prune
podsmith dataset list --json
[ "$(query '#v[1].versions .. v[1].latest .. v[2].name' <last.out)" = 1validated-20260302T000000Zother ] || fail "prune: $(cat last.out)"
pass "one version is left, and the other dataset"

check "a publish that is interrupted leaves nothing half-published"
before=$(head_commit) count=$(commits)
rows 1 7 >>ds/train.jsonl
fault 'POST /api/datasets/*:delay:60'
start interrupted dataset publish --dataset-dir ds --version v3 --no-create-repo
is_packed() { compgen -G "$PODSMITH_STATE/datasets/*/ds_v3.tar.gz" >/dev/null; }
wait_until 60 is_packed
kill -INT "${pid_of[interrupted]}"
expect_exit interrupted 130
[ -z "$(ls "$PODSMITH_STATE/datasets")" ] || fail "the archive was left behind"
start killed dataset publish --dataset-dir ds --version v3 --no-create-repo
wait_until 60 is_packed
{ kill -KILL "${pid_of[killed]}"; exit_of killed; } 2>/dev/null
no_faults
[ "$(head_commit)" = "$before" ] || fail "something was committed"
fault 'POST /api/datasets/*commit*:drop_after@1'
podsmith dataset publish --dataset-dir ds --version v3 --verbose
no_faults
[ "$(commits)" -eq $((count + 1)) ] || fail "$(commits) commits, where there were $count"
[ -z "$(ls "$PODSMITH_STATE/datasets")" ] || fail "the archive of the killed one is still there"
podsmith dataset fetch --dataset-name ds --version v3 --dest-dir three
diff -r ds three/ds/v3/dataset >diff.out || fail "v3 differs: $(cat diff.out)"
pass "Ctrl-C and kill -9 committed nothing; a lost answer committed once"

check "a hostile archive is refused and leaves nothing"
mkdir -p evil/dataset && cp -r ds/. evil/dataset && ln -s /etc/passwd evil/dataset/link
tar -C evil -czf evil.tar.gz dataset
lua "hf.upload('$user/games', { { path = 'validated_datasets/ds/v3/ds_v3.tar.gz', file = 'evil.tar.gz' } }, { kind = 'dataset', message = 'evil' })"
refused dataset fetch --dataset-name ds --version v3 --dest-dir evil.out
expect_text last.err "ds_v3.tar.gz: dataset/link is a link; a dataset holds files and folders only"
[ ! -e evil.out/ds/v3/dataset ] || fail "something was unpacked"
[ -z "$(find evil.out -name '.podsmith-part*')" ] || fail "a stage was left"
head -c 1000 evil.tar.gz >cut.tar.gz
lua "hf.upload('$user/games', { { path = 'validated_datasets/ds/v3/ds_v3.tar.gz', file = 'cut.tar.gz' } }, { kind = 'dataset', message = 'cut' })"
refused dataset fetch --dataset-name ds --version v3 --dest-dir evil.out
expect_text last.err "ds_v3.tar.gz: is cut short"
lua "hf.upload('$user/games', { { path = 'validated_datasets/ds/v3/checksums.sha256', text = 'x' } }, { kind = 'dataset', message = 'sums' })"
refused dataset fetch --dataset-name ds --version v3 --dest-dir evil.out
expect_text last.err "line 1 of checksums.sha256 is no checksum"
pass "a link, a cut archive, wrong checksums"
