import assert from "node:assert/strict";
import fs from "node:fs";
import { before, describe, it } from "node:test";
import { anchoredBy, deploy, NO_ANCHOR, refusal } from "./scene.js";
import { Tree } from "./tree.js";

const vectors = JSON.parse(
  fs.readFileSync(new URL("../vectors/merkle.json", import.meta.url), "utf8"),
);

// C7: the vectors that the Python library made, through the registry as a node calls it.
describe("Checkpoints against the vectors", () => {
  let scene;
  let registry;
  before(async () => {
    scene = await deploy();
    registry = scene.checkpoints.connect(scene.anchor[2]);
  });

  /** Runs `body` in a log of `size` entries, and forgets it. */
  async function withLogOf(size, body) {
    const snapshot = await scene.networkHelpers.takeSnapshot();
    const root = vectors.roots[size - 1];
    const transaction = await registry.anchor(size, root, [], NO_ANCHOR);
    await body(await anchoredBy(scene, transaction, root));
    await snapshot.restore();
  }

  const grouped = (claims, key) => Map.groupBy(claims, (claim) => claim[key]);

  it("takes every valid growth, and refuses it with any one bit of the proof changed", async () => {
    for (const [oldSize, proofs] of grouped(vectors.consistency, "oldSize")) {
      await withLogOf(oldSize, async (previous) => {
        for (const { newSize, path } of proofs) {
          const root = vectors.roots[newSize - 1];
          await registry.anchor.staticCall(newSize, root, path, previous);
          if (newSize % 5 !== 0) continue;
          const place = newSize % path.length;
          const forged = path.with(place, flip(path[place], newSize));
          const call = registry.anchor.staticCall(newSize, root, forged, previous);
          assert.deepEqual(await refusal(registry, call), {
            name: "CheckpointInconsistent",
            values: [2n, 0n, BigInt(oldSize), BigInt(newSize)],
          });
        }
      });
    }
  });

  it("refuses every tampered growth", async () => {
    const fits = vectors.refused_consistency.filter(
      (claim) => claim.oldRoot === vectors.roots[claim.oldSize - 1],
    );
    assert.ok(fits.length > 50);
    for (const [oldSize, claims] of grouped(fits, "oldSize")) {
      await withLogOf(oldSize, async (previous) => {
        for (const { name, newSize, newRoot, path } of claims) {
          const call = registry.anchor.staticCall(newSize, newRoot, path, previous);
          assert.equal((await refusal(registry, call)).name, "CheckpointInconsistent", name);
        }
      });
    }
  });

  it("shows every leaf to be where it is, and no tampered one", async () => {
    for (const [size, proofs] of grouped(vectors.inclusion, "size")) {
      if (size > 12 && size !== 40) continue;
      await withLogOf(size, async (anchor) => {
        for (const { index, path } of proofs) {
          await registry.verifyInclusion(2, 0, size, anchor, index, vectors.leaves[index], path);
        }
        for (const claim of vectors.refused_inclusion) {
          if (claim.size !== size || claim.root !== vectors.roots[size - 1]) continue;
          const { index, leaf, path, name } = claim;
          const call = registry.verifyInclusion(2, 0, size, anchor, index, leaf, path);
          assert.equal((await refusal(registry, call)).name, "CheckpointNotIncluded", name);
        }
      });
    }
  });

  it("makes the same trees in JavaScript", () => {
    const tree = Tree.ofSize(40);
    assert.deepEqual(
      vectors.roots,
      vectors.roots.map((_, index) => tree.root(index + 1)),
    );
    for (const { oldSize, newSize, path } of vectors.consistency) {
      assert.deepEqual(tree.consistency(oldSize, newSize), path);
    }
    for (const { index, size, path } of vectors.inclusion) {
      assert.deepEqual(tree.inclusion(index, size), path);
    }
  });
});

function flip(hash, bit) {
  const flipped = BigInt(hash) ^ (1n << BigInt(bit));
  return `0x${flipped.toString(16).padStart(64, "0")}`;
}
