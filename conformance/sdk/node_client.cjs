// Speaks for openai-node: reads calls, a list a line, and tells what each returned or raised.
// process.py runs it in a process of its own, whose environment holds no key. A picture is told by its digest.
"use strict";

const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");

const KEY = "sk-no-key";
// Beside NODE_PATH: where `npm install --global` puts packages, as Node's own installers and Debian have it.
const GLOBAL = [path.join(path.dirname(path.dirname(process.execPath)), "lib"), "/usr/local/lib"];

function say(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function versionOf(file) {
  for (let folder = path.dirname(file); folder !== path.dirname(folder); folder = path.dirname(folder)) {
    const manifest = path.join(folder, "package.json");
    if (fs.existsSync(manifest)) {
      const told = JSON.parse(fs.readFileSync(manifest, "utf8"));
      if (told.name === "openai") return told.version;
    }
  }
  return "unknown";
}

function text(value) {
  return createHash("sha256").update(value, "utf8").digest("hex");
}

function item(one) {
  const told = {};
  for (const name of ["url", "b64_json"]) if (typeof one?.[name] === "string") told[name] = text(one[name]);
  return told;
}

async function call(OpenAI, { base_url, max_retries }) {
  const client = new OpenAI({ apiKey: KEY, baseURL: base_url, maxRetries: max_retries, timeout: 20000 });
  try {
    const answer = await client.images.generate({ prompt: "A test card", model: "replayed" });
    return {
      returned: answer === null || answer === undefined ? "nothing" : answer.constructor.name,
      created: answer?.created,
      items: Array.isArray(answer?.data) ? answer.data.map(item) : null,
    };
  } catch (error) {
    if (error?.status === undefined) {
      return { raised: error?.constructor?.name ?? "nothing", said: String(error?.message).slice(0, 200) };
    }
    return {
      raised: error.constructor.name,
      status: error.status,
      message: error.error?.message,
      type: error.type,
      code: error.code,
      request_id: error.requestID,
    };
  }
}

async function main() {
  let OpenAI;
  try {
    const file = require.resolve("openai", { paths: GLOBAL });
    const loaded = require(file);
    OpenAI = loaded.OpenAI ?? loaded.default ?? loaded;
    say({ version: versionOf(file) });
  } catch (error) {
    say({ absent: String(error.message).split("\n")[0] });
    return;
  }
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const told = [];
    for (const one of JSON.parse(line)) told.push(await call(OpenAI, one));
    say(told);
  }
}

main();
