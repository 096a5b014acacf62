// A Merkle tree of RFC 9162 that holds a million leaves: complete subtrees are hashed once, level
// by level, and every other node is made of them by the recursive definitions of section 2.1.
import { createHash } from "node:crypto";

const PREFIX_LEAF = Buffer.from([0]);
const PREFIX_NODE = Buffer.from([1]);

const sha256 = (...parts) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** The leaf hash of some content. */
export const leafHash = (content) => sha256(PREFIX_LEAF, content);

const nodeHash = (left, right) => sha256(PREFIX_NODE, left, right);
const hex = (hash) => `0x${hash.toString("hex")}`;

export class Tree {
  #levels;

  /** Leaf hashes, as buffers of 32 bytes. */
  constructor(leaves) {
    this.#levels = [leaves];
    for (let level = leaves; level.length > 1; ) {
      const above = [];
      for (let i = 0; i + 1 < level.length; i += 2) above.push(nodeHash(level[i], level[i + 1]));
      this.#levels.push(above);
      level = above;
    }
  }

  /** A tree of `size` leaves that hold their own number. */
  static ofSize(size) {
    const leaves = Array.from({ length: size }, (_, index) => {
      const entry = Buffer.alloc(64);
      entry.writeUInt32BE(index, 60);
      return leafHash(entry);
    });
    return new Tree(leaves);
  }

  /** Root of the first `size` leaves, as hexadecimal. */
  root(size) {
    return hex(this.#node(0, size));
  }

  leaf(index) {
    return hex(this.#levels[0][index]);
  }

  /** PROOF(old, D[size]) of section 2.1.4.1. */
  consistency(old, size) {
    return this.#subproof(old, 0, size, true).map(hex);
  }

  /** PATH(index, D[size]) of section 2.1.3.1. */
  inclusion(index, size) {
    return this.#path(index, 0, size).map(hex);
  }

  #node(start, end) {
    const size = end - start;
    const height = 31 - Math.clz32(size);
    if (size === 2 ** height && start % size === 0) return this.#levels[height][start / size];
    const middle = start + split(size);
    return nodeHash(this.#node(start, middle), this.#node(middle, end));
  }

  #subproof(old, start, end, complete) {
    const size = end - start;
    if (old === size) return complete ? [] : [this.#node(start, end)];
    const middle = start + split(size);
    const half = middle - start;
    return old <= half
      ? [...this.#subproof(old, start, middle, complete), this.#node(middle, end)]
      : [...this.#subproof(old - half, middle, end, false), this.#node(start, middle)];
  }

  #path(index, start, end) {
    if (end - start === 1) return [];
    const middle = start + split(end - start);
    return index < middle - start
      ? [...this.#path(index, start, middle), this.#node(middle, end)]
      : [...this.#path(index - (middle - start), middle, end), this.#node(start, middle)];
  }
}

/** The largest power of two below `size`. */
function split(size) {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}
