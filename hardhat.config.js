import { createRequire } from "node:module";
import { defineConfig } from "hardhat/config";
import hardhatEthers from "@nomicfoundation/hardhat-ethers";
import hardhatNetworkHelpers from "@nomicfoundation/hardhat-network-helpers";
import hardhatNodeTestRunner from "@nomicfoundation/hardhat-node-test-runner";

const require = createRequire(import.meta.url);

/**
 * Everything is compiled by the one pinned npm `solc`, and every network speaks London:
 * consortium chains upgrade slowly, and one bytecode has to run on Anvil, Clique and QBFT.
 * Solidity tests take the London rules only with `--network default`.
 */
export default defineConfig({
  plugins: [hardhatEthers, hardhatNetworkHelpers, hardhatNodeTestRunner],
  solidity: {
    version: "0.8.37",
    path: require.resolve("solc/soljson.js"),
    settings: {
      evmVersion: "london",
      optimizer: { enabled: true, runs: 200 },
      outputSelection: { "*": { "*": ["storageLayout"] } },
    },
  },
  networks: {
    default: {
      type: "edr-simulated",
      chainType: "l1",
      hardfork: "london",
      initialBaseFeePerGas: 0,
      gasPrice: 0,
    },
  },
  paths: {
    sources: "./contracts",
    tests: { solidity: "./tests/contracts", nodejs: "./tests/contracts" },
  },
  test: {
    solidity: {
      fsPermissions: { readDirectory: ["./tests"] },
      fuzz: { runs: 256, seed: "0x1" },
      invariant: { runs: 64, depth: 32 },
    },
  },
});
