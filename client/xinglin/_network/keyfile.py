"""A validator's key under a password, as every engine reads it (Web3 Secret Storage, version 3)."""

from typing import Any

from eth_account import Account

_IV_DIGITS = 32
"""Of AES's 16 bytes in hexadecimal."""


def encrypted(key: bytes, password: str, *, cost: int | None = None) -> dict[str, object]:
    """
    Return the key file of `key`; `cost` is scrypt's N, the library's usual one where none is given.

    eth-keyfile writes the initialisation vector as a number: one in 256 begins with a zero byte
    and loses it. It reads such a file itself; go-ethereum panics on it.
    """
    made: dict[str, Any] = Account.encrypt(key, password, kdf="scrypt", iterations=cost)
    vector = made["crypto"]["cipherparams"]
    vector["iv"] = vector["iv"].zfill(_IV_DIGITS)
    return made
