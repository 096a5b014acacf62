// Measures what the contracts cost on Hardhat's London network and prints it beside its bounds.
//
//   HARDHAT_NETWORK=default node scripts/gas.js [--json]
import hre from "hardhat";
import { anchoredBy, carry, deploy, grantOf, GRANT_TYPES, NO_ANCHOR, REVOCATION_TYPES } from "../tests/contracts/scene.js";
import { Tree } from "../tests/contracts/tree.js";

const MILLION = 2 ** 20;
const MOST_FIRST_ANCHOR = 95_000n;
const MOST_LATER_ANCHOR = 105_000n;
const MOST_GRANT = 120_000n;

await hre.tasks.getTask("build").run({ noTests: true, quiet: true });
const scene = await deploy();
const { ethers, consortium, checkpoints, consents, models, anchor, govern, witness } = scene;
const rows = [];

async function measure(what, sent, most) {
  const { gasUsed } = await (await sent).wait();
  rows.push({ what, gas: gasUsed, most });
  return sent;
}

const tree = Tree.ofSize(MILLION + 1);
let previous = NO_ANCHOR;

async function anchors() {
  const registry = checkpoints.connect(anchor[2]);
  // Growth by one from 2^20 - 1 is the worst: 21 hashes, of which 19 serve both roots.
  const steps = [1, 100, 1_100, 524_289, 786_431, 1_000_000, MILLION - 1, MILLION];
  let latest = 0;
  for (const size of steps) {
    const proof = latest === 0 ? [] : tree.consistency(latest, size);
    const root = tree.root(size);
    const what = latest === 0 ? "first anchor" : `anchor ${latest} to ${size}, ${proof.length} hashes`;
    const most = latest === 0 ? MOST_FIRST_ANCHOR : MOST_LATER_ANCHOR;
    const sent = await measure(what, registry.anchor(size, root, proof, previous), most);
    previous = await anchoredBy(scene, sent, root);
    latest = size;
  }
}

async function give(custodian) {
  const made = await grantOf(scene, custodian, "{}");
  const signature = await made.patient.signTypedData(scene.domain, GRANT_TYPES, made.typed);
  const grantId = await consents.grantIdOf(made.grant);
  const revocation = await made.patient.signTypedData(scene.domain, REVOCATION_TYPES, { grantId });
  return { ...made, signature, grantId, revocation };
}

async function grants() {
  const [first, second, third, fourth] = [await give(2), await give(2), await give(2), await give(2)];
  await measure("grant by signature", consents.give(first.grant, first.signature), MOST_GRANT);
  await measure("revocation by signature", consents.revoke(first.grantId, first.revocation));
  await measure("grant by signature", consents.give(second.grant, second.signature), MOST_GRANT);
  await measure(
    "replacement of a grant",
    consents.replace(second.grantId, second.revocation, third.grant, third.signature),
  );
  await measure(
    "grant by a witness",
    consents.connect(witness[2]).witness(ethers.id("terms"), 0, fourth.grant.expiresAt),
    MOST_GRANT,
  );
  await measure("revocation by the custodian", consents.connect(govern[2]).revokeMany([third.grantId]));
}

async function governance() {
  const coder = ethers.AbiCoder.defaultAbiCoder();
  const digest = ethers.id("manifest");
  await measure("registration of a model", models.connect(govern[2]).register(digest, ethers.ZeroHash));
  const payload = coder.encode(["bytes32", "bytes32", "uint32"], [digest, ethers.ZeroHash, 2]);
  const { gas } = await carry(scene, 9, 0, payload);
  rows.push({ what: "proposal", gas: gas.propose }, { what: "vote", gas: gas.vote });
  rows.push({ what: "vote that carries", gas: gas.carrying });
  await measure("approval of a model", models.approve(digest));
  await measure("freezing", consortium.connect(anchor[3]).freeze());
}

/** A log's first checkpoint in a successor reads the predecessor and begins a slot of its own. */
async function succession(next) {
  const [at, old] = [await next.getAddress(), await checkpoints.getAddress()];
  const registry = await ethers.deployContract("CheckpointRegistry", [at, old]);
  await carry(scene, 11, 0, ethers.AbiCoder.defaultAbiCoder().encode(["address"], [at]));
  const proof = tree.consistency(MILLION, MILLION + 1);
  await measure(
    `first anchor in a successor, ${proof.length} hashes`,
    registry.connect(anchor[2]).anchor(MILLION + 1, tree.root(MILLION + 1), proof, previous),
  );
}

/** What a founding and a succession cost, of which the block's gas limit has to allow the second. */
async function deployments() {
  const founding = await consortium.deploymentTransaction().wait();
  rows.push({ what: "founding by four hospitals", gas: founding.gasUsed });
  const next = await ethers.deployContract("Consortium", [
    await consortium.networkId(),
    await consortium.getAddress(),
    [],
    72 * 3600,
    14 * 86_400,
  ]);
  const { gasUsed } = await next.deploymentTransaction().wait();
  rows.push({ what: "succession of four members, 16 accounts", gas: gasUsed });
  const code = (await next.getDeployedCode()).length / 2 - 1;
  rows.push({ what: "  of which the code alone", gas: BigInt(code * 200) });
  await succession(next);
}

await anchors();
await grants();
await governance();
await deployments();
if (process.argv.includes("--json")) {
  console.log(JSON.stringify(rows.map(({ what, gas, most }) => ({ what, gas: Number(gas), most: most && Number(most) }))));
} else {
  for (const { what, gas, most } of rows) {
    const bound = most === undefined ? "" : `  below ${most.toLocaleString("en")}`;
    console.log(`${what.padEnd(44)}${gas.toLocaleString("en").padStart(9)}${bound}`);
  }
}
for (const { what, gas, most } of rows) {
  if (most === undefined || gas < most) continue;
  console.error(`${what} costs ${gas}, expected below ${most}`);
  process.exitCode = 1;
}
