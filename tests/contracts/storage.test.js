import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { anchoredBy, carry, deploy, grantOf, GRANT_TYPES, NO_ANCHOR } from "./scene.js";

// The slots of docs/spec/chain.md, as a verifier of storage proofs computes them.
describe("Storage", () => {
  let scene;
  let coder;
  before(async () => {
    scene = await deploy();
    coder = scene.ethers.AbiCoder.defaultAbiCoder();
  });

  const word = (value) => scene.ethers.zeroPadValue(scene.ethers.toBeHex(value), 32);
  const inMapping = (slot, ...keys) =>
    keys.reduce((at, key) => scene.ethers.keccak256(scene.ethers.concat([key, at])), word(slot));
  const inArray = (slot, index) => word(BigInt(scene.ethers.keccak256(slot)) + BigInt(index));
  const read = async (contract, slot) =>
    BigInt(await scene.ethers.provider.getStorage(await contract.getAddress(), slot));
  const field = (value, offset, bits) => (value >> BigInt(offset)) & ((1n << BigInt(bits)) - 1n);

  it("keeps an account in one slot", async () => {
    const { consortium, anchor } = scene;
    const slot = inMapping(0, scene.ethers.zeroPadValue(anchor[3].address, 32));
    const stored = await read(consortium, slot);
    const [member, powers, from, until] = await consortium.account(anchor[3].address);
    assert.deepEqual(
      [field(stored, 0, 32), field(stored, 32, 8), field(stored, 40, 48), field(stored, 88, 48)],
      [member, powers, from, until],
    );
    assert.equal(member, 3n);
  });

  it("keeps what stands about a member in one slot, and its history in one slot an entry", async () => {
    const { consortium } = scene;
    await carry(scene, 2, 4, "0x");
    const standing = await consortium.memberOf(4);
    const stored = await read(consortium, inMapping(1, word(4)));
    const offsets = [[0, 8], [8, 8], [16, 48], [64, 32], [96, 48], [144, 32]];
    assert.deepEqual(offsets.map(([at, bits]) => field(stored, at, bits)), [...standing]);

    const array = inMapping(2, word(4));
    const history = await consortium.statusesOf(4);
    assert.equal(await read(consortium, array), BigInt(history.length));
    for (const [index, { since, status }] of history.entries()) {
      const entry = await read(consortium, inArray(array, index));
      assert.deepEqual([field(entry, 0, 48), field(entry, 48, 8)], [since, status]);
    }
    await carry(scene, 3, 4, "0x");
  });

  it("keeps withdrawals, votes, keys and validators where they are proven", async () => {
    const { consortium, appoint, ethers } = scene;
    const digest = ethers.id("appointment");
    await (await consortium.connect(appoint[2]).withdrawAppointment(digest)).wait();
    assert.equal(
      await read(consortium, inMapping(3, word(2), digest)),
      await consortium.withdrawnAt(2, digest),
    );
    const payload = coder.encode(["bytes32"], [digest]);
    await carry(scene, 12, 2, payload);
    const key = ethers.keccak256(
      coder.encode(["uint8", "uint32", "bytes32"], [12, 2, ethers.keccak256(payload)]),
    );
    assert.equal(await read(consortium, inMapping(4, key)), await consortium.carriedAt(key));

    const [logKey] = await consortium.logKeysOf(2);
    const [keyDigest] = await consortium.keyDigestsOf(2);
    for (const [slot, { since, key: value }] of [[5, logKey], [6, keyDigest]]) {
      const array = inMapping(slot, word(2));
      assert.equal(await read(consortium, array), 1n);
      assert.equal(await read(consortium, inArray(array, 0)), since);
      assert.equal(await read(consortium, inArray(array, 1)), BigInt(value));
    }
    const [validator] = await consortium.validatorsOf(2);
    const entry = await read(consortium, inArray(inMapping(7, word(2)), 0));
    assert.equal(field(entry, 0, 48), validator.since);
    assert.equal(field(entry, 48, 160), BigInt(validator.validator));
  });

  it("keeps the hash of a checkpoint's three values, and the largest size", async () => {
    const { checkpoints, anchor, ethers } = scene;
    const root = ethers.id("root");
    const sent = await checkpoints.connect(anchor[2]).anchor(77, root, [], NO_ANCHOR);
    const { time, blockNumber } = await anchoredBy(scene, sent, root);
    const hash = ethers.keccak256(
      coder.encode(["bytes32", "uint64", "uint64"], [root, time, blockNumber]),
    );
    const slot = inMapping(0, word(2), word(0), word(77));
    assert.equal(await read(checkpoints, slot), BigInt(hash));
    assert.equal(await read(checkpoints, inMapping(1, word(2), word(0))), 77n);
  });

  it("keeps a grant in three slots", async () => {
    const { consents, domain, govern } = scene;
    const made = await grantOf(scene, 2);
    const signature = await made.patient.signTypedData(domain, GRANT_TYPES, made.typed);
    await (await consents.give(made.grant, signature)).wait();
    const id = await consents.grantIdOf(made.grant);
    await (await consents.connect(govern[2]).revokeMany([id])).wait();
    const stored = await consents.grantOf(id);
    const slot = BigInt(inMapping(2, id));
    const [first, second, third] = await Promise.all(
      [0n, 1n, 2n].map((offset) => read(consents, word(slot + offset))),
    );
    assert.equal(first, BigInt(stored.termsDigest));
    assert.equal(field(second, 0, 160), BigInt(stored.grantor));
    assert.equal(field(second, 160, 48), stored.givenAt);
    assert.equal(field(second, 208, 48), stored.notBefore);
    assert.equal(field(third, 0, 48), stored.expiresAt);
    assert.equal(field(third, 48, 48), stored.revokedAt);
    assert.equal(field(third, 96, 32), 2n);
    assert.equal(field(third, 128, 8), 1n);
    assert.equal(field(third, 136, 8), 3n);
  });

  it("keeps a model and its history", async () => {
    const { models, govern, ethers } = scene;
    const digest = ethers.id("manifest");
    await (await models.connect(govern[2]).register(digest, ethers.ZeroHash)).wait();
    const slot = BigInt(inMapping(0, digest));
    const third = await read(models, word(slot + 2n));
    assert.deepEqual([field(third, 0, 32), field(third, 32, 8)], [2n, 1n]);
    const array = inMapping(1, digest);
    assert.equal(await read(models, array), 1n);
    const [{ since, status }] = await models.statusesOf(digest);
    const entry = await read(models, inArray(array, 0));
    assert.deepEqual([field(entry, 0, 48), field(entry, 48, 8)], [since, status]);
  });
});
