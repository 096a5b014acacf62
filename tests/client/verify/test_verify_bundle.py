"""A bundle is checked against a trust root and mathematics alone (I8)."""

import secrets
import time
from dataclasses import dataclass

import pytest

from xinglin import bundle as bundles
from xinglin import statement
from xinglin._chain.consents import Consents
from xinglin._chain.consortium import Consortium
from xinglin._chain.sender import Sender
from xinglin.bundle import Bundle, Part
from xinglin.errors import (
    AppointmentError,
    CommitmentError,
    ConsentError,
    EvidenceError,
    HeaderError,
    InclusionProofError,
    InvalidEncoding,
    SignatureError,
    StateProofError,
    TrustError,
    UsageError,
    VerificationError,
)
from xinglin.grant import sign_revocation
from xinglin.hashes import Digest
from xinglin.headers import header
from xinglin.keys import Account
from xinglin.names import GrantId
from xinglin.request import Ground
from xinglin.trust import TrustRoot
from xinglin.verify import (
    AllOf,
    AnchoredBefore,
    AnyOf,
    AnyStatement,
    NotLate,
    OfMember,
    OfType,
    Policy,
    SealedFromTrust,
    Verified,
    verify_bundle,
)

from .conftest import World


@dataclass
class Story:
    """An enrolment, a record, a grant and an opening under it."""

    world: World
    record: Bundle
    access: Bundle
    enrolment: Bundle
    grant: GrantId
    terms: bytes
    grantor: Account


@pytest.fixture(scope="module")
def story(world: World) -> Story:
    first, second, _ = world.hospitals
    enrolled = world.enrol(first)
    index, record = world.record(first, world.commitment(first, enrolled))
    world.anchor(first)
    grant, terms, grantor = world.give(
        first, second, world.commitment(first, enrolled), record.record
    )
    view = world.pool.final_view()
    physician = second.appointments[1]
    manifest = world.manifest(first, index)
    opened = world.access(first, physician, second.physician, record, manifest, grant, view)
    world.anchor(first)
    parts = (world.part(first, enrolled, "enrolment"), world.part(first, index, "record"))
    return Story(
        world,
        record=world.bundle(first, index, parts=parts[:1]),
        access=world.bundle(
            first,
            opened,
            parts=parts,
            grant=world.bundled_grant(grant, terms),
            view=view,
            others=(physician,),
        ),
        enrolment=world.bundle(first, enrolled),
        grant=grant,
        terms=terms,
        grantor=grantor,
    )


def verify(bundle: Bundle, trust: TrustRoot, policy: Policy | None = None) -> Verified:
    return verify_bundle(bundle, trust=trust, policy=policy or AnyStatement())


def flip(data: bytes, at: int = -1) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


class TestWhatIsTrue:
    def test_a_record_an_enrolment_and_an_opening_verify(self, story: Story) -> None:
        for bundle, kind in (
            (story.record, "record"),
            (story.enrolment, "enrolment"),
            (story.access, "access"),
        ):
            verified = verify(bundle, story.world.trust, OfType(kind))
            assert verified.type == kind
            assert verified.member == 1
            assert verified.late_by == 0

    def test_a_bundle_survives_its_file(self, story: Story) -> None:
        for bundle in (story.record, story.access):
            read = bundles.read_bundle(bundle.encode())
            assert read == bundle
            assert read.encode() == bundle.encode()

    def test_a_development_chain_is_said_to_evidence_neither_order_nor_time(
        self, story: Story
    ) -> None:
        reach = verify(story.record, story.world.trust).reach
        assert not reach.sealed
        assert "development chain" in reach.sentence
        with pytest.raises(VerificationError, match="development chain"):
            verify(story.record, story.world.trust, SealedFromTrust())


