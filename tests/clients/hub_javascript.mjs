// The official JavaScript client against the simulator's Hub. argv: the package's folder. Prints "all calls done".
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const hub = await import(pathToFileURL(`${process.argv[2]}/dist/index.mjs`).href);
const on = { hubUrl: process.env.HF_ENDPOINT, accessToken: process.env.HF_TOKEN };
const reader = { ...on, accessToken: process.env.SIM_HF_READ_TOKEN };

async function refused(work, status, part = "") {
  try {
    await work();
  } catch (error) {
    assert.equal(error.statusCode, status, `${error}`);
    assert.ok(`${error}`.includes(part), `${error} does not say ${part}`);
    return;
  }
  assert.fail(`not refused with ${status}`);
}

async function collect(iterator) {
  const all = [];
  for await (const one of iterator) all.push(one);
  return all;
}

// Bytes that repeat nowhere near, the same in every run.
function pattern(size, seed) {
  const block = Buffer.concat([...Array(1024).keys()].map((i) => createHash("sha256").update(`${seed}.${i}`).digest()));
  return Buffer.concat(Array(Math.ceil(size / block.length)).fill(block)).subarray(0, size);
}

async function bytes(blob) {
  return Buffer.from(await blob.arrayBuffer());
}

async function accounts() {
  assert.equal((await hub.whoAmI(on)).name, "sim-user");
  await refused(() => hub.whoAmI({ ...on, accessToken: "hf_nobody" }), 401, "Invalid credentials");
}

const files = {
  "small.json": Buffer.from('{"a": 1}\n'),
  "a/b/large.bin": pattern(200_000, "large"),
  "model.safetensors": pattern(2_000_000, "parts"), // chunk_size is 600000: four parts
};

async function writing(type) {
  const repo = { type, name: `sim-user/js-${type}` };
  const made = await hub.createRepo({ ...on, repo, private: true });
  assert.ok(made.repoUrl.endsWith(repo.name), made.repoUrl);
  await refused(() => hub.createRepo({ ...on, repo }), 409, "already created");
  const list = Object.entries(files).map(([path, content]) => ({ path, content: new Blob([content]) }));
  const done = await hub.uploadFiles({ ...on, repo, files: list, useXet: false, commitTitle: "all" });
  assert.ok(done.commit.oid);
  const listed = await collect(hub.listFiles({ ...on, repo, recursive: true }));
  assert.deepEqual(listed.filter((one) => one.type === "file").map((one) => one.path).sort(),
    [".gitattributes", ...Object.keys(files)].sort());
  for (const [path, content] of Object.entries(files)) {
    const blob = await hub.downloadFile({ ...on, repo, path, xet: false });
    assert.ok((await bytes(blob)).equals(content), `${path} came back with other bytes`);
  }
  const info = await hub.fileDownloadInfo({ ...on, repo, path: "model.safetensors" });
  assert.equal(info.size, 2_000_000);
  assert.equal(await hub.fileExists({ ...on, repo, path: "none" }), false);
  assert.equal(await hub.fileExists({ ...on, repo, path: "small.json" }), true);
  await refused(() => hub.uploadFile({ ...reader, repo, file: { path: "x", content: new Blob(["x"]) }, useXet: false }), 403);
  await hub.deleteFiles({ ...on, repo, paths: ["small.json"] });
  assert.equal(await hub.downloadFile({ ...on, repo, path: "small.json", xet: false }), null);
  const commits = await collect(hub.listCommits({ ...on, repo }));
  assert.equal(commits[1].title, "all");
}

async function branches() {
  const repo = { type: "model", name: "sim-user/js-model" };
  await hub.createBranch({ ...on, repo, branch: "dev" });
  await hub.uploadFile({ ...on, repo, branch: "dev", file: { path: "d.txt", content: new Blob(["d"]) }, useXet: false });
  assert.equal(await hub.fileExists({ ...on, repo, path: "d.txt" }), false);
  assert.equal(await hub.fileExists({ ...on, repo, revision: "dev", path: "d.txt" }), true);
  await hub.deleteBranch({ ...on, repo, branch: "dev" });
  const asked = await hub.uploadFile({
    ...on, repo, file: { path: "pr.txt", content: new Blob(["p"]) }, isPullRequest: true, useXet: false });
  assert.ok(asked.pullRequestUrl.endsWith("/discussions/1"), asked.pullRequestUrl);
}

async function reading() {
  assert.equal((await hub.modelInfo({ ...on, name: "acme/gated-model" })).gated, "manual");
  assert.equal((await hub.datasetInfo({ ...on, name: "acme/many-files" })).name, "acme/many-files");
  const many = await collect(hub.listFiles({ ...on, repo: "datasets/acme/many-files", recursive: true }));
  assert.equal(many.length, 2500 + 51 + 1);
  const shown = await collect(hub.listModels({ ...on, search: { owner: "acme" } }));
  assert.ok(shown.some((one) => one.name === "acme/tiny"));
  const meta = await hub.parseSafetensorsMetadata({ ...on, repo: "unsloth/gemma-2b", computeParametersCount: true });
  assert.equal(meta.parameterTotal ?? Object.values(meta.parameterCount)[0], 2_506_172_416);
  mkdirSync("cache");
  const where = await hub.snapshotDownload({ ...on, repo: "acme/tiny", cacheDir: "cache", xet: false });
  assert.ok(readFileSync(`${where}/config.json`, "utf8").includes("LlamaForCausalLM"));
}

async function closed() {
  const get = (name, path = "config.json", more = {}) =>
    hub.downloadFile({ ...on, repo: name, path, xet: false, ...more });
  await refused(() => get("acme/gated-model"), 403);
  await refused(() => get("acme/gated-pending"), 403);
  await refused(() => hub.checkRepoAccess({ ...on, repo: "acme/private" }), 404);
  await refused(() => hub.modelInfo({ ...on, name: "acme/nothing" }), 404);
  await refused(() => hub.createRepo({ ...on, repo: "acme/mine" }), 403);
  assert.ok(await get("acme/gated-granted"));
}

async function removing() {
  for (const type of ["model", "dataset"]) {
    const repo = { type, name: `sim-user/js-${type}` };
    await hub.deleteRepo({ ...on, repo });
    await refused(() => hub.checkRepoAccess({ ...on, repo }), 404);
  }
}

const steps = { accounts, model: () => writing("model"), dataset: () => writing("dataset"), branches, reading, closed, removing };
for (const [name, step] of Object.entries(steps)) {
  console.log(name);
  await step();
}
console.log("all calls done");
