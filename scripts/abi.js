// Writes client/xinglin/_chain/abi/*.json from Hardhat's build info, so that Python deploys and
// decodes without Node. Deterministic: keys are sorted, and names of types in storage layouts are
// freed of the compiler's running numbers. With --check it writes nothing and fails on a difference.
//
//   npx hardhat build --no-tests && node scripts/abi.js [--check]
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const target = path.join(root, "client/xinglin/_chain/abi");
const names = ["Consortium", "CheckpointRegistry", "ConsentRegistry", "ModelRegistry"];

/** The compiler's output for one contract, from the build info that its artifact names. */
function compiled(name) {
  const folder = path.join(root, `artifacts/contracts/${name}.sol`);
  const { buildInfoId, inputSourceName } = read(path.join(folder, `${name}.json`));
  const { output } = read(path.join(root, `artifacts/build-info/${buildInfoId}.output.json`));
  if (Object.keys(output.sources).some((source) => source.includes("Coverage"))) {
    throw new Error("the artifacts are of a coverage run: npx hardhat build --force --no-tests");
  }
  return { output: output.contracts[inputSourceName][name], sources: output.sources };
}

function read(file) {
  return JSON.parse(fs.readFileSync(file, "utf8"));
}

/** Names of immutables by the number of their node in the syntax tree. */
function immutableNames(sources) {
  const found = {};
  const walk = (node) => {
    if (Array.isArray(node)) return node.forEach(walk);
    if (node === null || typeof node !== "object") return;
    if (node.nodeType === "VariableDeclaration" && node.mutability === "immutable") {
      found[node.id] = node.name;
    }
    Object.values(node).forEach(walk);
  };
  for (const source of Object.values(sources)) walk(source.ast);
  return found;
}

/** Immutables by name; `start` and `length` are in bytes of the deployed code. */
function immutables(references, sources) {
  const named = immutableNames(sources);
  return Object.fromEntries(
    Object.entries(references).map(([id, places]) => [named[id] ?? id, places]),
  );
}

/** A storage layout without what depends on the order of compilation. */
function layout({ storage, types }) {
  const plain = (text) => text.replace(/\)\d+_storage/g, ")_storage").replace(/\)\d+/g, ")");
  const member = ({ label, offset, slot, type }) => ({ label, offset, slot, type: plain(type) });
  return {
    storage: storage.map(member),
    types: Object.fromEntries(
      Object.entries(types ?? {}).map(([name, type]) => {
        const { encoding, numberOfBytes, label } = type;
        const kept = { encoding, numberOfBytes, label };
        if (type.key) kept.key = plain(type.key);
        if (type.value) kept.value = plain(type.value);
        if (type.base) kept.base = plain(type.base);
        if (type.members) kept.members = type.members.map(member);
        return [plain(name), kept];
      }),
    ),
  };
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

function artifact(name) {
  const { output, sources } = compiled(name);
  const { bytecode, deployedBytecode } = output.evm;
  return {
    contractName: name,
    abi: output.abi,
    bytecode: `0x${bytecode.object}`,
    deployedBytecode: `0x${deployedBytecode.object}`,
    immutableReferences: immutables(deployedBytecode.immutableReferences, sources),
    storageLayout: layout(output.storageLayout),
  };
}

const check = process.argv.includes("--check");
fs.mkdirSync(target, { recursive: true });
for (const name of names) {
  const file = path.join(target, `${name}.json`);
  const text = `${JSON.stringify(sorted(artifact(name)), null, 1)}\n`;
  if (!check) fs.writeFileSync(file, text);
  else if (!fs.existsSync(file) || fs.readFileSync(file, "utf8") !== text) {
    console.error(`${path.relative(root, file)} differs from the contracts: node scripts/abi.js`);
    process.exitCode = 1;
  }
  const size = (JSON.parse(text).deployedBytecode.length - 2) / 2;
  console.log(`${name}: ${size} of 24576 bytes deployed`);
}
