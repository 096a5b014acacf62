"""
What the headers prove: which blocks the validators really sealed.

A node's word about the chain is worth what its operator is. A header is worth more: it
carries the validators' seals, and from the genesis block on each header leads to the
validators of the next. So whoever knows a genesis hash can follow the headers, from
whichever node they come, and knows which state roots were sealed by whom; and whoever
knows a state root can check what a contract stored (`xinglin.headers.state`).

A genesis block names the first validators. It is believed because its hash is known:

>>> from xinglin.headers import header, qbft
>>> genesis = header.from_rpc({
...     "parentHash": "0x" + "00" * 32, "sha3Uncles": "0x" + header.NO_OMMERS.hex(),
...     "miner": "0x" + "00" * 20, "stateRoot": "0x" + "11" * 32,
...     "transactionsRoot": "0x" + "00" * 32, "receiptsRoot": "0x" + "00" * 32,
...     "logsBloom": "0x" + "00" * 256, "difficulty": "0x1", "number": "0x0",
...     "gasLimit": "0x1c9c380", "gasUsed": "0x0", "timestamp": "0x6b49d200",
...     "extraData": qbft.genesis_extra_data(["0x" + "a1" * 20, "0x" + "b2" * 20]),
...     "mixHash": "0x" + qbft.MIX_HASH.hex(), "nonce": "0x" + "00" * 8,
... })
>>> rules = rules_of("qbft", epoch_length=30_000, block_period=2)
>>> view = begin(genesis, block_hash=qbft.block_hash(genesis), rules=rules)
>>> len(view.validators)
2

Every header after it has to be sealed by the validators known so far, or is refused:

>>> follow(view, [genesis])
Traceback (most recent call last):
xinglin.errors.HeaderError: number: expected 1, got 0

Reading order: `header` (what a header is), `validators`, then `qbft` (with `qbft_extra`)
and `clique` (the same shape for two engines), `state` (storage proofs), `store` (resume
where one was) and `following`, whose functions are also here. docs/spec/headers.md has
the rules in words.
"""

from xinglin.headers.following import (
    DEVELOPMENT,
    Engine,
    Rules,
    View,
    begin,
    block_hash_of,
    describe,
    follow,
    resume,
    rules_of,
    views,
)

__all__ = [
    "DEVELOPMENT",
    "Engine",
    "Rules",
    "View",
    "begin",
    "block_hash_of",
    "describe",
    "follow",
    "resume",
    "rules_of",
    "views",
]
