"""A person's keys, all from one phrase."""

import pytest

from xinglin import keys
from xinglin.errors import InvalidEncoding, UsageError
from xinglin.names import Member

PHRASE = " ".join(["abandon"] * 23 + ["art"])
PERSON = keys.PersonKeys.from_phrase(PHRASE)
HOSPITAL = Member(7)


class TestPhrase:
    def test_a_fresh_phrase_has_24_words_and_is_read_back(self) -> None:
        phrase = keys.new_phrase()
        assert len(phrase.split(" ")) == 24
        keys.PersonKeys.from_phrase(phrase)

    def test_two_fresh_phrases_differ(self) -> None:
        assert keys.new_phrase() != keys.new_phrase()

    @pytest.mark.parametrize(
        "phrase",
        [
            "",
            "abandon " * 23 + "art ",
            " ".join(["abandon"] * 24),
            " ".join(["abandon"] * 22 + ["art"]),
            " ".join(["abandon"] * 11 + ["about"]),
            PHRASE.upper(),
            PHRASE.replace(" ", "  "),
            PHRASE.replace(" ", "\n"),
            PHRASE + "\n",
            PHRASE.replace("art", "xinglin"),
            "aban " * 23 + "art",
        ],
    )
    def test_a_phrase_that_is_not_exactly_one_is_refused(self, phrase: str) -> None:
        with pytest.raises(InvalidEncoding) as refusal:
            keys.PersonKeys.from_phrase(phrase)
        # The message is shown and logged; a word of a phrase never is.
        assert "abandon" not in str(refusal.value)

    def test_nothing_of_the_phrase_is_shown(self) -> None:
        assert repr(PERSON) == "PersonKeys()"


class TestDerivation:
    def test_the_master_seed_is_that_of_bip_39(self) -> None:
        # BIP-39's own vectors use the passphrase TREZOR; without one this is the seed that
        # every wallet computes for this phrase.
        expected = (
            "408b285c123836004f4b8842c89324c1f01382450c0d439af345ba7fc49acf70"
            "5489c6fc77dbd4e3dc1dd8cc6bc9f043db8ada1e243c4a0eafb290d399480840"
        )
        assert PERSON._root.hex() == expected

    def test_paths_are_those_of_bip_44_with_the_member_as_account(self) -> None:
        from eth_account import Account

        Account.enable_unaudited_hdwallet_features()
        for path, account in (
            ("m/44'/60'/7'/0/0", PERSON.enrolled_account(HOSPITAL)),
            ("m/44'/60'/7'/0/3", PERSON.enrolled_account(HOSPITAL, 3)),
            ("m/44'/60'/7'/1/5", PERSON.grant_account(HOSPITAL, 5)),
        ):
            wallet = Account.from_mnemonic(PHRASE, account_path=path)
            assert wallet.address == account.address

    def test_no_two_keys_of_a_person_are_the_same(self) -> None:
        # One account in two places would join two grants, or a grant and a person.
        other = Member(8)
        accounts = [
            PERSON.enrolled_account(HOSPITAL),
            PERSON.enrolled_account(HOSPITAL, 1),
            PERSON.enrolled_account(other),
            PERSON.grant_account(HOSPITAL, 0),
            PERSON.grant_account(HOSPITAL, 1),
            PERSON.grant_account(other, 0),
        ]
        assert len({account.address for account in accounts}) == len(accounts)

    def test_an_encryption_identity_is_derived_and_hides_its_parent(self) -> None:
        identity = PERSON.encryption_identity(HOSPITAL)
        assert identity == PERSON.encryption_identity(HOSPITAL, 0)
        assert identity != PERSON.encryption_identity(HOSPITAL, 1)
        assert identity != PERSON.encryption_identity(Member(8))
        assert identity.seed != PERSON._derive(HOSPITAL, 2, 0)

    @pytest.mark.parametrize("member", [0, -1, 2**31, 2**32])
    def test_a_member_outside_the_path_is_refused(self, member: int) -> None:
        # From 2^31 on a step is a hardened one: two members would share a branch.
        with pytest.raises(UsageError, match="member"):
            PERSON.enrolled_account(Member(member))

    @pytest.mark.parametrize("index", [-1, 2**31])
    def test_an_index_outside_the_path_is_refused(self, index: int) -> None:
        with pytest.raises(UsageError, match="index"):
            PERSON.grant_account(HOSPITAL, index)
        with pytest.raises(UsageError, match="index"):
            PERSON.encryption_identity(HOSPITAL, index)
