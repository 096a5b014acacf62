"""EIP-712: our eight types, hashed as wallets and contracts hash them, and nothing else."""

from collections.abc import Mapping
from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin import keys, typed
from xinglin.errors import InvalidEncoding, SignatureError, UsageError
from xinglin.names import Address, Signature
from xinglin.typed import Domain

REGISTRY = keys.to_address(b"\x11" * 20)
DOMAIN = Domain(31337, REGISTRY)
SIGNER = keys.Account.from_key(b"\x07" * 32)

ATOMS: Mapping[str, st.SearchStrategy[Any]] = {
    "uint32": st.integers(0, 2**32 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "bytes16": st.binary(min_size=16, max_size=16),
    "bytes32": st.binary(min_size=32, max_size=32),
    "address": st.binary(min_size=20, max_size=20).map(keys.to_address),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
}


def values(kind: str) -> st.SearchStrategy[Any]:
    if kind.endswith("[]"):
        return st.lists(values(kind[:-2]), max_size=4)
    if kind in ATOMS:
        return ATOMS[kind]
    return st.fixed_dictionaries(
        {field: values(type_) for field, type_ in typed._PINNED_STRUCTS[kind]}
    )


messages = st.sampled_from(sorted(typed.TYPES)).flatmap(
    lambda kind: st.tuples(st.just(kind), values(kind))
)
domains = st.builds(
    Domain, st.integers(1, 2**53), st.binary(min_size=20, max_size=20).map(keys.to_address)
)


def grant(**changes: object) -> dict[str, object]:
    return {
        "custodian": 1,
        "grantor": SIGNER.address,
        "terms": "{}",
        "notBefore": 0,
        "expiresAt": 86400,
        "deadline": 3600,
    } | changes


class TestTypes:
    def test_there_are_eight(self) -> None:
        assert sorted(typed.TYPES) == [
            "AccessRequest",
            "Appointment",
            "Attestation",
            "Enrolment",
            "Grant",
            "GrantAccount",
            "Mandate",
            "Revocation",
        ]

    @pytest.mark.parametrize("name", sorted(typed.TYPES))
    def test_what_is_parsed_encodes_to_what_is_pinned(self, name: str) -> None:
        assert typed.encode_type(name, typed._PINNED_STRUCTS) == typed.TYPES[name]

    def test_the_referenced_types_are_sorted(self) -> None:
        # In whichever order the members stand.
        others = {"A": (("x", "bool"),), "B": (("a", "A"),)}
        one = {"Z": (("b", "B"), ("a", "A[]")), **others}
        other = {"Z": (("a", "A[]"), ("b", "B")), **others}
        assert typed.encode_type("Z", one) == "Z(B b,A[] a)A(bool x)B(A a)"
        assert typed.encode_type("Z", other) == "Z(A[] a,B b)A(bool x)B(A a)"


class TestDigest:
    @given(messages, domains)
    @settings(max_examples=200, deadline=None)
    def test_it_is_the_one_that_eth_account_computes(
        self, message: tuple[str, dict[str, Any]], domain: Domain
    ) -> None:
        # The wallet's and the contract's hash is this one: a difference would void signatures.
        kind, value = message
        request = typed.wallet_request(domain, kind, value)
        signable = encode_typed_data(full_message=request)
        assert typed.digest(domain, kind, value) == _hash_eip191_message(signable)

    @given(messages, domains)
    @settings(max_examples=100, deadline=None)
    def test_the_wallet_s_form_hashes_the_same(
        self, message: tuple[str, dict[str, Any]], domain: Domain
    ) -> None:
        kind, value = message
        request: Any = typed.wallet_request(domain, kind, value)
        assert typed.digest(domain, kind, value) == typed.hash_typed_data(
            request["domain"], request["types"], request["primaryType"], request["message"]
        )

    def test_every_part_of_the_domain_counts(self) -> None:
        # Replay: another chain, another registry.
        digests = {
            typed.digest(domain, "Revocation", {"grantId": bytes(32)})
            for domain in (DOMAIN, Domain(1, REGISTRY), Domain(31337, SIGNER.address))
        }
        assert len(digests) == 3

    def test_one_type_never_hashes_as_another(self) -> None:
        one = typed.digest(DOMAIN, "Revocation", {"grantId": bytes(32)})
        other = typed.digest(DOMAIN, "Attestation", {"statement": ""})
        assert one != other

    def test_an_empty_list_of_items_has_a_digest_of_its_own(self) -> None:
        # That no request is empty is the request's rule; hashing has no opinion.
        request: dict[str, Any] = {
            "id": bytes(32),
            "custodian": 1,
            "ground": "care",
            "grantId": bytes(32),
            "purpose": "TREAT",
            "research": "",
            "reasonDigest": bytes(32),
            "items": [],
            "keyDigest": bytes(32),
            "issuedAt": 1,
            "deadline": 2,
        }
        item = {"record": bytes(16), "version": 0}
        assert typed.digest(DOMAIN, "AccessRequest", request) != typed.digest(
            DOMAIN, "AccessRequest", request | {"items": [item]}
        )


class TestStrictness:
    @pytest.mark.parametrize(
        "change",
        [
            {"custodian": -1},
            {"custodian": 2**32},
            {"custodian": "1"},
            {"custodian": True},
            {"custodian": 1.0},
            {"custodian": None},
            {"notBefore": 2**64},
            {"grantor": SIGNER.address.lower()},
            {"grantor": keys.address_bytes(SIGNER.address)},
            {"grantor": "alice.eth"},
            {"terms": b"{}"},
            {"terms": "\ud800"},
            {"extra": 1},
        ],
    )
    def test_a_value_in_another_form_is_refused(self, change: dict[str, object]) -> None:
        with pytest.raises(InvalidEncoding):
            typed.digest(DOMAIN, "Grant", grant(**change))

    def test_a_missing_member_is_refused(self) -> None:
        # Some libraries hash an absent member as zero: two messages, one signature.
        message = grant()
        del message["deadline"]
        with pytest.raises(InvalidEncoding, match="exactly the members"):
            typed.digest(DOMAIN, "Grant", message)

    @pytest.mark.parametrize("value", [b"", bytes(31), bytes(33), "0x" + "00" * 32, bytearray(32)])
    def test_bytes_of_another_length_or_form_are_refused(self, value: object) -> None:
        with pytest.raises(InvalidEncoding, match="32 bytes"):
            typed.digest(DOMAIN, "Revocation", {"grantId": value})

    def test_a_type_that_is_not_ours_is_refused(self) -> None:
        for name in ("Permit", "Item", "EIP712Domain", ""):
            with pytest.raises(UsageError):
                typed.digest(DOMAIN, name, {})

    @pytest.mark.parametrize(
        "domain",
        [
            Domain(-1, REGISTRY),
            Domain(2**256, REGISTRY),
            Domain(1, Address(REGISTRY.upper())),
            Domain(1, Address("0x")),
        ],
    )
    def test_a_domain_out_of_form_is_refused(self, domain: Domain) -> None:
        with pytest.raises(InvalidEncoding):
            typed.separator(domain)


class TestAnyTypedData:
    PERSON: Mapping[str, Any] = {"Person": [{"name": "kin", "type": "Person[]"}]}

    def test_a_type_may_refer_to_itself(self) -> None:
        alone = typed.hash_typed_data({}, self.PERSON, "Person", {"kin": []})
        child = typed.hash_typed_data({}, self.PERSON, "Person", {"kin": [{"kin": []}]})
        assert alone != child

    def test_a_message_of_endless_depth_is_refused_and_does_not_crash(self) -> None:
        message: dict[str, Any] = {"kin": []}
        for _ in range(100_000):
            message = {"kin": [message]}
        with pytest.raises(InvalidEncoding, match="depth"):
            typed.hash_typed_data({}, self.PERSON, "Person", message)
        while message["kin"]:  # taken apart by hand: freeing it at once recurses too
            message = message["kin"].pop()

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("uint7", 1),
            ("uint264", 1),
            ("uint0", 1),
            ("bytes33", b"x"),
            ("bytes0", b""),
            ("Nobody", {}),
            ("function", b""),
            ("uint8", 256),
            ("int8", 128),
            ("int8", -129),
            ("uint8", "0x1ff"),
            ("uint8", "1_0"),
            ("uint8", "01"),
            ("uint8", " 1"),
            ("bool", 1),
            ("bool", "true"),
            ("bytes", "00"),
            ("bytes", "0x0"),
            ("bytes4", "0x000000"),
            ("address", "0x00"),
            ("uint8[2]", [1]),
            ("uint8[2]", [1, 2, 3]),
            ("uint8[]", "12"),
            ("uint8[]", {"0": 1}),
        ],
    )
    def test_values_and_types_that_do_not_fit_are_refused(self, kind: str, value: object) -> None:
        types = {"T": [{"name": "x", "type": kind}]}
        with pytest.raises(InvalidEncoding):
            typed.hash_typed_data({}, types, "T", {"x": value})

    def test_a_member_twice_is_refused(self) -> None:
        types = {"T": [{"name": "x", "type": "bool"}, {"name": "x", "type": "bool"}]}
        with pytest.raises(InvalidEncoding, match="once"):
            typed.hash_typed_data({}, types, "T", {"x": True})

    def test_a_domain_with_other_members_is_refused(self) -> None:
        types = {"T": [{"name": "x", "type": "bool"}]}
        with pytest.raises(InvalidEncoding, match="EIP712Domain"):
            typed.hash_typed_data({"owner": "me"}, types, "T", {"x": True})

    def test_a_primary_type_that_is_not_among_the_types_is_refused(self) -> None:
        with pytest.raises(InvalidEncoding, match="primary type"):
            typed.hash_typed_data({}, {}, "T", {})


