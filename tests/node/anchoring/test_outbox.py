"""Revocations and grants on their way: what becomes of each answer that a chain can give."""

import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from xinglin._chain.answers import View
from xinglin._chain.contract import Call
from xinglin._chain.sender import Fee, Phase, Sender, SignedTransaction, TransactionState
from xinglin.encoding import base64url, hex0x
from xinglin.errors import ChainError, ContractError
from xinglin.keys import Account
from xinglin.names import UnixTime
from xinglin_node.anchoring.outbox import Outbox
from xinglin_node.chain.tables import OutboxRow
from xinglin_node.log.unit import Write

BLOCK = View(20, bytes([20]) * 32, UnixTime(1))
LOST, PENDING = TransactionState(Phase.LOST), TransactionState(Phase.PENDING)
MINED, FINAL = TransactionState(Phase.MINED, BLOCK), TransactionState(Phase.FINAL, BLOCK)
UNKNOWN, DONE = "ConsentUnknownGrant", "ConsentAlreadyRevoked"


@dataclass
class Chain:
    """A pool and a sender at once, which answer as a test says."""

    refuses: dict[bytes, str | ChainError] = field(default_factory=dict)
    """What the newest block answers to a payload."""
    final: dict[bytes, str] = field(default_factory=dict)
    """What the final block answers to it."""
    states: dict[bytes, TransactionState] = field(default_factory=dict)
    """How far each signed transaction has come; pending by default."""
    sent: list[bytes] = field(default_factory=list)
    """Hashes, as often as they were handed over."""
    signed: list[SignedTransaction] = field(default_factory=list)
    nonces: Iterator[int] = field(default_factory=itertools.count)
    next: int = 99
    takes: bool = True
    """Whether nodes take what they are handed."""
    while_signing: Callable[[], object] = lambda: None

    def final_view(self, *, agree: int | None = None) -> View:
        return BLOCK

    def call(self, to: str, payload: bytes, **_: object) -> bytes:
        if payload in self.final:
            raise ContractError(self.final[payload], {})
        return b""


class Scripted(Sender):
    """Signs, and asks no node."""

    def __init__(self, chain: Chain, account: Account) -> None:
        profile = SimpleNamespace(chain_id=1, block_period=1)
        super().__init__(SimpleNamespace(profile=profile), account)  # type: ignore[arg-type]
        self.chain = chain

    def next_nonce(self) -> int:
        return self.chain.next

    def build_and_sign(self, call: Call, **_: Any) -> SignedTransaction:
        refused = self.chain.refuses.get(call.data)
        if refused is not None:
            raise ContractError(refused, {}) if isinstance(refused, str) else refused
        self.chain.while_signing()
        signed = self._sign(call, next(self.chain.nonces), 60_000, Fee(0, 0))
        self.chain.signed.append(signed)
        return signed

    def broadcast(self, signed: SignedTransaction) -> None:
        self.chain.sent.append(signed.hash)
        if not self.chain.takes:
            raise ChainError("nonce too low")

    def state(self, signed: SignedTransaction) -> TransactionState:
        return self.chain.states.get(signed.hash, PENDING)


@dataclass
class Office:
    """A node with patients, whose outbox a test steps."""

    consenting: Any
    chain: Chain
    outbox: Outbox

    def step(self, *, later: float = 0) -> None:
        self.consenting.scene.clock.ahead += later
        self.outbox.step()

    def deposit(self, patient: Any) -> Any:
        signed = self.consenting.sign(patient)
        assert self.consenting.deposit(signed).status_code == 201
        return signed

    def show(self, signed: Any) -> None:
        answer = self.consenting.scene.client.post(
            "/v1/relay/revocation",
            json={"grantId": hex0x(signed.id), "signature": base64url(signed.revocation)},
        )
        assert (answer.status_code, answer.json()["state"]) == (202, "stopped")

    def row(self, what: str, signed: Any = None) -> OutboxRow:
        key = what if signed is None else f"{what}:{signed.id.hex()}"
        with self.consenting.scene.house.database.reading() as session:
            return session.scalars(select(OutboxRow).where(OutboxRow.key == key)).one()

    def queue(self, key: str, payload: bytes = b"1") -> OutboxRow:
        """Queue a transaction of no particular meaning."""

        def work(write: Write) -> None:
            write.session.add(
                OutboxRow(
                    key=key, account="anchor", to="0x" + "00" * 19 + "04", payload=payload,
                    not_before=write.now, state="waiting", created_at=write.now,
                )
            )  # fmt: skip

        self.consenting.scene.house.writer.submit(work).result()
        return self.row(key)

    def sent(self, key: str) -> SignedTransaction:
        """One that is on its way."""
        self.queue(key)
        self.step()
        return self.chain.signed[-1]


