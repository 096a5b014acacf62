"""The four contracts through their bindings, on a real chain; and what the verbs make of them."""

import base64
import hashlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from xinglin import consent
from xinglin._chain.checkpoints import NO_ANCHOR, Anchored, Checkpoints
from xinglin._chain.consents import Consents
from xinglin._chain.consortium import (
    Consortium,
    NewAccount,
    admission,
    model_approval,
    new_account,
    new_url,
    stopped_change,
)
from xinglin._chain.deploy import DeploymentPlan, deploy, new_network_id
from xinglin._chain.models import Models, ModelStatus
from xinglin._chain.rpc import RpcPool
from xinglin._chain.words import Change, ChangeState, Kind, Power, Role, Status
from xinglin.anchor import anchor, fetch_anchor, fetch_history
from xinglin.checkpoint import Checkpoint
from xinglin.errors import ContractError, InvalidEncoding, UsageError
from xinglin.grant import DAY, HOUR, witnessed_id
from xinglin.hashes import Digest
from xinglin.history import origin, read_origin
from xinglin.keys import Account
from xinglin.merkle import ConsistencyProof, leaf_hash
from xinglin.names import Generation, Member, NetworkId, NodeHash, RootHash, UnixTime

FIRST, SECOND, THIRD = Member(1), Member(2), Member(3)
ZEROTH = Generation(0)

TERMS = (
    b'{"evidence":null,"frequency":null,"grantee":{"account":null,"member":2,"project":null,'
    b'"role":null},"onward":false,"purposes":["TREAT"],"research":null,"salt":"%s",'
    b'"scope":{"categories":["note"],"from":null,"records":null,"to":null,"versions":"all"},'
    b'"sentence":"x","subject":{"account":null,"enrolment":"sha256:%s","signature":null},'
    b'"type":"urn:xinglin:terms:1","view":"whole"}'
)


def terms(number: int) -> bytes:

    salt = base64.urlsafe_b64encode(bytes([number]) * 32).rstrip(b"=")
    return TERMS % (salt, b"ab" * 32)


def node_hash(left: bytes, right: bytes) -> bytes:

    return hashlib.sha256(b"\x01" + left + right).digest()


LEAVES = [leaf_hash(bytes([n]) * 64) for n in range(4)]
PAIR = node_hash(LEAVES[0], LEAVES[1])
OTHER_PAIR = node_hash(LEAVES[2], LEAVES[3])
FOUR = node_hash(PAIR, OTHER_PAIR)
EXTENDS = ConsistencyProof(2, 4, (NodeHash(OTHER_PAIR),))
"""The tree of four begins with the tree of two (RFC 9162, section 2.1.4)."""


