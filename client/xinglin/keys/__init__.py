"""
Keys: who can be sealed to, who can open, and who can sign.

* A `Recipient` wraps a data key and an `Identity` unwraps it: `HpkeRecipient` and
  `HpkeIdentity` are the one pair there is, post-quantum hybrid HPKE.
* An `Account` signs 32-byte digests on secp256k1, as the chain's accounts do.
* `PersonKeys` derives all of a person's keys from one phrase of 24 words.
* A key file holds secrets under a passphrase; recovery shares hold a seed among officers.

>>> alice = HpkeIdentity.generate()
>>> wrap = alice.recipient.wrap(DataKey(bytes(32)), b"what it is for")
>>> alice.unwrap(wrap, b"what it is for") == bytes(32)
True

The bytes are in docs/spec/keys.md.
"""

from xinglin.keys.accounts import (
    Account,
    address_bytes,
    recover_digest,
    to_address,
    verify_digest,
)
from xinglin.keys.files import read_key_file, write_key_file
from xinglin.keys.hybrid import (
    DATA_KEY_SIZE,
    PUBLIC_KEY_SIZE,
    SEED_SIZE,
    WRAP_SIZE,
    HpkeIdentity,
    HpkeRecipient,
    Identity,
    Recipient,
    key_digest,
    new_data_key,
)
from xinglin.keys.phrase import PersonKeys, new_phrase
from xinglin.keys.recovery import combine_recovery, split_recovery
from xinglin.names import DataKey

__all__ = [
    "DATA_KEY_SIZE",
    "PUBLIC_KEY_SIZE",
    "SEED_SIZE",
    "WRAP_SIZE",
    "Account",
    "DataKey",
    "HpkeIdentity",
    "HpkeRecipient",
    "Identity",
    "PersonKeys",
    "Recipient",
    "address_bytes",
    "combine_recovery",
    "key_digest",
    "new_data_key",
    "new_phrase",
    "read_key_file",
    "recover_digest",
    "split_recovery",
    "to_address",
    "verify_digest",
    "write_key_file",
]
