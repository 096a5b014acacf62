"""An access request: signed, dated, and its own nonce."""

import uuid

import pytest

from xinglin import typed
from xinglin.errors import InvalidEncoding, RequestError, SignatureError
from xinglin.keys import Account
from xinglin.names import Address
from xinglin.request import (
    MAX_WAIT,
    NO_GRANT,
    AccessRequest,
    Item,
    SignedRequest,
    check_form,
    check_time,
    requester,
    sign_request,
)

PHYSICIAN = Account.from_key(b"\x05" * 32)
DOMAIN = typed.Domain(31337, Address(PHYSICIAN.address))
RECORD = uuid.UUID("7b0a5bb6-2c55-4c6b-9e4c-2f4f2f5b8f11")


def a_request(**changes: object) -> AccessRequest:
    fields: dict[str, object] = {
        "id": b"\x01" * 32,
        "custodian": 1,
        "ground": "grant",
        "grant_id": b"\x02" * 32,
        "purpose": "TREAT",
        "research": "",
        "reason_digest": bytes(32),
        "items": (Item(record=RECORD, version=0),),
        "key_digest": b"\x03" * 32,
        "issued_at": 1_790_000_000,
        "deadline": 1_790_000_300,
    }
    return AccessRequest(**(fields | changes))  # type: ignore[arg-type]


class TestSigning:
    def test_the_requester_is_recovered(self) -> None:
        assert requester(sign_request(a_request(), PHYSICIAN, DOMAIN), DOMAIN) == PHYSICIAN.address

    @pytest.mark.parametrize(
        "change",
        [
            {"id": b"\x09" * 32},
            {"custodian": 2},
            {"grant_id": b"\x09" * 32},
            {"purpose": "HOPERAT"},
            {"reason_digest": b"\x09" * 32},
            {"items": (Item(record=RECORD, version=1),)},
            {"key_digest": b"\x09" * 32},
            {"deadline": 1_790_000_301},
        ],
    )
    def test_every_field_is_under_the_signature(self, change: dict[str, object]) -> None:
        # Else an institution could invent what a person asked for (I4).
        signed = sign_request(a_request(), PHYSICIAN, DOMAIN)
        altered = SignedRequest(request=a_request(**change), signature=signed.signature)
        assert requester(altered, DOMAIN) != PHYSICIAN.address

    def test_a_signature_with_v_of_0_or_1_is_refused(self) -> None:
        signed = sign_request(a_request(), PHYSICIAN, DOMAIN)
        low = signed.signature[:64] + bytes([signed.signature[64] - 27])
        with pytest.raises(SignatureError):
            requester(SignedRequest(request=signed.request, signature=low), DOMAIN)


class TestForm:
    @pytest.mark.parametrize(
        "change",
        [
            {"ground": "care"},
            {"grant_id": NO_GRANT},
            {"purpose": "HRESCH"},
            {"research": "DUO:0000006"},
            {"purpose": "HRESCH", "research": "research of any kind"},
            {"items": (Item(record=RECORD, version=0), Item(record=RECORD, version=0))},
            {"deadline": 1_790_000_000},
            {"deadline": 1_790_000_000 + MAX_WAIT + 1},
        ],
    )
    def test_a_request_that_breaks_a_rule_is_refused(self, change: dict[str, object]) -> None:
        with pytest.raises(RequestError):
            check_form(a_request(**change))

    def test_research_with_its_terms_is_well_formed(self) -> None:
        assert check_form(a_request(purpose="HRESCH", research="DUO:0000006")) is None

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("items", []),
            ("items", [{"record": str(RECORD), "version": 0}] * 1001),
            ("ground", "curiosity"),
            ("purpose", "MARKETING"),
            ("id", "0x00"),
            ("custodian", 0),
        ],
    )
    def test_a_value_outside_its_type_is_refused(self, member: str, value: object) -> None:
        written = a_request().to_json() | {member: value}
        with pytest.raises(InvalidEncoding):
            AccessRequest.from_json(written)  # type: ignore[arg-type]

    def test_it_survives_its_own_encoding(self) -> None:
        assert AccessRequest.decode(a_request().encode()) == a_request()


class TestTime:
    def test_the_deadline_is_exclusive(self) -> None:
        assert check_time(a_request(), 1_790_000_299) is None
        with pytest.raises(RequestError, match="passed"):
            check_time(a_request(), 1_790_000_300)

    def test_a_request_made_far_ahead_is_refused(self) -> None:
        # Signed in advance, it would be a standing permission.
        with pytest.raises(RequestError, match="ahead"):
            check_time(a_request(), 1_790_000_000 - MAX_WAIT - 1)
