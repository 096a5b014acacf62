"""One node over several RPC nodes: what is behind, forked or at odds must not be followed."""

import contextlib
import logging
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from tests.client.chain.conftest import Between

from xinglin import typed
from xinglin._chain.consortium import Consortium
from xinglin._chain.profile import NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Sender
from xinglin.appointment import Appointment, appoint
from xinglin.document import base64url
from xinglin.errors import ChainError, XinglinError
from xinglin.keys import Account, HpkeIdentity
from xinglin.names import Member
from xinglin.request import AccessRequest, sign_request
from xinglin_node.access import service
from xinglin_node.access.schemas import AccessAsked
from xinglin_node.chain.tables import AnchorRow, MemberRow
from xinglin_node.chain.view import FinalView, final_view
from xinglin_node.log.service import EntryState, entry_status
from xinglin_node.problems import NodeProblem, NotFound, ViewTooOld

MakeNode = Callable[[], Between]


@pytest.fixture
def stand(chain: Any) -> Iterator[MakeNode]:
    """Make nodes that misbehave, in front of the package's chain."""
    servers: list[Between] = []

    def make() -> Between:
        server = Between(chain.profile.rpc[0])
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def over(profile: NetworkProfile, *urls: str, **changes: Any) -> NetworkProfile:
    """The chain over these nodes, of which none is ever too far behind."""
    given = {"max_lag": 10**6, "max_head_age": 10**6} | changes
    return replace(profile, rpc=urls, **given)


class TestOneThatIsBehind:
    def test_i5_what_became_final_is_indexed_though_the_first_node_has_not_heard(
        self, chain: Any, stand: MakeNode, walk: Any, tmp_path: Any
    ) -> None:
        # It answers with no events and without an error; the view moved on, and they were lost.
        member, keys = chain.hospital()
        late, third = stand(), stand()
        profile = over(chain.profile, late.url, chain.profile.rpc[0], third.url)
        with walk(tmp_path / "node", chain.profile, member, keys) as node:
            node.follow()
        with walk(tmp_path / "node", profile, member, keys) as node:
            pool = RpcPool(chain.profile)
            late.cut_off(pool.head().number)
            frozen = Sender(pool, keys.anchor).send(Consortium(pool).freeze(), final=True)
            _until(node, lambda: _view(node).number >= frozen.block.number)
            with node.house.database.reading() as session:
                assert session.get(MemberRow, member).frozen

    def test_i3_an_own_anchor_that_was_missed_does_not_stop_the_next_one(
        self, chain: Any, walk: Any, tmp_path: Any
    ) -> None:
        member, keys = chain.hospital()
        with walk(tmp_path / "node", chain.profile, member, keys) as node:
            node.follow()
            node.append()
            _until(node, lambda: _state(node, 0) is EntryState.FINAL)
            unseen = {"block": None, "block_hash": None, "time": None, "final_at": None}
            statement = update(AnchorRow).values(**unseen)
            node.house.writer.submit(lambda write: write.session.execute(statement)).result()
            node.append()
            _until(node, lambda: _state(node, 1) is EntryState.FINAL)

    def test_nothing_is_lost_where_only_nodes_that_are_behind_are_left(
        self, chain: Any, stand: MakeNode, walk: Any, tmp_path: Any, caplog: Any
    ) -> None:
        member, keys = chain.hospital()
        late = stand()
        profile = over(chain.profile, late.url, chain.profile.rpc[0])
        with walk(tmp_path / "node", chain.profile, member, keys) as node:
            node.follow()
            before = _view(node)
        with walk(tmp_path / "node", profile, member, keys) as node:
            late.cut_off(before.number - 1)
            with caplog.at_level(logging.WARNING):
                node.follow()
            assert "final blocks were lost" not in caplog.text
            assert _view(node).number == before.number