class TestSignatures:
    MESSAGE: Mapping[str, object] = {"grantId": bytes(range(32))}

    def signed(self) -> Signature:
        return typed.sign(DOMAIN, "Revocation", self.MESSAGE, SIGNER)

    def test_a_signature_verifies_and_recovers(self) -> None:
        typed.verify(DOMAIN, "Revocation", self.MESSAGE, self.signed(), SIGNER.address)
        recovered = typed.recover(DOMAIN, "Revocation", self.MESSAGE, self.signed())
        assert recovered == SIGNER.address

    def test_eth_account_makes_the_same_signature(self) -> None:
        from eth_account import Account

        request = typed.wallet_request(DOMAIN, "Revocation", self.MESSAGE)
        signed = Account.sign_typed_data(SIGNER.key, full_message=request)
        assert bytes(signed.signature) == self.signed()

    @pytest.mark.parametrize("domain", [Domain(1, REGISTRY), Domain(31337, SIGNER.address)])
    def test_a_signature_replayed_elsewhere_is_refused(self, domain: Domain) -> None:
        with pytest.raises(SignatureError):
            typed.verify(domain, "Revocation", self.MESSAGE, self.signed(), SIGNER.address)

    def test_a_signature_over_another_message_is_refused(self) -> None:
        with pytest.raises(SignatureError):
            typed.verify(
                DOMAIN, "Revocation", {"grantId": bytes(32)}, self.signed(), SIGNER.address
            )

    def test_a_malleated_signature_is_refused(self) -> None:
        order = keys.accounts.CURVE_ORDER
        signature = self.signed()
        s = order - int.from_bytes(signature[32:64], "big")
        twin = signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
        with pytest.raises(SignatureError, match="lower half"):
            typed.verify(DOMAIN, "Revocation", self.MESSAGE, Signature(twin), SIGNER.address)
