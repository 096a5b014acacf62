// A network of four hospitals on Hardhat's own chain, for the tests in JavaScript and for the gas.
import { network } from "hardhat";

export const GOVERN = 1;
export const ANCHOR = 2;
export const APPOINT = 4;
export const WITNESS = 8;
export const DAY = 86_400n;
export const NO_ANCHOR = { root: `0x${"00".repeat(32)}`, time: 0, blockNumber: 0 };

export const GRANT_TYPES = {
  Grant: [
    { name: "custodian", type: "uint32" },
    { name: "grantor", type: "address" },
    { name: "terms", type: "string" },
    { name: "notBefore", type: "uint64" },
    { name: "expiresAt", type: "uint64" },
    { name: "deadline", type: "uint64" },
  ],
};
export const REVOCATION_TYPES = { Revocation: [{ name: "grantId", type: "bytes32" }] };

/** Deploys the four contracts; member m has the accounts `govern[m]`, `anchor[m]` and so on. */
export async function deploy() {
  const connection = await network.create();
  const { ethers } = connection;
  const signers = await ethers.getSigners();
  const actors = { govern: [], anchor: [], appoint: [], witness: [] };
  const founders = [];
  for (let member = 1; member <= 4; member++) {
    const [govern, anchor, appoint, witness] = signers.slice(4 * member - 4, 4 * member);
    Object.entries({ govern, anchor, appoint, witness }).forEach(([role, signer]) => {
      actors[role][member] = signer;
    });
    founders.push({
      name: `Hospital ${member}`,
      url: `https://${member}.example`,
      logKey: ethers.zeroPadValue(ethers.toBeHex(member), 32),
      validator: ethers.ZeroAddress,
      kem: 0x647a,
      encryptionKey: ethers.hexlify(new Uint8Array(1216).fill(member)),
      accounts: [
        { account: govern.address, powers: GOVERN },
        { account: anchor.address, powers: ANCHOR },
        { account: appoint.address, powers: APPOINT },
        { account: witness.address, powers: WITNESS },
      ],
    });
  }
  const networkId = `0x${"a5".repeat(16)}`;
  const consortium = await ethers.deployContract("Consortium", [
    networkId,
    ethers.ZeroAddress,
    founders,
    72 * 3600,
    14 * 86_400,
  ]);
  const at = await consortium.getAddress();
  const checkpoints = await ethers.deployContract("CheckpointRegistry", [at, ethers.ZeroAddress]);
  const consents = await ethers.deployContract("ConsentRegistry", [at]);
  const models = await ethers.deployContract("ModelRegistry", [at, ethers.ZeroAddress]);
  const { chainId } = await ethers.provider.getNetwork();
  const domain = {
    name: "Xinglin",
    version: "1",
    chainId,
    verifyingContract: await consents.getAddress(),
  };
  return {
    ...connection,
    ...actors,
    stranger: signers[19],
    consortium,
    checkpoints,
    consents,
    models,
    domain,
  };
}

/** The three values of what a transaction anchored. */
export async function anchoredBy(scene, transaction, root) {
  const receipt = await transaction.wait();
  const { timestamp, number } = await scene.ethers.provider.getBlock(receipt.blockNumber);
  return { root, time: timestamp, blockNumber: number };
}

/** A grant over records of `custodian`, from now for thirty days, and its fresh account. */
export async function grantOf(scene, custodian, terms = "{}") {
  const { ethers } = scene;
  const { timestamp } = await ethers.provider.getBlock("latest");
  const today = (BigInt(timestamp) / DAY) * DAY;
  const patient = ethers.Wallet.createRandom();
  const typed = {
    custodian,
    grantor: patient.address,
    terms,
    notBefore: 0n,
    expiresAt: today + 30n * DAY,
    deadline: today + 2n * DAY,
  };
  const { terms: _, ...rest } = typed;
  const grant = { ...rest, termsDigest: ethers.keccak256(ethers.toUtf8Bytes(terms)) };
  return { patient, typed, grant };
}

/** Proposes by hospital 1 and lets hospitals vote until it is carried. */
export async function carry(scene, kind, concerned, payload) {
  const { consortium, govern } = scene;
  const proposed = await consortium.connect(govern[1]).propose(kind, concerned, payload);
  const receipt = await proposed.wait();
  const made = receipt.logs
    .map((log) => consortium.interface.parseLog(log))
    .find((log) => log?.name === "ProposalMade");
  const gas = { propose: receipt.gasUsed };
  for (let member = 1; member <= 4; member++) {
    if (BigInt(member) === BigInt(concerned)) continue;
    const voted = await consortium.connect(govern[member]).vote(made.args.proposal);
    const { gasUsed } = await voted.wait();
    if ((await consortium.proposalOf(made.args.proposal)).carriedAt !== 0n) {
      return { proposal: made.args.proposal, gas: { ...gas, carrying: gasUsed } };
    }
    gas.vote = gasUsed;
  }
  throw new Error(`proposal ${made.args.proposal} was not carried`);
}

/** Name and values of the contract's error with which `call` is refused; fails if it is not. */
export async function refusal(contract, call) {
  try {
    await call;
  } catch (error) {
    const data = error.data ?? error.info?.error?.data ?? error.cause?.data;
    const parsed = data && contract.interface.parseError(data.data ?? data);
    if (parsed) return { name: parsed.name, values: [...parsed.args] };
    throw error;
  }
  throw new Error("expected a refusal, got none");
}