class TestLostFinalBlocks:
    def test_i3_an_orphaned_view_is_left_before_the_new_branch_is_as_long(
        self, own_chain: Any, walk: Any, tmp_path: Any
    ) -> None:
        with own_chain(tmp_path / "chain", 3) as chain:
            url = chain.profile.rpc[0]
            member, keys = chain.hospital()
            with walk(tmp_path / "node", chain.profile, member, keys) as node:
                _rpc(url, "evm_setIntervalMining", [0])
                node.follow()
                earlier = _rpc(url, "evm_snapshot", [])
                _rpc(url, "anvil_mine", [hex(5)])
                node.follow()
                orphaned = _view(node)
                _rpc(url, "evm_revert", [earlier])
                # Its height is there again, and not yet final.
                _rpc(url, "anvil_mine", [hex(4), hex(3)])
                pool = RpcPool(chain.profile)
                assert pool.head().number == orphaned.number
                assert pool.final_view().number < orphaned.number
                node.follow()
                view = _view(node)
                assert pool.view_at(view.number).hash == view.hash


class TestDisagreement:
    def test_i4_while_two_nodes_disagree_the_view_ages_and_no_grant_is_judged(
        self, chain: Any, stand: MakeNode, walk: Any, tmp_path: Any
    ) -> None:
        member, keys = chain.hospital()
        liar = stand()
        profile = over(chain.profile, chain.profile.rpc[0], liar.url, max_view_age=5)
        with walk(tmp_path / "node", profile, member, keys) as node:
            asked = _asked(node.house, member, chain.officers[member - 1])
            _until(node, lambda: isinstance(_refusal(node, asked()), NotFound))
            liar.replace["eth_getBlockByNumber"] = _another_hash
            before = _view(node)
            while not isinstance(refusal := _refusal(node, asked()), ViewTooOld):
                assert isinstance(refusal, NotFound)
                with pytest.raises(ChainError, match="that agree on block"):
                    node.workers.indexer.step()
                time.sleep(0.5)
            assert refusal.name == "view-stale"
            assert _view(node) == before
            assert node.house.now() - before.time > 5
            liar.replace.clear()
            _until(node, lambda: isinstance(_refusal(node, asked()), NotFound))


def _refusal(node: Any, asked: AccessAsked) -> NodeProblem:
    """Why nothing is released: there is no such grant, but the view is judged first."""
    with pytest.raises(NodeProblem) as refused:
        service.answer(node.house, asked)
    return refused.value


def _another_hash(params: Any, result: Any) -> Any:
    if result is None or params[0] in ("latest", "0x0"):
        return result
    return result | {"hash": "0x" + "22" * 32}


def _asked(house: Any, member: Member, officer: Account) -> Callable[[], AccessAsked]:
    """A physician of the house who asks, under a grant, for a record that is not here."""
    account, identity = Account.generate(), HpkeIdentity.generate()
    domain: typed.Domain = house.domain
    appointment = Appointment(
        id=secrets.token_bytes(32),
        member=member,
        account=account.address,
        key_digest=identity.key_digest,
        role="physician",
        person_digest=secrets.token_bytes(32),
        not_before=house.now() - 3600,
        not_after=house.now() + 30 * 86_400,
    )
    signed = appoint(appointment, officer, domain)

    def make() -> AccessAsked:
        given = {
            "id": "0x" + secrets.token_hex(32),
            "custodian": member,
            "ground": "grant",
            "grantId": "0x" + "01" * 32,
            "purpose": "TREAT",
            "research": "",
            "reasonDigest": "0x" + "00" * 32,
            "items": [{"record": str(uuid.uuid4()), "version": 0}],
            "keyDigest": "0x" + identity.key_digest.hex(),
            "issuedAt": house.now(),
            "deadline": house.now() + 300,
        }
        request = sign_request(AccessRequest.from_json(given), account, domain)
        shown = {"appointment": signed.to_json(), "reason": None}
        key = base64url(identity.recipient.public_key)
        return AccessAsked.from_json(request.to_json() | shown | {"publicKey": key})

    return make


def _view(node: Any) -> FinalView:
    with node.house.database.reading() as session:
        return final_view(session)


def _state(node: Any, index: int) -> EntryState:
    with node.house.database.reading() as session:
        return entry_status(session, 0, index).state


def _until(node: Any, done: Callable[[], object], *, seconds: float = 40) -> None:
    ends = time.monotonic() + seconds
    while not done():
        with contextlib.suppress(XinglinError):
            node.step()
        if time.monotonic() > ends:
            raise TimeoutError(f"not within {seconds} s; halted: {node.house.writer.halted}")
        time.sleep(0.2)


def _rpc(url: str, method: str, params: list[object]) -> object:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return httpx.post(url, json=body, trust_env=False).json()["result"]
