import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { carry, deploy, grantOf, GRANT_TYPES, refusal, REVOCATION_TYPES } from "./scene.js";

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

// What wallets sign, here through ethers, is what the contract checks.
describe("Typed data", () => {
  let scene;
  before(async () => {
    scene = await deploy();
  });

  const sign = ({ patient, typed }, domain = scene.domain) =>
    patient.signTypedData(domain, GRANT_TYPES, typed);

  it("hashes terms as the wallet does, in any language", async () => {
    const made = await grantOf(scene, 2, '{"sentence":"允许李医生为治疗查阅我的病历，至六月底"}');
    const hash = scene.ethers.TypedDataEncoder.hash(scene.domain, GRANT_TYPES, made.typed);
    assert.equal(await scene.consents.grantIdOf(made.grant), hash);
    await (await scene.consents.connect(scene.stranger).give(made.grant, await sign(made))).wait();
    const stored = await scene.consents.grantOf(hash);
    assert.equal(stored.how, 1n);
    assert.equal(stored.grantor, made.patient.address);
  });

  it("takes a revocation that was signed together with the grant, much later", async () => {
    const made = await grantOf(scene, 2);
    const grantId = scene.ethers.TypedDataEncoder.hash(scene.domain, GRANT_TYPES, made.typed);
    const tearOff = await made.patient.signTypedData(scene.domain, REVOCATION_TYPES, { grantId });
    await (await scene.consents.give(made.grant, await sign(made))).wait();
    await scene.networkHelpers.mine(10, { interval: 86_400 });
    await (await scene.consents.connect(scene.stranger).revoke(grantId, tearOff)).wait();
    assert.equal((await scene.consents.grantOf(grantId)).revokedBy, 1n);
  });

  it("refuses a signature for another registry, chain, name or version", async () => {
    const made = await grantOf(scene, 2);
    const others = [
      { ...scene.domain, verifyingContract: await scene.consortium.getAddress() },
      { ...scene.domain, chainId: scene.domain.chainId + 1n },
      { ...scene.domain, name: "Xinglin2" },
      { ...scene.domain, version: "2" },
    ];
    for (const domain of others) {
      const call = scene.consents.give(made.grant, await sign(made, domain));
      assert.equal((await refusal(scene.consents, call)).name, "ConsentWrongSigner");
    }
  });

  it("refuses every other form of the same signature", async () => {
    const made = await grantOf(scene, 2);
    const grantId = await scene.consents.grantIdOf(made.grant);
    const signature = await sign(made);
    const { r, s, v, compactSerialized } = scene.ethers.Signature.from(signature);
    const high = scene.ethers.toBeHex(ORDER - BigInt(s), 32);
    const forms = {
      "high s": scene.ethers.concat([r, high, v === 27 ? "0x1c" : "0x1b"]),
      "64 bytes": compactSerialized,
      "v of 0 or 1": scene.ethers.concat([r, s, v === 27 ? "0x00" : "0x01"]),
      "66 bytes": scene.ethers.concat([signature, "0x00"]),
      "nothing": "0x",
    };
    for (const [form, bytes] of Object.entries(forms)) {
      const call = scene.consents.give(made.grant, bytes);
      assert.deepEqual(
        await refusal(scene.consents, call),
        { name: "ConsentInvalidSignature", values: [grantId] },
        form,
      );
    }
    await (await scene.consents.give(made.grant, signature)).wait();
  });

  it("asks no contract whether it signed", async () => {
    // A contract as grantor would need ERC-1271, whose answer may change with time.
    const made = await grantOf(scene, 2);
    const typed = { ...made.typed, grantor: await scene.consortium.getAddress() };
    const grant = { ...made.grant, grantor: typed.grantor };
    const signature = await made.patient.signTypedData(scene.domain, GRANT_TYPES, typed);
    const call = scene.consents.give(grant, signature);
    assert.equal((await refusal(scene.consents, call)).name, "ConsentWrongSigner");
  });

  it("takes a vote on a mandate under its EIP-712 digest", async () => {
    const { ethers, consortium } = scene;
    const domain = { ...scene.domain, verifyingContract: await consortium.getAddress() };
    const types = {
      Mandate: [
        { name: "id", type: "bytes32" },
        { name: "custodian", type: "uint32" },
        { name: "auditor", type: "uint32" },
        { name: "scope", type: "string" },
        { name: "notBefore", type: "uint64" },
        { name: "notAfter", type: "uint64" },
      ],
    };
    const digest = ethers.TypedDataEncoder.hash(domain, types, {
      id: ethers.id("mandate"),
      custodian: 4,
      auditor: 5,
      scope: "{}",
      notBefore: 1,
      notAfter: 2,
    });
    const coder = ethers.AbiCoder.defaultAbiCoder();
    const payload = coder.encode(["bytes32"], [digest]);
    await carry(scene, 12, 4, payload);
    const key = ethers.keccak256(
      coder.encode(["uint8", "uint32", "bytes32"], [12, 4, ethers.keccak256(payload)]),
    );
    assert.notEqual(await consortium.carriedAt(key), 0n);
  });
});