class TestAttacks:
    """Each altered in one place; the error says which step found it."""

    def test_a_bundle_of_another_network(self, story: Story) -> None:
        other = story.record.model_copy(update={"network_id": secrets.token_bytes(16)})
        with pytest.raises(TrustError, match="network"):
            verify(other, story.world.trust)

    def test_an_origin_of_another_network(self, story: Story) -> None:
        origin = story.record.origin.replace(
            story.world.trust.network_id.hex(), secrets.token_hex(16)
        )
        with pytest.raises(TrustError, match="network"):
            verify(story.record.model_copy(update={"origin": origin}), story.world.trust)

    def test_another_members_log(self, story: Story) -> None:
        origin = story.record.origin.replace("/1/0", "/2/0")
        with pytest.raises(EvidenceError):
            verify(story.record.model_copy(update={"origin": origin}), story.world.trust)

    def test_a_trust_root_with_another_code_hash(self, story: Story) -> None:
        # Other code at the right address could say anything.
        contracts = story.world.trust.contracts
        forged = contracts.checkpoints.model_copy(update={"code_hash": bytes(32)})
        trust = story.world.trust.model_copy(
            update={"contracts": contracts.model_copy(update={"checkpoints": forged})}
        )
        with pytest.raises((TrustError, StateProofError)):
            verify(story.record, trust)

    def test_a_header_with_another_state_root(self, story: Story) -> None:
        # On a development chain nothing seals the rest of a header; its state root still binds
        # every proof.
        evidence = story.record.evidence
        at = evidence.header.index(header.parse(evidence.header).state_root)
        for place in (at, at + 31):
            altered = evidence.model_copy(update={"header": flip(evidence.header, place)})
            with pytest.raises(StateProofError):
                verify(story.record.model_copy(update={"evidence": altered}), story.world.trust)

    def test_a_header_cut_short(self, story: Story) -> None:
        evidence = story.record.evidence
        altered = evidence.model_copy(update={"header": evidence.header[:-1]})
        with pytest.raises(HeaderError):
            verify(story.record.model_copy(update={"evidence": altered}), story.world.trust)

    def test_a_state_proof_with_a_bit_changed(self, story: Story) -> None:
        evidence = story.record.evidence
        for number, proof in enumerate(evidence.proofs):
            nodes = list(proof.proof)
            nodes[-1] = flip(nodes[-1])
            forged = list(evidence.proofs)
            forged[number] = proof.model_copy(update={"proof": tuple(nodes)})
            altered = evidence.model_copy(update={"proofs": tuple(forged)})
            with pytest.raises(VerificationError):
                verify(story.record.model_copy(update={"evidence": altered}), story.world.trust)

    def test_a_state_proof_left_out(self, story: Story) -> None:
        evidence = story.access.evidence
        for number in range(len(evidence.proofs)):
            fewer = evidence.proofs[:number] + evidence.proofs[number + 1 :]
            altered = evidence.model_copy(update={"proofs": fewer})
            with pytest.raises(VerificationError):
                verify(story.access.model_copy(update={"evidence": altered}), story.world.trust)

    @pytest.mark.parametrize("field", ["time", "block", "size"])
    def test_an_anchor_of_another_time_block_or_size(self, story: Story, field: str) -> None:
        anchor = story.record.anchor
        moved = anchor.model_copy(update={field: getattr(anchor, field) + 1})
        with pytest.raises(EvidenceError):
            verify(story.record.model_copy(update={"anchor": moved}), story.world.trust)

    def test_a_root_never_anchored(self, story: Story) -> None:
        anchor = story.record.anchor.model_copy(update={"root": Digest(bytes(32))})
        with pytest.raises(EvidenceError, match="the chain anchored"):
            verify(story.record.model_copy(update={"anchor": anchor}), story.world.trust)

    def test_an_inclusion_path_altered(self, story: Story) -> None:
        inclusion = story.record.inclusion
        path = list(inclusion.path)
        path[0] = Digest(flip(path[0].value))
        altered = inclusion.model_copy(update={"path": tuple(path)})
        with pytest.raises(InclusionProofError):
            verify(story.record.model_copy(update={"inclusion": altered}), story.world.trust)

    def test_an_entry_altered(self, story: Story) -> None:
        for at in (0, 32, 63):
            altered = story.record.model_copy(update={"entry": flip(story.record.entry, at)})
            with pytest.raises(InclusionProofError):
                verify(altered, story.world.trust)

    def test_another_statement_behind_a_true_entry(self, story: Story) -> None:
        told = story.enrolment.disclosure
        with pytest.raises(CommitmentError):
            verify(story.record.model_copy(update={"disclosure": told}), story.world.trust)

    def test_no_appointment_of_the_signer(self, story: Story) -> None:
        with pytest.raises(AppointmentError, match="none"):
            verify(story.record.model_copy(update={"appointments": ()}), story.world.trust)

    def test_an_appointment_signed_by_nobodys_officer(self, story: Story) -> None:
        bundled = [
            one.model_copy(update={"signature": flip(one.signature, 5)})
            for one in story.record.appointments
        ]
        with pytest.raises(VerificationError):
            verify(
                story.record.model_copy(update={"appointments": tuple(bundled)}),
                story.world.trust,
            )

    def test_an_enrolment_in_place_of_another(self, story: Story) -> None:
        (part,) = story.record.parts
        record_as_enrolment = Part(
            role="enrolment",
            origin=story.record.origin,
            index=story.record.index,
            entry=story.record.entry,
            disclosure=story.record.disclosure,
            inclusion=story.record.inclusion,
            anchor=story.record.anchor,
        )
        assert part.role == "enrolment"
        with pytest.raises(EvidenceError, match="part of type enrolment"):
            verify(
                story.record.model_copy(update={"parts": (record_as_enrolment,)}),
                story.world.trust,
            )


