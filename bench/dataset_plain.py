"""Publishes a dataset as one would write it in plain Python: the same checks, archive, manifest and commit as
`podsmith dataset publish`, with the standard library only. Arguments: folder, repository, version.
HF_ENDPOINT and HF_TOKEN as for every client of the Hub."""
import base64
import hashlib
import io
import json
import os
import sys
import tarfile
import tempfile
import time
import urllib.request

folder, repo, version = sys.argv[1:4]
endpoint, token = os.environ["HF_ENDPOINT"], os.environ["HF_TOKEN"]
name = os.path.basename(os.path.abspath(folder))
base = f"validated_datasets/{name}/{version}"


def call(method, url, body=None, kind="application/json", auth=True):
    request = urllib.request.Request(url, data=body, method=method)
    request.add_header("Content-Type", kind)
    if auth:
        request.add_header("Authorization", "Bearer " + token)
    with urllib.request.urlopen(request) as answer:
        return answer.read(), answer.headers


def step(what, begin):
    print(f"  {what}: {time.monotonic() - begin:.2f} s", file=sys.stderr)
    return time.monotonic()


clock = time.monotonic()
paths = sorted(os.path.relpath(os.path.join(at, file), folder) for at, _, files in os.walk(folder) for file in files)
for path in paths:
    if path.endswith(".jsonl"):
        with open(os.path.join(folder, path), encoding="utf-8") as rows:
            for number, row in enumerate(rows, 1):
                if row.strip() and not isinstance(json.loads(row), dict):
                    sys.exit(f"{path}:{number}: no object")
clock = step("rows", clock)

files = []
for path in paths:
    digest = hashlib.sha256()
    with open(os.path.join(folder, path), "rb") as content:
        while piece := content.read(1 << 20):
            digest.update(piece)
    files.append({"path": path, "size_bytes": os.path.getsize(os.path.join(folder, path)), "sha256": digest.hexdigest()})
clock = step("hashes", clock)

archive_name = f"{name}_{version}.tar.gz"
archive = os.path.join(tempfile.mkdtemp(), archive_name)
with tarfile.open(archive, "w:gz") as tar:
    tar.add(folder, arcname="dataset")
clock = step("archive", clock)

manifest = {
    "schema_version": 1, "kind": "chess-bot-validated-dataset",
    "created_at_utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "dataset_name": name, "version": version,
    "source_dir": name, "file_count": len(files), "total_bytes": sum(file["size_bytes"] for file in files),
    "dataset_format": "unknown", "runtime_splice_cache": None,
    "required_files_present": {"train.jsonl": "train.jsonl" in paths, "val.jsonl": "val.jsonl" in paths},
    "stats_json": None, "files": files, "distribution": {"mode": "archive", "archive_name": archive_name},
}
digest = hashlib.sha256()
with open(archive, "rb") as content:
    while piece := content.read(1 << 20):
        digest.update(piece)
oid, size = digest.hexdigest(), os.path.getsize(archive)
batch, _ = call("POST", f"{endpoint}/datasets/{repo}.git/info/lfs/objects/batch",
                json.dumps({"operation": "upload", "transfers": ["basic", "multipart"], "hash_algo": "sha256",
                            "objects": [{"oid": oid, "size": size}]}).encode(), "application/vnd.git-lfs+json")
upload = json.loads(batch)["objects"][0].get("actions", {}).get("upload")
with open(archive, "rb") as content:
    if upload and "chunk_size" in upload.get("header", {}):
        parts = []
        for key in sorted(key for key in upload["header"] if key.isdigit()):
            _, headers = call("PUT", upload["header"][key], content.read(int(upload["header"]["chunk_size"])),
                              "application/octet-stream", auth=False)
            parts.append({"partNumber": int(key), "etag": headers["ETag"]})
        call("POST", upload["href"], json.dumps({"oid": oid, "parts": parts}).encode(), auth=False)
    elif upload:
        call("PUT", upload["href"], content.read(), "application/octet-stream", auth=False)
out = io.StringIO()
print(json.dumps({"key": "header", "value": {"summary": "upload datasets (1) version=" + version}}), file=out)
for path, text in (("manifest.json", json.dumps(manifest, indent=2)),
                   ("checksums.sha256", "".join(f"{file['sha256']}  {file['path']}\n" for file in files))):
    print(json.dumps({"key": "file", "value": {"path": f"{base}/{path}", "encoding": "base64",
                                               "content": base64.b64encode(text.encode()).decode()}}), file=out)
print(json.dumps({"key": "lfsFile", "value": {"path": f"{base}/{archive_name}", "algo": "sha256", "oid": oid, "size": size}}), file=out)
call("POST", f"{endpoint}/api/datasets/{repo}/commit/main", out.getvalue().encode(), "application/x-ndjson")
step("upload", clock)
