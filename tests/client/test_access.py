"""What a client checks of an answer before it uses it."""

import copy
import secrets
import uuid
from dataclasses import dataclass

import pytest

from xinglin.access import Asker, new_request, read_answer
from xinglin.encoding import base64url, hex0x
from xinglin.envelope import wrap_for
from xinglin.errors import (
    InvalidEncoding,
    RequestError,
    SignatureError,
    UnwrapError,
    UsageError,
)
from xinglin.hashes import Digest
from xinglin.keys import Account, HpkeIdentity, new_data_key
from xinglin.names import Address, GrantId, Member, RecordId, RequestId, UnixTime
from xinglin.request import AccessRequest, Item
from xinglin.statement import attest, manifest_digest, new_salt, record_statement
from xinglin.typed import Domain

DOMAIN = Domain(31337, Account.from_key(b"\x02" * 32).address)
GRANT = GrantId(b"\xc4" * 32)


@dataclass
class Answered:
    """A request, and an answer as an honest node gives it."""

    request: AccessRequest
    asker: Asker
    answer: dict[str, object]

    def read(self):
        return read_answer(self.answer, self.request, self.asker)

    @property
    def released(self) -> dict[str, object]:
        return self.answer["items"][0]["released"]


def item_for(request: AccessRequest, asker: Asker, record: RecordId, **changes: object):
    statement = record_statement(
        **(
            {
                "record": record, "version": 1, "custodian": Member(1),
                "blob": Digest(bytes(32)), "size": 300, "claimed_at": UnixTime(1),
                "category": "outpatient-note", "media_type": "text/plain",
            }
            | changes
        )
    ).encode()  # fmt: skip
    wrap = wrap_for(
        new_data_key(), asker.identity.recipient, manifest_digest(statement),
        grant=GRANT, request=RequestId(request.id),
    )  # fmt: skip
    return {
        "attestation": attest(statement, Account.generate(), DOMAIN).to_json(),
        "salt": base64url(new_salt()), "wrap": base64url(wrap.wrap), "generation": 0, "index": 7,
    }  # fmt: skip


@pytest.fixture(scope="module")
def honest() -> Answered:
    asker = Asker(Account.generate(), HpkeIdentity.generate(), DOMAIN)
    records = [RecordId(uuid.uuid4()) for _ in range(2)]
    request = new_request(
        asker, custodian=Member(1), ground="grant", purpose="TREAT", grant=GRANT, research="",
        items=[Item(record=record, version=0) for record in records], reason=None, now=1,
    )  # fmt: skip
    return Answered(
        request,
        asker,
        {
            "request": hex0x(request.id),
            "accessIndex": 9,
            "refusalIndex": 10,
            "receipts": {"access": "a receipt", "refusal": None},
            "items": [
                {
                    "record": str(records[0]), "version": 0, "term": None,
                    "released": item_for(request, asker, records[0]),
                },
                {"record": str(records[1]), "version": 0, "released": None, "term": "scope"},
            ],
        },
    )  # fmt: skip


@pytest.fixture
def answered(honest: Answered) -> Answered:
    return Answered(honest.request, honest.asker, copy.deepcopy(honest.answer))


class TestReadAnswer:
    def test_an_honest_answer_is_read(self, answered) -> None:
        answer = answered.read()

        assert [item.version for item in answer.released] == [1]
        assert [item.term for item in answer.refused] == ["scope"]
        assert (answer.access_index, answer.receipt) == (9, "a receipt")

    def test_the_answer_to_another_request_is_refused(self, answered) -> None:
        answered.answer["request"] = hex0x(secrets.token_bytes(32))

        with pytest.raises(RequestError, match="another's"):
            answered.read()

    def test_items_out_of_order_or_missing_are_refused(self, answered) -> None:
        answered.answer["items"].reverse()
        with pytest.raises(RequestError, match="order"):
            answered.read()
        answered.answer["items"].pop()
        with pytest.raises(RequestError, match="2 items"):
            answered.read()

    def test_another_record_in_place_of_the_one_asked_for_is_refused(self, answered) -> None:
        other = item_for(answered.request, answered.asker, RecordId(uuid.uuid4()))
        answered.answer["items"][0]["released"] = other

        with pytest.raises(RequestError, match="another record"):
            answered.read()

    def test_a_record_of_another_custodian_is_refused(self, answered) -> None:
        record = answered.request.items[0].record
        other = item_for(answered.request, answered.asker, record, custodian=Member(2))
        answered.answer["items"][0]["released"] = other

        with pytest.raises(RequestError, match="another record"):
            answered.read()

    def test_a_swapped_key_does_not_open(self, answered) -> None:
        # The wrap of another record, or of another request, in this one's place.
        record = answered.request.items[0].record
        other = item_for(answered.request, answered.asker, record, size=301)
        answered.released["wrap"] = other["wrap"]

        with pytest.raises(UnwrapError):
            answered.read()

    def test_an_altered_attestation_is_refused(self, answered) -> None:
        attestation = answered.released["attestation"]
        attestation["statement"] = attestation["statement"].replace('"size":300', '"size":301')

        with pytest.raises(SignatureError):
            answered.read()

    @pytest.mark.parametrize("member", ["attestation", "wrap", "index"])
    def test_a_missing_member_is_named(self, answered, member) -> None:
        del answered.released[member]

        with pytest.raises(InvalidEncoding):
            answered.read()


class TestNewRequest:
    def test_each_has_an_id_of_its_own(self, answered) -> None:
        ids = {self.make(answered.asker).id for _ in range(3)}

        assert len(ids) == 3

    def test_none_and_too_many_items_are_refused(self, answered) -> None:
        for count in (0, 1001):
            with pytest.raises(UsageError, match="1 to 1000"):
                self.make(answered.asker, count)

    def make(self, asker: Asker, count: int = 1) -> AccessRequest:
        items = [Item(record=uuid.uuid4(), version=0) for _ in range(count)]
        return new_request(
            asker, custodian=Member(1), ground="care", purpose="TREAT", items=items,
            grant=None, research="", reason=None, now=1,
        )  # fmt: skip


def test_an_asker_does_not_show_its_identity() -> None:
    identity = HpkeIdentity.generate()
    shown = repr(Asker(Account.from_key(b"\x03" * 32), identity, DOMAIN))

    assert "identity" not in shown
    assert Address(Account.from_key(b"\x03" * 32).address) in shown