class TestMembers:
    def test_founders_are_members_with_their_accounts(self, deployed: Any) -> None:
        consortium = Consortium(deployed.pool)
        view = deployed.pool.final_view()
        first = consortium.member(FIRST, at=view)
        assert first is not None
        assert (first.name, first.role, first.status) == (
            "Hospital 1",
            Role.HOSPITAL,
            Status.ACTIVE,
        )
        assert first.log_key == bytes([1]) * 32
        assert first.validator is None
        assert [account.powers for account in first.accounts][:4] == list(Power)
        assert consortium.encryption_key(FIRST, at=view) == bytes(1216)
        assert consortium.network_id(at=view) == deployed.profile.network_id

    def test_an_account_that_is_no_member_s_is_none(self, deployed: Any) -> None:
        assert Consortium(deployed.pool).account(Account.generate().address) is None
        assert Consortium(deployed.pool).member(Member(999)) is None

    def test_admission_takes_two_of_three(self, deployed: Any) -> None:
        consortium = Consortium(deployed.pool)
        govern = [hospital.govern for hospital in deployed.hospitals]
        account = Account.generate()
        applicant = deployed.hospitals[0].applicant(9)
        joins = type(applicant)(
            "Institute",
            "",
            bytes([9]) * 32,
            None,
            bytes(1216),
            (NewAccount(account.address, Power.GOVERN),),
        )
        payload = admission(Role.RESEARCH_INSTITUTE, joins)
        before = consortium.member_count()
        deployed.sender(govern[0]).send(consortium.propose(Kind.ADMIT, None, payload), final=True)
        proposal = consortium.proposals(at=deployed.pool.final_view())[-1]
        assert (proposal.kind, proposal.proposer, proposal.payload) == (Kind.ADMIT, FIRST, payload)
        deployed.sender(govern[0]).send(consortium.vote(proposal.number))
        assert consortium.member_count() == before
        assert consortium.has_voted(proposal.number, FIRST)
        deployed.sender(govern[1]).send(consortium.vote(proposal.number), final=True)
        assert consortium.member_count() == before + 1
        standing = consortium.account(account.address)
        assert standing is not None
        assert standing.member == before + 1
        assert consortium.carried_at(Kind.ADMIT, None, payload) > 0

    def test_a_vote_twice_is_the_contract_s_own_refusal(self, deployed: Any) -> None:
        consortium = Consortium(deployed.pool)
        sender = deployed.sender(deployed.hospitals[0].govern)
        sender.send(consortium.propose(Kind.SUSPEND, THIRD), final=True)
        number = consortium.proposals(at=deployed.pool.final_view())[-1].number
        sender.send(consortium.vote(number))
        with pytest.raises(ContractError) as caught:
            sender.send(consortium.vote(number))
        assert caught.value.name == "ConsortiumAlreadyVoted"
        assert caught.value.arguments == {"proposal": number, "member": FIRST}

    def test_a_stranger_is_refused_with_the_power_that_was_needed(self, deployed: Any) -> None:
        stranger = Account.generate()
        with pytest.raises(ContractError) as caught:
            deployed.sender(stranger).send(Consortium(deployed.pool).freeze())
        assert caught.value.name == "ConsortiumUnauthorizedAccount"
        assert caught.value.arguments["account"] == stranger.address

    def test_a_change_of_one_s_own_waits_and_then_applies(self, deployed: Any) -> None:
        consortium = Consortium(deployed.pool)
        sender = deployed.sender(deployed.hospitals[1].govern)
        url = "https://moved.example"
        sender.send(consortium.request_change(Change.URL, new_url(url)), final=True)
        change = consortium.changes()[-1]
        assert (change.member, change.what, change.state) == (
            SECOND,
            Change.URL,
            ChangeState.PENDING,
        )
        with pytest.raises(ContractError) as caught:
            sender.send(consortium.apply_change(change.number))
        assert caught.value.name == "ConsortiumTooEarly"
        while deployed.pool.head().time <= change.applies_from:
            time.sleep(0.2)
        sender.send(consortium.apply_change(change.number))
        member = consortium.member(SECOND)
        assert member is not None
        assert member.url == url

    def test_a_change_can_be_stopped_by_vote(self, deployed: Any) -> None:
        consortium = Consortium(deployed.pool)
        govern = [hospital.govern for hospital in deployed.hospitals]
        added = NewAccount(Account.generate().address, Power.WITNESS)
        deployed.sender(govern[2]).send(
            consortium.request_change(Change.ADD_ACCOUNT, new_account(added)), final=True
        )
        change = consortium.changes()[-1]
        deployed.sender(govern[0]).send(
            consortium.propose(Kind.STOP_CHANGE, THIRD, stopped_change(change.number)), final=True
        )
        number = consortium.proposals(at=deployed.pool.final_view())[-1].number
        for account in govern[:2]:
            deployed.sender(account).send(consortium.vote(number))
        stopped = consortium.change(change.number)
        assert stopped is not None
        assert stopped.state is ChangeState.STOPPED

    def test_a_withdrawn_appointment_shows_when(self, deployed: Any) -> None:
        consortium = Consortium(deployed.pool)
        digest = b"\x77" * 32
        assert consortium.withdrawn_at(FIRST, digest) == 0
        deployed.sender(deployed.hospitals[0].appoint).send(
            consortium.withdraw_appointment(digest), final=True
        )
        assert consortium.withdrawn_at(FIRST, digest) > 0