def office_of(consenting: Any, *, account: Account | None = None, chain: Chain | None = None):
    house, chain = consenting.scene.house, chain or Chain()
    sender = Scripted(chain, account or house.keys.anchor)
    return Office(consenting, chain, Outbox(house, chain, {"anchor": sender}))  # type: ignore[arg-type]


@pytest.fixture
def office(consenting) -> Office:
    return office_of(consenting)


class TestI5ARevocationIsNotLost:
    """I5: whatever the chain has or has not yet seen, a shown revocation reaches it."""

    def test_one_whose_grant_is_on_its_way_waits_for_it(self, office) -> None:
        signed = office.deposit(office.consenting.patient())
        office.step()
        office.show(signed)
        payload = office.row("revoke", signed).payload
        office.chain.refuses[payload] = office.chain.final[payload] = UNKNOWN
        office.step()
        assert office.row("revoke", signed).state == "waiting"

        office.chain.refuses.clear()
        office.chain.final.clear()
        office.step(later=10)

        assert office.row("revoke", signed).state == "sent"
        assert office.chain.sent[-1] == office.row("revoke", signed).transaction

    def test_one_whose_grant_stands_for_days_in_a_halted_chain_is_sent_as_soon_as_it_is_final(
        self, office
    ) -> None:
        signed = office.deposit(office.consenting.patient())
        office.step()
        office.show(signed)
        payload = office.row("revoke", signed).payload
        office.chain.refuses[payload] = office.chain.final[payload] = UNKNOWN
        for _ in range(3):
            office.step(later=86_400)
        assert office.row("revoke", signed).not_before - int(office.consenting.scene.clock()) > 600

        office.chain.refuses.clear()
        office.chain.states[office.row("give", signed).transaction] = FINAL
        office.step()
        office.step()

        assert office.row("revoke", signed).state == "sent"

    def test_a_grant_that_has_not_left_is_taken_back(self, office) -> None:
        signed = office.deposit(office.consenting.patient())
        office.show(signed)
        office.step()

        give = office.row("give", signed)
        assert (give.state, give.error) == ("refused", "Revoked")
        assert [one.hash for one in office.chain.signed] == office.chain.sent
        assert office.chain.sent == [office.row("revoke", signed).transaction]

    def test_a_grant_that_is_taken_back_while_it_is_signed_does_not_leave(self, office) -> None:
        signed = office.deposit(office.consenting.patient())
        shown = iter([lambda: office.show(signed)])
        office.chain.while_signing = lambda: next(shown, lambda: None)()
        office.step()

        assert office.row("give", signed).state == "refused"
        assert office.chain.sent == []

    def test_one_that_was_refused_is_sent_when_it_is_shown_again(self, office) -> None:
        signed = office.deposit(office.consenting.patient())
        office.show(signed)
        payload = office.row("revoke", signed).payload
        office.chain.refuses[payload] = office.chain.final[payload] = "ConsentInvalidSignature"
        office.step()
        assert office.row("revoke", signed).state == "refused"

        office.chain.refuses.clear()
        office.show(signed)
        office.step()

        assert office.row("revoke", signed).state == "sent"

    def test_one_that_waits_is_due_when_it_is_shown_again(self, office) -> None:
        signed = office.deposit(office.consenting.patient())
        office.show(signed)
        payload = office.row("revoke", signed).payload
        office.chain.refuses[payload] = office.chain.final[payload] = UNKNOWN
        office.step()
        office.chain.refuses.clear()
        office.show(signed)
        office.step()

        assert office.row("revoke", signed).state == "sent"

    @pytest.mark.parametrize("name", ["ConsentInvalidSignature", DONE])
    def test_what_only_the_newest_block_says_is_asked_again(self, office, name) -> None:
        # That block may be lost, and its answer with it.
        row = office.queue("revoke:1")
        office.chain.refuses[row.payload] = name
        office.step()
        assert office.row("revoke:1").state == "waiting"

        office.chain.refuses.clear()
        office.step(later=10)

        assert office.row("revoke:1").state == "sent"

    def test_a_revert_that_is_of_no_contract_of_ours_is_no_refusal(self, office) -> None:
        # A node may hide why, and "there is no such grant yet" looks like this then.
        row = office.queue("revoke:1")
        office.chain.refuses[row.payload] = office.chain.final[row.payload] = "Revert"
        office.step()

        assert office.row("revoke:1").state == "waiting"


