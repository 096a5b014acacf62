import assert from "node:assert/strict";
import fs from "node:fs";
import { describe, it } from "node:test";

const folder = new URL("./", import.meta.url);
const readme = fs.readFileSync(new URL("../../contracts/README.md", folder.href), "utf8");
const tests = fs
  .readdirSync(folder)
  .filter((name) => name.endsWith(".t.sol"))
  .map((name) => fs.readFileSync(new URL(name, folder), "utf8"))
  .join("\n");

// An invariant that no test names is only a sentence.
describe("Invariants", () => {
  const numbers = [...readme.matchAll(/^- \*\*C(\d+)\*\*/gm)].map(([, number]) => Number(number));

  it("are numbered without a gap", () => {
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
    );
    assert.ok(numbers.length >= 18);
  });

  for (const number of numbers) {
    it(`C${number} is named by a test`, () => {
      assert.match(tests, new RegExp(`function (test|testFuzz|invariant)_C${number}_`));
    });
  }
});
