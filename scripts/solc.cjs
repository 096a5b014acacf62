#!/usr/bin/env node
// The pinned npm `solc` behind the two flags that py-solc-x and forge use, so that Python,
// Hardhat and forge compile with the very same compiler.
const fs = require("node:fs");
const path = require("node:path");
const solc = require("solc");

const args = process.argv.slice(2);

/** Where imports are looked for: the given roots in their order, then the working directory. */
function roots() {
  const named = args.flatMap((flag, i) =>
    flag === "--base-path" || flag === "--include-path" ? [args[i + 1]] : [],
  );
  return [...named, process.cwd()];
}

function find(name) {
  for (const root of roots()) {
    const file = path.resolve(root, name);
    if (fs.existsSync(file)) return { contents: fs.readFileSync(file, "utf8") };
  }
  return { error: `File not found: ${name}` };
}

if (args.includes("--version")) {
  const version = solc.version().replace(".Emscripten.clang", ".Linux.g++");
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
} else if (args.includes("--standard-json")) {
  process.stdout.write(solc.compile(fs.readFileSync(0, "utf8"), { import: find }));
} else {
  process.stderr.write("solc: only --version and --standard-json\n");
  process.exitCode = 2;
}