class TestOpenings:
    def test_without_its_grant_enrolment_record_or_view_it_is_refused(self, story: Story) -> None:
        access = story.access
        evidence = access.evidence.model_copy(update={"view": None})
        for fewer in (
            access.model_copy(update={"grant": None}),
            access.model_copy(update={"parts": access.parts[:1]}),
            access.model_copy(update={"parts": access.parts[1:]}),
            access.model_copy(update={"evidence": evidence}),
        ):
            with pytest.raises(EvidenceError):
                verify(fewer, story.world.trust)

    def test_terms_swapped_behind_the_digest_are_refused(self, story: Story) -> None:
        assert story.access.grant is not None
        wider = story.terms.decode().replace('"versions":"all"', '"versions":"newest"')
        grant = story.access.grant.model_copy(update={"terms": wider})
        with pytest.raises(ConsentError) as refused:
            verify(story.access.model_copy(update={"grant": grant}), story.world.trust)
        assert refused.value.term == "terms"

    def test_another_blocks_header_as_view_is_refused(self, story: Story) -> None:
        evidence = story.access.evidence.model_copy(update={"view": story.access.evidence.header})
        with pytest.raises(EvidenceError, match="view"):
            verify(story.access.model_copy(update={"evidence": evidence}), story.world.trust)

    def test_after_the_revocation_a_release_is_refused_and_the_earlier_one_stands(
        self, world: World
    ) -> None:
        # I5, seen by the verifier: the release names a block that is not before revokedAt.
        first, second, _ = world.hospitals
        enrolled = world.enrol(first)
        index, record = world.record(first, world.commitment(first, enrolled))
        world.anchor(first)
        grant, terms, grantor = world.give(
            first, second, world.commitment(first, enrolled), record.record
        )
        physician = second.appointments[1]
        manifest = world.manifest(first, index)
        before = world.pool.final_view()
        early = world.access(first, physician, second.physician, record, manifest, grant, before)
        world.anchor(first)
        signature = sign_revocation(grant, grantor, world.consents)
        Sender(world.pool, first.anchor).send(
            Consents(world.pool).revoke(grant, signature), final=True
        )
        after = world.pool.final_view()
        late = world.access(first, physician, second.physician, record, manifest, grant, after)
        world.anchor(first)
        parts = (world.part(first, enrolled, "enrolment"), world.part(first, index, "record"))

        stands = world.bundle(
            first,
            early,
            parts=parts,
            grant=world.bundled_grant(grant, terms),
            view=before,
            others=(physician,),
        )
        assert verify(stands, world.trust).grant_end == "revoked"
        with pytest.raises(ConsentError) as refused:
            world.bundle(
                first,
                late,
                parts=parts,
                grant=world.bundled_grant(grant, terms),
                view=after,
                others=(physician,),
            )
        assert refused.value.term == "revoked"

    def test_an_opening_of_a_record_that_was_not_asked_for_is_refused(self, world: World) -> None:
        first, _, _ = world.hospitals
        index, record = world.record(first, None)
        other, _ = world.record(first, None)
        view = world.pool.final_view()
        opened = world.access(
            first,
            first.appointments[1],
            first.physician,
            record,
            world.manifest(first, other),
            None,
            view,
        )
        world.anchor(first)
        with pytest.raises(EvidenceError, match="not asked for"):
            world.bundle(first, opened, parts=(world.part(first, other, "record"),), view=view)
        assert index != other

    @pytest.mark.parametrize("ground", ["law", "emergency", "system"])
    def test_a_ground_that_is_not_the_askers_is_refused(self, world: World, ground: Ground) -> None:
        # I10: what no rule allows is refused, also where the institution attests it.
        first, _, _ = world.hospitals
        index, record = world.record(first, None)
        view = world.pool.final_view()
        opened = world.access(
            first,
            first.appointments[1],
            first.physician,
            record,
            world.manifest(first, index),
            None,
            view,
            ground,
        )
        world.anchor(first)
        with pytest.raises(EvidenceError, match=ground):
            world.bundle(first, opened, parts=(world.part(first, index, "record"),), view=view)

    def test_a_request_signed_by_another_account_is_refused(self, world: World) -> None:
        # I4: an institution cannot invent who asked.
        first, _, _ = world.hospitals
        index, record = world.record(first, None)
        view = world.pool.final_view()
        opened = world.access(
            first,
            first.appointments[1],
            first.govern,
            record,
            world.manifest(first, index),
            None,
            view,
        )
        world.anchor(first)
        with pytest.raises(SignatureError, match="another account"):
            world.bundle(first, opened, parts=(world.part(first, index, "record"),), view=view)


