"""
Everything a person needs, from one phrase of 24 words.

The phrase is BIP-39 (English list, no passphrase); keys hang below it as BIP-32 and BIP-44
say, with the custodian's member number where BIP-44 has the account:

    m/44'/60'/member'/0/i   enrolled account; i counts re-enrolments
    m/44'/60'/member'/1/k   grant accounts, one for each grant
    m/44'/60'/member'/2/i   not an account: feeds HKDF-SHA256 for the encryption identity

So no two institutions see the same account, and no two grants do. The steps below `member'`
are not hardened, as BIP-44 has them: whoever has the extended public key of a member's branch
*and* one private key below it has the branch. We never export an extended key.

The derivation itself is eth-account's (`eth_account.hdaccount`), which calls it unaudited;
the vectors of BIP-39 and BIP-32 are run over it in our tests.
"""

import re
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xinglin.errors import InvalidEncoding, UsageError
from xinglin.keys.accounts import Account
from xinglin.keys.hybrid import SEED_SIZE, HpkeIdentity
from xinglin.names import Member

PHRASE_WORDS = 24
"""Words of a phrase: 256 bits and a checksum of 8 (BIP-39)."""

HPKE_LABEL = b"xinglin/hpke/v1"

ENROLLED_BRANCH, GRANT_BRANCH, ENCRYPTION_BRANCH = 0, 1, 2

_PATH_LIMIT = 2**31
"""Steps of a path stay below this; above are the hardened ones (BIP-32)."""

_WORDS = re.compile(r"[a-z]+(?: [a-z]+)*")


def new_phrase() -> str:
    """Draw a fresh phrase of 24 English words."""
    from eth_account.hdaccount.mnemonic import Mnemonic  # costs a second: not at import

    return str(Mnemonic().generate(PHRASE_WORDS))


@dataclass(frozen=True, slots=True)
class PersonKeys:
    """All keys of one person, derived when asked for. Its `repr` shows nothing."""

    _root: bytes = field(repr=False)

    @classmethod
    def from_phrase(cls, phrase: str) -> Self:
        """
        Read a phrase of 24 lower-case words with single spaces.

        Raises `InvalidEncoding` for another number of words, a word that is not in the
        list, or a wrong checksum. The message never repeats a word.
        """
        from eth_account.hdaccount.mnemonic import Mnemonic  # costs a second: not at import

        words = phrase.split(" ")
        if _WORDS.fullmatch(phrase) is None or len(words) != PHRASE_WORDS:
            raise InvalidEncoding(
                f"expected {PHRASE_WORDS} lower-case words with single spaces between them"
            )
        if not Mnemonic().is_mnemonic_valid(phrase):
            raise InvalidEncoding("expected words of the BIP-39 list with a right checksum")
        return cls(bytes(Mnemonic.to_seed(phrase, "")))

    def enrolled_account(self, member: Member, i: int = 0) -> Account:
        """The account that `member` enrols this person under; `i` counts re-enrolments."""
        return Account.from_key(self._derive(member, ENROLLED_BRANCH, i))

    def grant_account(self, member: Member, k: int) -> Account:
        """The account of the `k`th grant about records that `member` keeps."""
        return Account.from_key(self._derive(member, GRANT_BRANCH, k))

    def encryption_identity(self, member: Member, i: int = 0) -> HpkeIdentity:
        """The identity that belongs to `enrolled_account(member, i)`."""
        key = self._derive(member, ENCRYPTION_BRANCH, i)
        hkdf = HKDF(SHA256(), length=SEED_SIZE, salt=None, info=HPKE_LABEL + b"\x00")
        return HpkeIdentity.from_seed(hkdf.derive(key))

    def _derive(self, member: Member, branch: int, index: int) -> bytes:
        from eth_account.hdaccount import key_from_seed  # costs a second: not at import

        if not 0 < member < _PATH_LIMIT:
            raise UsageError(f"expected a member from 1 to 2^31 - 1, got {member}")
        if not 0 <= index < _PATH_LIMIT:
            raise UsageError(f"expected an index from 0 to 2^31 - 1, got {index}")
        return bytes(key_from_seed(self._root, f"m/44'/60'/{member}'/{branch}/{index}"))
