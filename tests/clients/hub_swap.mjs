// One folder to or from the Hub with the official JavaScript client: hub_swap.mjs PACKAGE write|read REPO FOLDER.
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";

const [root, what, name, folder] = process.argv.slice(2);
const hub = await import(pathToFileURL(`${root}/dist/index.mjs`).href);
const on = { hubUrl: process.env.HF_ENDPOINT, accessToken: process.env.HF_TOKEN, repo: { type: "model", name } };
if (what === "write") {
  await hub.createRepo({ ...on, private: true });
  const paths = readdirSync(folder, { recursive: true }).map((one) => join(folder, one));
  const files = paths.filter((one) => statSync(one).isFile());
  await hub.uploadFiles({ ...on, useXet: false,
    files: files.map((one) => ({ path: relative(folder, one), content: pathToFileURL(one) })) });
} else {
  for await (const one of hub.listFiles({ ...on, recursive: true })) {
    if (one.type !== "file") continue;
    mkdirSync(dirname(join(folder, one.path)), { recursive: true });
    // It learns sizes from a range of one byte, which an empty file has not.
    const blob = one.size > 0 ? await hub.downloadFile({ ...on, path: one.path, xet: false }) : new Blob([]);
    writeFileSync(join(folder, one.path), Buffer.from(await blob.arrayBuffer()));
  }
}