class TestPeople:
    def test_a_withdrawn_appointment_no_longer_speaks_and_its_past_stands(
        self, world: World
    ) -> None:
        _, _, third = world.hospitals
        signed = third.appointments[1]
        index, _ = world.record(third, None)
        world.anchor(third)
        stands = world.bundle(third, index)
        assert verify(stands, world.trust).type == "record"
        digest = signed.appointment.digest(world.consortium)
        Sender(world.pool, third.appoint).send(
            Consortium(world.pool).withdraw_appointment(digest), final=True
        )
        assert verify(world.bundle(third, index), world.trust).type == "record"
        time.sleep(1.1)
        later, _ = world.record(third, None)
        world.anchor(third)
        with pytest.raises(AppointmentError, match="withdrawn"):
            world.bundle(third, later)

    def test_a_physician_cannot_attest_for_the_node(self, world: World) -> None:
        _, second, _ = world.hospitals
        enrolment = statement.Enrolment(
            custodian=2,
            account=None,
            key_digest=None,
            history=Digest(bytes(32)),
            issued_at=world.now(),
            how="in-person",
            signature=None,
            proxies=(),
            claimed_at=world.now(),
        )
        index = world.log(second, enrolment, Digest(bytes(32)), second.physician)
        world.anchor(second)
        with pytest.raises(AppointmentError, match="desk"):
            world.bundle(second, index)

    def test_a_claim_after_its_anchor_is_refused(self, world: World) -> None:
        _, second, _ = world.hospitals
        made = statement.GrantDeposit(
            grant_id=bytes(32), terms="{}", how="signed", claimed_at=world.now() + 9_000
        )
        index = world.log(second, made, Digest(bytes(32)), second.system)
        world.anchor(second)
        with pytest.raises(EvidenceError, match="after its anchor"):
            world.bundle(second, index)


class TestPolicies:
    def test_an_empty_list_is_refused(self) -> None:
        with pytest.raises(UsageError):
            AllOf([])
        with pytest.raises(UsageError):
            AnyOf([])

    def test_each_demands_what_it_says(self, story: Story) -> None:
        trust = story.world.trust
        for policy in (OfType("access"), OfMember(2), AnchoredBefore(1)):  # type: ignore[arg-type]
            with pytest.raises(VerificationError):
                verify(story.record, trust, policy)
            with pytest.raises(VerificationError):
                verify(story.record, trust, AllOf([AnyStatement(), policy]))
            assert verify(story.record, trust, AnyOf([policy, NotLate()])).type == "record"


class TestReadBundle:
    @pytest.mark.parametrize(
        "change",
        [{"format": "xinglin.bundle/2"}, {"extra": 1}, {"index": -1}, {"entry": "AAAA"}],
    )
    def test_a_malformed_bundle_is_refused(self, story: Story, change: dict[str, object]) -> None:
        import json

        written = json.loads(story.record.encode()) | change
        with pytest.raises(InvalidEncoding):
            bundles.read_bundle(json.dumps(written).encode())