class TestAnchoring:
    def test_a_log_grows_checkpoint_by_checkpoint(self, deployed: Any) -> None:
        name = origin(deployed.profile.network_id, FIRST, ZEROTH)
        sender = deployed.sender(deployed.hospitals[0].anchor)
        first = anchor(Checkpoint(name, 2, RootHash(PAIR)), sender=sender)
        second = anchor(Checkpoint(name, 4, RootHash(FOUR)), sender=sender, proof=EXTENDS)
        assert fetch_history(deployed.pool, name) == [first, second]
        assert fetch_anchor(deployed.pool, name, index=1) == first
        assert fetch_anchor(deployed.pool, name, index=2) == second
        assert fetch_anchor(deployed.pool, name, index=4) is None

        registry = Checkpoints(deployed.pool)
        path = (NodeHash(LEAVES[2]), NodeHash(PAIR))
        arguments = {"anchored": second, "index": 3, "leaf": LEAVES[3]}
        registry.verify_inclusion(FIRST, ZEROTH, **arguments, path=path)
        with pytest.raises(ContractError) as caught:
            registry.verify_inclusion(FIRST, ZEROTH, **arguments, path=path[::-1])
        assert caught.value.name == "CheckpointNotIncluded"

    def test_a_forked_log_is_refused_by_the_contract(self, deployed: Any) -> None:
        # I2: not even the log's own key can anchor another history.
        name = origin(deployed.profile.network_id, SECOND, ZEROTH)
        sender = deployed.sender(deployed.hospitals[1].anchor)
        anchor(Checkpoint(name, 2, RootHash(PAIR)), sender=sender)
        forged = node_hash(node_hash(LEAVES[1], LEAVES[0]), OTHER_PAIR)
        with pytest.raises(ContractError) as caught:
            anchor(Checkpoint(name, 4, RootHash(forged)), sender=sender, proof=EXTENDS)
        assert caught.value.name == "CheckpointInconsistent"

    def test_a_first_checkpoint_names_nothing_before_it(self, deployed: Any) -> None:
        registry = Checkpoints(deployed.pool)
        wrong = Anchored(1, NO_ANCHOR).anchor
        call = registry.anchor(2, RootHash(PAIR), (), previous=type(wrong)(wrong.root, 1, 1))
        with pytest.raises(ContractError) as caught:
            deployed.sender(deployed.hospitals[2].anchor).send(call)
        assert caught.value.name == "CheckpointPreviousMismatch"

    def test_a_proof_is_asked_for_where_there_is_a_checkpoint(self, deployed: Any) -> None:
        name = origin(deployed.profile.network_id, THIRD, ZEROTH)
        sender = deployed.sender(deployed.hospitals[2].anchor)
        anchor(Checkpoint(name, 2, RootHash(PAIR)), sender=sender)
        with pytest.raises(UsageError, match="proof"):
            anchor(Checkpoint(name, 4, RootHash(FOUR)), sender=sender)

    def test_a_log_of_another_network_is_refused(self, deployed: Any) -> None:
        name = origin(NetworkId(bytes(16)), FIRST, ZEROTH)
        with pytest.raises(UsageError, match="this network"):
            fetch_history(deployed.pool, name)

    @pytest.mark.parametrize(
        "text",
        [
            "xinglin.network/" + "0" * 32 + "/0/0",
            "xinglin.network/" + "0" * 32 + "/01/0",
            "xinglin.network/" + "0" * 32 + "/1/00",
            "xinglin.network/" + "0" * 31 + "/1/0",
            "xinglin.network/" + "A" * 32 + "/1/0",
            "other.network/" + "0" * 32 + "/1/0",
            "xinglin.network/" + "0" * 32 + "/1/0\n",
        ],
    )
    def test_an_origin_has_one_form(self, text: str) -> None:
        with pytest.raises(InvalidEncoding):
            read_origin(text)


