"""Recipients and identities: hybrid HPKE, and what a wrap is bound to."""

import pytest

from xinglin import keys
from xinglin.errors import InvalidEncoding, UnwrapError, UsageError
from xinglin.hashes import labelled
from xinglin.names import DataKey

ALICE = keys.HpkeIdentity.from_seed(b"\x01" * 32)
BOB = keys.HpkeIdentity.from_seed(b"\x02" * 32)
DATA_KEY = DataKey(bytes(range(32)))
INFO = b"this record, this grant"


class TestKeys:
    def test_a_seed_is_the_whole_identity(self) -> None:
        again = keys.HpkeIdentity.from_seed(ALICE.seed)
        assert again == ALICE
        assert again.unwrap(ALICE.recipient.wrap(DATA_KEY, INFO), INFO) == DATA_KEY

    def test_two_generated_identities_differ(self) -> None:
        assert keys.HpkeIdentity.generate().seed != keys.HpkeIdentity.generate().seed

    def test_a_public_key_is_1216_bytes_and_makes_its_recipient(self) -> None:
        public_key = ALICE.recipient.public_key
        assert len(public_key) == keys.PUBLIC_KEY_SIZE == 1216
        assert keys.HpkeRecipient(public_key) == ALICE.recipient

    def test_the_key_digest_names_the_kem_too(self) -> None:
        # So that one day the same bytes under another KEM are another key.
        public_key = ALICE.recipient.public_key
        assert keys.key_digest(public_key) == labelled(
            b"xinglin/key/v1", bytes.fromhex("647a"), public_key
        )
        assert ALICE.key_digest == ALICE.recipient.key_digest == keys.key_digest(public_key)

    @pytest.mark.parametrize("size", [0, 32, 1184, 1215, 1217])
    def test_a_public_key_of_another_length_is_refused(self, size: int) -> None:
        with pytest.raises(InvalidEncoding, match=f"got {size}"):
            keys.HpkeRecipient(bytes(size))

    def test_a_public_key_outside_the_field_is_refused(self) -> None:
        # FIPS 203, section 7.2: coefficients of 3329 and above are no encapsulation key.
        broken = b"\xff" * 1184 + ALICE.recipient.public_key[1184:]
        with pytest.raises(InvalidEncoding):
            keys.HpkeRecipient(broken).wrap(DATA_KEY, INFO)

    def test_a_public_key_of_low_order_is_never_wrapped_to(self) -> None:
        # Every X25519 share with this point is the same; half of the hybrid would be void.
        broken = keys.HpkeRecipient(ALICE.recipient.public_key[:1184] + bytes(32))
        with pytest.raises(InvalidEncoding, match="low order"):
            broken.wrap(DATA_KEY, INFO)

    @pytest.mark.parametrize("size", [0, 31, 33, 96])
    def test_a_seed_of_another_length_is_refused(self, size: int) -> None:
        with pytest.raises(InvalidEncoding, match=f"got {size}"):
            keys.HpkeIdentity.from_seed(bytes(size))

    def test_the_seed_is_not_shown(self) -> None:
        assert repr(ALICE.seed) not in repr(ALICE)
        assert ALICE.seed.hex() not in repr(ALICE)


class TestWrap:
    def test_a_wrap_has_1168_bytes_and_gives_the_key_back(self) -> None:
        wrap = ALICE.recipient.wrap(DATA_KEY, INFO)
        assert len(wrap) == keys.WRAP_SIZE == 1168
        assert ALICE.unwrap(wrap, INFO) == DATA_KEY

    def test_two_wraps_of_one_key_have_nothing_in_common(self) -> None:
        assert ALICE.recipient.wrap(DATA_KEY, INFO) != ALICE.recipient.wrap(DATA_KEY, INFO)

    def test_a_wrap_for_another_identity_does_not_open(self) -> None:
        with pytest.raises(UnwrapError):
            BOB.unwrap(ALICE.recipient.wrap(DATA_KEY, INFO), INFO)

    @pytest.mark.parametrize("info", [b"", INFO[:-1], INFO + b"\x00", b"another grant"])
    def test_a_wrap_for_another_purpose_does_not_open(self, info: bytes) -> None:
        with pytest.raises(UnwrapError):
            ALICE.unwrap(ALICE.recipient.wrap(DATA_KEY, INFO), info)

    @pytest.mark.parametrize("at", [0, 500, 1087, 1088, 1119, 1120, 1151, 1152, 1167])
    def test_a_flipped_bit_in_either_half_or_the_key_is_noticed(self, at: int) -> None:
        wrap = bytearray(ALICE.recipient.wrap(DATA_KEY, INFO))
        wrap[at] ^= 1
        with pytest.raises(UnwrapError):
            ALICE.unwrap(bytes(wrap), INFO)

    @pytest.mark.parametrize("size", [0, 1120, 1167, 1169, 2336])
    def test_a_wrap_of_another_length_is_refused(self, size: int) -> None:
        wrap = (ALICE.recipient.wrap(DATA_KEY, INFO) * 2)[:size]
        with pytest.raises(UnwrapError, match=f"got {size}"):
            ALICE.unwrap(wrap, INFO)

    @pytest.mark.parametrize("size", [0, 16, 31, 33])
    def test_only_data_keys_are_wrapped(self, size: int) -> None:
        with pytest.raises(UsageError, match=f"got {size}"):
            ALICE.recipient.wrap(DataKey(bytes(size)), INFO)

    def test_a_wrap_that_holds_more_than_a_key_does_not_open(self) -> None:
        # Made past our own `wrap`, by someone who has the public key only.
        from cryptography.hazmat.primitives import hpke

        from xinglin.keys import hybrid

        long_wrap = hybrid._SUITE.encrypt(bytes(33), ALICE.recipient._parsed, info=INFO)
        with pytest.raises(UnwrapError, match="got 1169"):
            ALICE.unwrap(long_wrap, INFO)
        other = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)
        with pytest.raises(UnwrapError):
            ALICE.unwrap(other.encrypt(DATA_KEY, ALICE.recipient._parsed, info=INFO), INFO)
