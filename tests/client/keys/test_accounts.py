"""Accounts: addresses, signatures, and the one form that a signature has."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin import keys
from xinglin.errors import InvalidEncoding, SignatureError, UsageError
from xinglin.keys.accounts import CURVE_ORDER
from xinglin.names import Address, Signature

DIGEST = bytes(range(32))
SIGNER = keys.Account.from_key(b"\x07" * 32)


def malleated(signature: Signature) -> Signature:
    """The twin (r, n - s) with the other v, which recovers to the same account."""
    s = int.from_bytes(signature[32:64], "big")
    return Signature(
        signature[:32] + (CURVE_ORDER - s).to_bytes(32, "big") + bytes([55 - signature[64]])
    )


class TestAccount:
    def test_a_key_gives_the_address_that_the_chain_gives_it(self) -> None:
        # Private key 1: the address that every Ethereum implementation knows.
        account = keys.Account.from_key((1).to_bytes(32, "big"))
        assert account.address == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"

    def test_a_generated_account_survives_its_key(self) -> None:
        account = keys.Account.generate()
        assert keys.Account.from_key(account.key) == account

    def test_two_generated_accounts_differ(self) -> None:
        assert keys.Account.generate().key != keys.Account.generate().key

    @pytest.mark.parametrize(
        "key",
        [b"", bytes(32), b"\x01" * 31, b"\x01" * 33, CURVE_ORDER.to_bytes(32, "big"), b"\xff" * 32],
    )
    def test_what_is_no_private_key_is_refused(self, key: bytes) -> None:
        with pytest.raises(InvalidEncoding, match="private key"):
            keys.Account.from_key(key)

    def test_the_private_key_is_not_shown(self) -> None:
        # An account ends up in tracebacks and logs; its key must not.
        assert SIGNER.key.hex() not in repr(SIGNER)
        assert repr(SIGNER.key) not in repr(SIGNER)


class TestSignatures:
    def test_a_signature_recovers_to_its_signer(self) -> None:
        signature = SIGNER.sign_digest(DIGEST)
        assert keys.recover_digest(DIGEST, signature) == SIGNER.address
        keys.verify_digest(DIGEST, signature, SIGNER.address)

    @given(st.binary(min_size=32, max_size=32), st.integers(1, CURVE_ORDER - 1))
    @settings(max_examples=50, deadline=None)
    def test_every_signature_of_ours_is_in_the_one_form(self, digest: bytes, key: int) -> None:
        account = keys.Account.from_key(key.to_bytes(32, "big"))
        signature = account.sign_digest(digest)
        assert len(signature) == 65
        assert signature[64] in (27, 28)
        assert int.from_bytes(signature[32:64], "big") <= CURVE_ORDER // 2
        keys.verify_digest(digest, signature, account.address)

    def test_signing_is_deterministic(self) -> None:
        # RFC 6979: a repeated nonce would give the key away, so none is drawn.
        assert SIGNER.sign_digest(DIGEST) == SIGNER.sign_digest(DIGEST)

    def test_a_malleated_signature_is_refused(self) -> None:
        # eth-account accepts it; the contracts do not, and neither do we.
        twin = malleated(SIGNER.sign_digest(DIGEST))
        from eth_account import Account

        assert Account._recover_hash(DIGEST, signature=twin) == SIGNER.address
        with pytest.raises(SignatureError, match="lower half"):
            keys.recover_digest(DIGEST, twin)
        with pytest.raises(SignatureError, match="lower half"):
            keys.verify_digest(DIGEST, twin, SIGNER.address)

    @pytest.mark.parametrize("v", [0, 1, 2, 26, 29, 30, 31, 37, 255])
    def test_a_v_that_is_not_27_or_28_is_refused(self, v: int) -> None:
        signature = Signature(SIGNER.sign_digest(DIGEST)[:64] + bytes([v]))
        with pytest.raises(SignatureError, match=f"got {v}"):
            keys.recover_digest(DIGEST, signature)

    @pytest.mark.parametrize("size", [0, 1, 63, 64, 66, 130])
    def test_a_signature_of_another_length_is_refused(self, size: int) -> None:
        # 64 bytes would be the compact form of EIP-2098: a second encoding.
        signature = Signature((SIGNER.sign_digest(DIGEST) * 2)[:size])
        with pytest.raises(SignatureError, match=f"got {size}"):
            keys.recover_digest(DIGEST, signature)

    @pytest.mark.parametrize(
        ("r", "s"), [(0, 1), (1, 0), (0, 0), (CURVE_ORDER, 1), (2**256 - 1, 1), (5, 1)]
    )
    def test_values_that_are_no_signature_are_refused(self, r: int, s: int) -> None:
        signature = Signature(r.to_bytes(32, "big") + s.to_bytes(32, "big") + b"\x1b")
        with pytest.raises(SignatureError):
            keys.recover_digest(DIGEST, signature)

    def test_a_signature_over_another_digest_is_refused(self) -> None:
        with pytest.raises(SignatureError, match="another account"):
            keys.verify_digest(bytes(32), SIGNER.sign_digest(DIGEST), SIGNER.address)

    def test_a_signature_by_another_account_is_refused(self) -> None:
        other = keys.Account.generate()
        with pytest.raises(SignatureError, match=SIGNER.address):
            keys.verify_digest(DIGEST, other.sign_digest(DIGEST), SIGNER.address)

    @pytest.mark.parametrize("size", [0, 31, 33, 64])
    def test_only_digests_are_signed_and_recovered(self, size: int) -> None:
        with pytest.raises(UsageError):
            SIGNER.sign_digest(bytes(size))
        with pytest.raises(UsageError):
            keys.recover_digest(bytes(size), SIGNER.sign_digest(DIGEST))


class TestAddress:
    @given(st.binary(min_size=20, max_size=20))
    def test_bytes_and_text_are_each_others_only_form(self, value: bytes) -> None:
        assert keys.address_bytes(keys.to_address(value)) == value

    def test_the_checksum_is_that_of_eip_55(self) -> None:
        address = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        assert keys.to_address(bytes.fromhex(address[2:])) == address

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "0x",
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            "0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed ",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\n",
            "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeA",
        ],
    )
    def test_an_address_in_another_form_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidEncoding):
            keys.address_bytes(Address(text))

    def test_bytes_of_another_length_are_no_address(self) -> None:
        with pytest.raises(InvalidEncoding, match="got 32"):
            keys.to_address(bytes(32))