class TestConsent:
    @pytest.fixture
    def give(self, deployed: Any) -> Callable[[int], consent.SignedGrant]:
        domain = consent.domain_of(deployed.pool)

        def make(number: int) -> consent.SignedGrant:
            return consent.sign(
                terms(number),
                custodian=FIRST,
                account=Account.generate(),
                days=30,
                now=UnixTime(deployed.pool.head().time),
                consents=domain,
            )

        return make

    def test_the_chain_computes_the_id_that_was_signed(self, deployed: Any, give: Any) -> None:
        signed = give(1)
        # Anyone may carry it: the relayer has no part in it.
        relayer = deployed.sender(Account.generate())
        assert consent.give(signed, sender=relayer) == signed.id
        state = consent.fetch(deployed.pool, signed.id)
        assert state is not None
        assert (state.grantor, state.how, state.revoked_at) == (signed.grant.grantor, "signed", 0)
        assert state.expires_at == signed.grant.expires_at

    def test_times_are_rounded_so_that_they_join_no_two_grants(self, give: Any) -> None:
        signed = give(2)
        assert signed.grant.expires_at % DAY == 0
        assert signed.grant.deadline % HOUR == 0
        assert signed.grant.not_before == 0

    def test_again_is_refused_and_revoked_stays_revoked(self, deployed: Any, give: Any) -> None:
        signed = give(3)
        sender = deployed.sender(Account.generate())
        consent.give(signed, sender=sender)
        with pytest.raises(ContractError) as caught:
            consent.give(signed, sender=sender)
        assert caught.value.name == "ConsentAlreadyGiven"
        consent.revoke(signed.id, signed.revocation, sender=sender)
        state = consent.fetch(deployed.pool, signed.id)
        assert state is not None
        assert state.revoked_by == "grantor"
        assert state.revoked_at > state.given_at - 1
        for call in (
            lambda: consent.give(signed, sender=sender),
            lambda: consent.revoke(signed.id, signed.revocation, sender=sender),
        ):
            with pytest.raises(ContractError, match=r"Consent(AlreadyGiven|AlreadyRevoked)"):
                call()

    def test_another_s_signature_is_refused(self, deployed: Any, give: Any) -> None:
        mine, other = give(4), give(5)
        swapped = consent.SignedGrant(mine.grant, mine.id, other.signature, other.revocation)
        with pytest.raises(ContractError) as caught:
            consent.give(swapped, sender=deployed.sender(Account.generate()))
        assert caught.value.name == "ConsentWrongSigner"

    def test_a_replacement_ends_one_and_begins_the_other(self, deployed: Any, give: Any) -> None:
        old, new = give(6), give(7)
        sender = deployed.sender(Account.generate())
        consent.give(old, sender=sender)
        consent.replace(old.id, old.revocation, new, sender=sender)
        before, after = (consent.fetch(deployed.pool, one.id) for one in (old, new))
        assert before is not None
        assert after is not None
        assert before.revoked_at == after.given_at

    def test_a_witnessed_grant_is_marked_and_its_custodian_ends_it(self, deployed: Any) -> None:
        hospital = deployed.hospitals[0]
        sender = deployed.sender(hospital.witness)
        end = UnixTime((deployed.pool.head().time // DAY + 40) * DAY)
        given = consent.witness(terms(8), custodian=FIRST, expires_at=end, sender=sender)
        assert given == witnessed_id(
            FIRST,
            terms(8),
            not_before=UnixTime(0),
            expires_at=end,
            consents=consent.domain_of(deployed.pool),
        )
        state = consent.fetch(deployed.pool, given)
        assert state is not None
        assert (state.how, state.grantor) == ("witnessed", hospital.witness.address)
        consent.revoke_as_custodian([given], sender=sender)
        ended = Consents(deployed.pool).grant(given)
        assert ended is not None
        assert ended.revoked_by == "witness"

    def test_no_grant_is_none_and_not_an_empty_one(self, deployed: Any, give: Any) -> None:
        assert consent.fetch(deployed.pool, give(9).id) is None

    def test_a_period_beyond_ten_years_is_refused_before_the_chain(self, deployed: Any) -> None:
        with pytest.raises(UsageError, match="3653"):
            consent.sign(
                terms(1),
                custodian=FIRST,
                account=Account.generate(),
                days=3654,
                now=UnixTime(0),
                consents=consent.domain_of(deployed.pool),
            )

    def test_ten_years_to_the_day_are_taken(self, deployed: Any) -> None:
        signed = consent.sign(
            terms(10),
            custodian=FIRST,
            account=Account.generate(),
            days=3653,
            now=UnixTime(deployed.pool.head().time),
            consents=consent.domain_of(deployed.pool),
        )
        consent.give(signed, sender=deployed.sender(Account.generate()))


class TestModels:
    def test_a_model_is_proposed_approved_and_retired(self, deployed: Any) -> None:
        models, consortium = Models(deployed.pool), Consortium(deployed.pool)
        govern = [hospital.govern for hospital in deployed.hospitals]
        digest = Digest.of(b"model")
        sender = deployed.sender(govern[0])
        assert models.model(digest) is None
        sender.send(models.register(digest))
        with pytest.raises(ContractError) as caught:
            sender.send(models.approve(digest))
        assert caught.value.name == "ModelNotCarried"
        payload = model_approval(digest, None, FIRST)
        sender.send(consortium.propose(Kind.APPROVE_MODEL, None, payload), final=True)
        number = consortium.proposals(at=deployed.pool.final_view())[-1].number
        for account in govern[:2]:
            deployed.sender(account).send(consortium.vote(number))
        sender.send(models.approve(digest))
        sender.send(models.retire(digest), final=True)
        found = models.all(at=deployed.pool.final_view())[-1]
        assert [status for status, _ in found.history] == [
            ModelStatus.PROPOSED,
            ModelStatus.APPROVED,
            ModelStatus.RETIRED,
        ]
        assert found.registrar == FIRST


class TestDeploying:
    def test_two_hospitals_cannot_found_a_network(self, deployed: Any) -> None:
        founders = tuple(one.applicant(1) for one in deployed.hospitals[:2])
        with pytest.raises(UsageError, match="3 founding hospitals or more, got 2"):
            DeploymentPlan(new_network_id(), founders)

    def test_what_the_constructor_refuses_is_our_error(self, chain: Any, deployed: Any) -> None:
        same = tuple(deployed.hospitals[0].applicant(1) for _ in range(3))
        with pytest.raises(ContractError) as caught:
            deploy(RpcPool(chain), Account.generate(), DeploymentPlan(new_network_id(), same))
        assert caught.value.name == "ConsortiumAccountKnown"
