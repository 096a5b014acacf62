"""I5 on a real chain: a revocation that was shown is on it in the end."""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from xinglin import canonical, consent
from xinglin._chain.consents import Consents
from xinglin._chain.sender import Fee, Phase, Sender, transaction_state
from xinglin._network.probe import ask
from xinglin.consent import SignedGrant
from xinglin.encoding import base64url
from xinglin.errors import XinglinError
from xinglin.keys import Account
from xinglin.names import SubjectId, UnixTime
from xinglin_node.chain.tables import OutboxRow
from xinglin_node.consents.outgoing import give_payload, queue_transaction, relay_at
from xinglin_node.consents.tables import GrantRow
from xinglin_node.log.unit import Write
from xinglin_node.relay.schemas import SignedRevocation
from xinglin_node.relay.service import relay_revocation


@pytest.fixture
def node(own_chain, walk, tmp_path) -> Iterator[Any]:
    """A node with a chain of its own, which a test may stop."""
    with own_chain(tmp_path / "chain", 3) as chain:
        member, keys = chain.hospital()
        with walk(tmp_path / "node", chain.profile, member, keys, relay_spread_seconds=600) as made:
            made.follow()
            yield made


def sign(node: Any) -> SignedGrant:
    terms = {
        "type": "urn:xinglin:terms:1",
        "sentence": "我同意。",
        "salt": base64url(secrets.token_bytes(32)),
        "subject": {"enrolment": "sha256:" + "0" * 64, "account": None, "signature": None},
        "grantee": {"member": 2, "role": "physician", "account": None, "project": None},
        "scope": {
            "records": None, "categories": ["outpatient-note"],
            "from": None, "to": None, "versions": "all",
        },
        "purposes": ["TREAT"], "research": None, "view": "whole", "frequency": None,
        "onward": False, "evidence": None,
    }  # fmt: skip
    return consent.sign(
        canonical.encode(terms),
        custodian=node.house.member,
        account=Account.generate(),
        days=30,
        now=UnixTime(int(time.time())),
        consents=node.house.consents_domain,
    )


def deposit(node: Any, subject: SubjectId, signed: SignedGrant) -> None:
    """What a deposit leaves in the tables."""

    def work(write: Write) -> None:
        queue_transaction(
            write, node.house, key=f"give:{signed.id.hex()}", account="anchor",
            payload=give_payload(signed.grant, signed.signature),
            not_before=relay_at(write, node.house, subject),
        )  # fmt: skip
        write.session.add(
            GrantRow(
                id=signed.id, subject=subject, grantor=signed.grant.grantor, how="signed",
                terms=signed.grant.terms, not_before=0, expires_at=signed.grant.expires_at,
                grantee_member=2, generation=0, index=0,
            )
        )  # fmt: skip

    node.house.writer.submit(work).result()


def show(node: Any, signed: SignedGrant) -> None:
    shown = SignedRevocation(grant_id=signed.id, signature=signed.revocation)
    assert relay_revocation(node.house, shown).state == "stopped"


def row(node: Any, what: str, signed: SignedGrant) -> OutboxRow:
    with node.house.database.reading() as session:
        key = f"{what}:{signed.id.hex()}"
        return session.scalars(select(OutboxRow).where(OutboxRow.key == key)).one()


def carry(node: Any, what: str, signed: SignedGrant, *, not_before: int) -> None:
    """Let a transaction go at another time than was drawn."""

    def work(write: Write) -> None:
        key = f"{what}:{signed.id.hex()}"
        write.session.execute(
            update(OutboxRow).where(OutboxRow.key == key).values(not_before=not_before)
        )

    node.house.writer.submit(work).result()


def revoked(node: Any, signed: SignedGrant) -> bool:
    state = Consents(node.workers.pool).grant(signed.id)
    return state is not None and state.revoked_at != 0


def until(node: Any, done: Callable[[], bool], *, seconds: float = 40) -> None:
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends, f"not within {seconds} s"
        with contextlib.suppress(XinglinError):
            node.step()
        time.sleep(0.2)


def halt(node: Any) -> None:
    ask(node.house.profile.rpc[0], "evm_setAutomine", [False])
    ask(node.house.profile.rpc[0], "evm_setIntervalMining", [0])


def go_on(node: Any) -> None:
    ask(node.house.profile.rpc[0], "evm_setIntervalMining", [1])


class TestI5ShownBeforeItsGrantIsOnTheChain:
    def test_a_grant_whose_transaction_is_lost_for_a_while_ends_revoked(self, node) -> None:
        signed = sign(node)
        deposit(node, SubjectId(uuid4()), signed)
        halt(node)
        node.workers.outbox.step()
        ask(node.house.profile.rpc[0], "anvil_dropAllTransactions", [])
        carry(node, "give", signed, not_before=int(time.time()) + 600)
        show(node, signed)
        node.workers.outbox.step()
        assert row(node, "give", signed).state == "sent"
        carry(node, "give", signed, not_before=0)
        go_on(node)

        until(node, lambda: row(node, "give", signed).state == "final")
        until(node, lambda: row(node, "revoke", signed).state == "final")

        assert revoked(node, signed)

    def test_a_grant_that_is_held_back_is_not_given_and_if_another_gives_it_ends_revoked(
        self, node
    ) -> None:
        subject, first, held = SubjectId(uuid4()), sign(node), sign(node)
        deposit(node, subject, first)
        deposit(node, subject, held)
        show(node, held)

        carry(node, "give", held, not_before=0)
        until(node, lambda: row(node, "give", first).state == "final")
        registry = Consents(node.workers.pool)
        assert registry.grant(held.id) is None

        stranger = Sender(node.workers.pool, Account.generate())
        stranger.send(registry.give(held.grant, held.signature))
        until(node, lambda: row(node, "revoke", held).state == "final")

        assert revoked(node, held)
        assert not revoked(node, first)


class TestI5ABlockThatIsLost:
    def test_a_revert_in_it_does_not_end_a_revocation(self, node) -> None:
        signed, pool = sign(node), node.workers.pool
        registry = Consents(pool)
        others = Sender(pool, Account.generate())
        others.send(registry.give(signed.grant, signed.signature), final=True)
        node.follow()
        halt(node)
        show(node, signed)
        node.workers.outbox.step()
        # Somebody else pays to be first in the same block, so that ours reverts.
        ask(node.house.profile.rpc[0], "anvil_setBalance", [others.account.address, hex(10**18)])
        call = registry.revoke(signed.id, signed.revocation)
        others.broadcast(others.build_and_sign(call, gas=200_000, fee=Fee(10**9, 10**9)))
        ask(node.house.profile.rpc[0], "evm_mine", [])
        sent = row(node, "revoke", signed)
        state = transaction_state(
            pool, sent.transaction, sender=node.house.keys.anchor.address, nonce=sent.nonce
        )
        assert (state.phase, state.succeeded) == (Phase.MINED, False)
        node.workers.outbox.step()
        ask(node.house.profile.rpc[0], "anvil_reorg", [1, []])
        assert not revoked(node, signed)
        go_on(node)

        until(node, lambda: row(node, "revoke", signed).state == "final")

        assert revoked(node, signed)