class TestSuccess:
    @pytest.mark.parametrize("name", ["ConsentAlreadyRevoked", "ConsentAlreadyGiven"])
    def test_what_a_final_block_has_already_is_done(self, office, name) -> None:
        row = office.queue("one")
        office.chain.refuses[row.payload] = office.chain.final[row.payload] = name
        office.step()

        done = office.row("one")
        assert (done.state, done.error, done.block) == ("final", None, BLOCK.number)

    def test_i3_one_that_reverts_because_an_earlier_one_did_it_is_done(self, office) -> None:
        signed = office.sent("one")
        office.chain.states[signed.hash] = replace(FINAL, succeeded=False)
        office.chain.refuses[b"1"] = office.chain.final[b"1"] = DONE
        office.step()

        assert (office.row("one").state, office.row("one").error) == ("final", None)

    def test_one_that_reverted_for_good_says_why(self, office) -> None:
        signed = office.sent("one")
        office.chain.states[signed.hash] = replace(FINAL, succeeded=False)
        office.chain.refuses[b"1"] = office.chain.final[b"1"] = "ConsentUnknownCustodian"
        office.step()

        assert office.row("one").error == "ConsentUnknownCustodian"

    def test_i5_one_that_reverted_and_would_not_any_more_is_signed_anew(self, office) -> None:
        signed = office.sent("one")
        office.chain.states[signed.hash] = replace(FINAL, succeeded=False)
        office.step()

        assert office.row("one").transaction == office.chain.sent[-1] != signed.hash


class TestFollowing:
    """Lost: the same bytes. Superseded: signed anew. Pending: sent again after some blocks."""

    def test_i5_a_revert_in_a_block_that_may_be_lost_is_no_refusal(self, office) -> None:
        signed = office.sent("one")
        office.chain.states[signed.hash] = replace(MINED, succeeded=False)
        office.step()
        assert office.row("one").state == "sent"

        office.chain.states[signed.hash] = FINAL
        office.step()

        assert office.row("one").state == "final"

    def test_i3_one_that_no_node_knows_is_sent_again_as_it_was(self, office) -> None:
        signed = office.sent("one")
        office.chain.states[signed.hash] = LOST
        office.step()

        assert office.chain.sent == [signed.hash, signed.hash]
        assert office.row("one").transaction == signed.hash

    def test_one_whose_nonce_a_final_block_gave_to_another_is_signed_anew(self, office) -> None:
        signed = office.sent("one")
        office.chain.states[signed.hash] = replace(LOST, superseded=True)
        office.step()

        assert office.chain.sent == [one.hash for one in office.chain.signed]
        assert office.row("one").transaction == office.chain.signed[1].hash != signed.hash

    def test_one_that_is_pending_is_sent_again_after_some_blocks_and_not_before(
        self, office
    ) -> None:
        # It may be with a node that is cut off, and with no other.
        signed = office.sent("one")
        office.step()
        assert len(office.chain.sent) == 1

        office.step(later=6)
        office.step()

        assert office.chain.sent == [signed.hash, signed.hash]

    def test_one_that_is_pending_is_sent_again_by_the_next_process(self, office) -> None:
        signed = office.sent("one")
        office_of(office.consenting, chain=office.chain).step()

        assert office.chain.sent == [signed.hash, signed.hash]

    @pytest.mark.parametrize(("state", "later"), [(LOST, 0), (PENDING, 6)])
    def test_i5_one_behind_a_nonce_that_nobody_uses_is_signed_anew(
        self, office, state, later
    ) -> None:
        # A chain that lost blocks takes nonces back; no node would ever mine what comes behind.
        office.sent("one")
        signed = office.sent("two")
        office.chain.states[signed.hash] = state
        office.chain.next = signed.nonce - 1
        office.step(later=later)

        assert office.row("two").transaction not in (signed.hash, None)

    @pytest.mark.parametrize("state", [LOST, PENDING])
    def test_one_that_an_earlier_account_signed_is_signed_anew(self, office, state) -> None:
        # An account that has ended is refused by every node.
        signed = office.sent("one")
        office.chain.states[signed.hash] = state
        office_of(office.consenting, account=Account.generate(), chain=office.chain).step()

        assert office.row("one").transaction not in (signed.hash, None)

    def test_one_that_nodes_refuse_waits_while_its_nonce_is_anothers(self, office) -> None:
        signed = office.sent("one")
        office.chain.states[signed.hash] = LOST
        office.chain.takes = False
        office.step()

        assert office.row("one").transaction == signed.hash

    def test_one_that_nodes_refuse_is_signed_anew_where_its_nonce_is_free(self, office) -> None:
        # As where the price has risen: one of the two is mined at most.
        signed = office.sent("one")
        office.chain.states[signed.hash] = LOST
        office.chain.takes, office.chain.next = False, signed.nonce
        office.step()

        assert office.row("one").transaction not in (signed.hash, None)


class TestOneRowDoesNotHoldUpOthers:
    def test_i5_one_that_a_node_cannot_judge_lets_the_next_one_go(self, office, caplog) -> None:
        office.queue("odd", b"odd")
        office.chain.refuses[b"odd"] = ChainError("gas required exceeds allowance")
        with caplog.at_level(logging.WARNING):
            office.sent("one")

        assert office.row("one").state == "sent"
        assert office.row("odd").state == "waiting"
        assert "put off" in caplog.text

        office.chain.refuses.clear()
        office.step(later=10)

        assert office.row("odd").state == "sent"
