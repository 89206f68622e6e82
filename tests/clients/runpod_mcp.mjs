// A small MCP client: starts the server given as argument and calls its tools; run by runpod_mcp.sh.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const server = spawn(process.execPath, [process.argv[2]], { stdio: ["pipe", "pipe", "inherit"] });
const waiting = new Map();
let last = 0;

createInterface({ input: server.stdout }).on("line", (line) => {
  const message = JSON.parse(line);
  waiting.get(message.id)?.(message);
});
server.on("exit", (code) => {
  if (waiting.size > 0) throw new Error(`the server ended with code ${code}`);
});

const send = (message) => server.stdin.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");

function request(method, params = {}) {
  const id = ++last;
  send({ id, method, params });
  return new Promise((resolve) => waiting.set(id, resolve)).then((message) => {
    waiting.delete(id);
    return message;
  });
}

/** What a tool said: its text as JSON where it is JSON, and whether it was an error. */
async function call(name, args = {}) {
  const { result, error } = await request("tools/call", { name, arguments: args });
  assert.equal(error, undefined, `${name}: ${JSON.stringify(error)}`);
  const text = result.content.map((part) => part.text ?? "").join("");
  let value = text;
  try {
    value = JSON.parse(text);
  } catch {
    // plain words
  }
  return { value, text, failed: result.isError === true };
}

async function done(name, args) {
  const answer = await call(name, args);
  assert.equal(answer.failed, false, `${name}: ${answer.text}`);
  return answer.value;
}

async function refused(text, name, args) {
  const answer = await call(name, args);
  assert.ok(answer.text.includes(text), `${name}: ${answer.text}`);
}

/** The first object in a tool's answer that has the key with that value, however the answer is wrapped. */
function find(value, key, wanted) {
  if (value === null || typeof value !== "object") return undefined;
  if (value[key] === wanted) return value;
  return Object.values(value).map((inner) => find(inner, key, wanted)).find(Boolean);
}

await request("initialize", {
  protocolVersion: "2024-11-05",
  capabilities: {},
  clientInfo: { name: "podsmith-test", version: "1" },
});
send({ method: "notifications/initialized" });

const gpus = await done("list-gpu-types", { include: ["AVAILABILITY"], product: ["POD"] });
assert.equal(find(gpus, "id", "NVIDIA L40S").availability, "HIGH");
const gpu = await done("get-gpu-type", { id: "NVIDIA L40S" });
assert.equal(find(gpu, "id", "NVIDIA L40S").memory, 48);
assert.ok(find(await done("list-data-centers"), "id", "EU-RO-1"));
const capacity = await done("get-capacity", { gpuTypeIds: ["L40S"] }); // GraphQL, without a key
assert.equal(find(capacity, "id", "NVIDIA L40S").cudaVersions["12.8"], "AVAILABLE");

const body = {
  name: "mcp-one",
  image: "podsmith-sim/no-container",
  disk: 10,
  ports: ["22/tcp"],
  gpu: { id: "NVIDIA L40S", count: 1 },
};
const made = await done("create-pod", { body });
const { id } = find(made, "name", "mcp-one");
console.log("pod", id);
assert.ok(find(await done("list-pods"), "id", id));
assert.equal(find(await done("get-pod", { id }), "id", id).status, "RUNNING");
await done("update-pod", { id, body: { name: "mcp-two" } });
assert.equal(find(await done("get-pod", { id }), "id", id).name, "mcp-two");

assert.equal(find(await done("pod-action", { id, body: { action: "stop" } }), "id", id).status, "EXITED");
assert.equal(find(await done("pod-action", { id, body: { action: "start" } }), "id", id).status, "RUNNING");
await refused("not allowed", "pod-action", { id, body: { action: "start" } });
await refused("create container", "stream-pod-logs", { podId: id, source: "system", tail: 100 });
await refused("no longer any instances", "create-pod", { body: { ...body, gpu: { id: "NVIDIA B200", count: 1 } } });

await done("delete-pod", { id });

const template = await done("create-template", { body: { name: "mcp-template", image: body.image, disk: 10 } });
const templateId = find(template, "name", "mcp-template").id;
const fromTemplate = { name: "mcp-three", templateId, gpu: body.gpu };
const third = find(await done("create-pod", { body: fromTemplate }), "name", "mcp-three");
assert.equal(third.image, body.image);
await done("delete-pod", { id: third.id });
await done("delete-template", { id: templateId });
const place = { name: "mcp-volume", size: 20, dataCenter: "EU-RO-1" };
const volume = find(await done("create-network-volume", { body: place }), "name", "mcp-volume");
await done("update-network-volume", { id: volume.id, body: { size: 30 } });
assert.equal(find(await done("list-network-volumes"), "id", volume.id).size, 30);
await done("delete-network-volume", { id: volume.id });
const login = { name: "mcp-login", username: "user", password: "secret-word" };
const registry = find(await done("create-registry", { body: login }), "name", "mcp-login");
await done("delete-registry", { id: registry.id });
assert.ok(find(await done("list-public-templates"), "public", true));
assert.ok(find(await done("list-cpu-types"), "id", "cpu3c"));
assert.ok(find(await done("list-pod-billing", {}), "podId", id));
await refused("not found", "get-pod", { id });
console.log("all tools done");
server.stdin.end();
server.kill();
