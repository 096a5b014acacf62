import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { before, describe, it } from "node:test";
import hre from "hardhat";
import { deploy } from "./scene.js";

const MAX_CODE_SIZE = 24_576; // EIP-170
const PUSH0 = 0x5f; // Shanghai, EIP-3855
const TLOAD_TO_MCOPY = [0x5c, 0x5d, 0x5e]; // Cancun
const PUSH1 = 0x60;
const PUSH32 = 0x7f;

// One bytecode has to run on Anvil, Clique and QBFT, of which Clique ends before Shanghai.
// `--coverage` compiles other code, with a call at every statement.
const skip = hre.globalOptions.coverage ? "the code is instrumented" : false;

describe("Bytecode", { skip }, () => {
  let scene;
  before(async () => {
    scene = await deploy();
  });

  const names = ["consortium", "checkpoints", "consents", "models"];

  it("is small enough to be deployed", async () => {
    for (const name of names) {
      const code = await scene[name].getDeployedCode();
      assert.ok((code.length - 2) / 2 <= MAX_CODE_SIZE, name);
    }
  });

  it("has no instruction that London does not know", async () => {
    for (const name of names) {
      const code = Buffer.from((await scene[name].getDeployedCode()).slice(2), "hex");
      // The last two bytes say how long the metadata before them is; it is no code.
      const end = code.length - 2 - code.readUInt16BE(code.length - 2);
      for (let at = 0; at < end; at++) {
        assert.ok(code[at] !== PUSH0 && !TLOAD_TO_MCOPY.includes(code[at]), `${name} at ${at}`);
        if (code[at] >= PUSH1 && code[at] <= PUSH32) at += code[at] - PUSH1 + 1;
      }
    }
  });

  it("is what Python deploys", () => {
    const { status, stderr } = spawnSync(process.execPath, ["scripts/abi.js", "--check"], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
  });
});
