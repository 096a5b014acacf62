"""
Recovery shares: a seed in several people's hands (SLIP-39).

The institution's recovery recipient is an `HpkeIdentity` whose seed nobody holds alone: it is
split among officers when a node is set up, and put together when the node's own key is lost.

>>> shares = split_recovery(bytes(range(32)), threshold=2, shares=3)
>>> combine_recovery(shares[1:]) == bytes(range(32))
True
"""

from collections.abc import Sequence

import shamir_mnemonic

from xinglin.errors import InvalidEncoding, UsageError
from xinglin.keys.hybrid import SEED_SIZE

MAX_SHARES = 16
"""Most shares that SLIP-39 can number."""


def split_recovery(seed: bytes, threshold: int, shares: int) -> list[str]:
    """
    Split a seed of 32 bytes into `shares`, of which `threshold` give it back.

    One group, no passphrase. Raises `UsageError` for a threshold of one (copies, not
    shares), more than 16 shares, or fewer shares than the threshold.
    """
    if len(seed) != SEED_SIZE:
        raise UsageError(f"expected a seed of {SEED_SIZE} bytes, got {len(seed)}")
    if not 2 <= threshold <= shares <= MAX_SHARES:
        raise UsageError(
            f"expected 2 <= threshold <= shares <= {MAX_SHARES}, got {threshold} of {shares}"
        )
    return list(shamir_mnemonic.generate_mnemonics(1, [(threshold, shares)], seed)[0])


def combine_recovery(shares: Sequence[str], *, passphrase: bytes = b"") -> bytes:
    """
    Put a seed together again from just enough shares.

    Raises `InvalidEncoding` for a share that is mistyped, of another set, repeated, or one
    too few or too many. A wrong passphrase is not noticed: SLIP-39 gives another seed.
    """
    if not shares:
        raise UsageError("expected at least one share")
    try:
        return bytes(shamir_mnemonic.combine_mnemonics(shares, passphrase))
    except (shamir_mnemonic.MnemonicError, ValueError) as error:
        raise InvalidEncoding("expected matching SLIP-39 shares, just as many as needed") from error
