"""
Bundles from a node that follows a real chain: each verifies, for those who may have it.

The bundle is checked by `xinglin.verify` with the trust root alone, as an auditor would.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from xinglin import access, consent, verify
from xinglin._tiles import check_root, fetch_checkpoint, fetch_entries
from xinglin.encoding import from_base64url
from xinglin.errors import (
    CommitmentError,
    ConsentError,
    EvidenceError,
    HistoryError,
    InclusionProofError,
    ServiceError,
    TrustError,
)
from xinglin.history import HistoryEntry, verify_whole
from xinglin.names import Member, RecordId
from xinglin.request import Item
from xinglin.statement import Disclosure, Entry


@dataclass(frozen=True)
class Story:
    """What happened, and to which entries it led."""

    author: object
    doctor: object
    record: RecordId
    index: int
    own: access.Answer
    care: access.Answer
    grant: consent.SignedGrant
    opened: access.Answer
    asked: dict[str, object]


def verified(life, bundle, kind: str):
    return verify.verify_bundle(bundle, trust=life.trust, policy=verify.OfType(kind))


@pytest.fixture(scope="module")
def story(life):
    """A note, opened by the patient, at home and under a grant that is then revoked."""
    author = life.staff("physician")
    record, index = life.submit(author, "头痛三天，舌淡苔白。")
    own = access.ask(
        life.node(subject=True), life.asker(), custodian=Member(1), ground="subject",
        purpose="PATRQT", items=[Item(record=record, version=0)],
    )  # fmt: skip
    care = access.ask(
        life.node(author), life.asker(author), custodian=Member(1), ground="care",
        purpose="TREAT", items=[Item(record=record, version=0)], reason="复诊",
    )  # fmt: skip
    grant = life.grant(to=2)
    doctor = life.staff("physician", member=2, name="李华")
    asked = {
        "custodian": Member(1), "ground": "grant", "purpose": "TREAT",
        "items": [Item(record=record, version=0)], "grant": grant.id,
    }  # fmt: skip

    def released():
        try:
            return access.ask(life.node(doctor), life.asker(doctor), **asked)
        except ConsentError as error:
            if error.term != "not-yet":
                raise
            return None

    opened = life.wait_for(released)
    return Story(author, doctor, record, index, own, care, grant, opened, asked)


class TestI8LeastTrust:
    """I8: the trust root and mathematics are enough."""

    def test_a_record(self, life, story) -> None:
        bundle = life.bundle(life.node(subject=True), story.index)

        found = verified(life, bundle, "record")

        assert (found.member, found.index) == (1, story.index)

    def test_an_opening_by_the_subject(self, life, story) -> None:
        bundle = life.bundle(life.node(subject=True), story.own.access_index)

        assert verified(life, bundle, "access").grant_end == "none"

    def test_an_opening_by_care_staff(self, life, story) -> None:
        bundle = life.bundle(life.node(story.author), story.care.access_index)

        verified(life, bundle, "access")
        assert bundle.disclosure.reason.text == "复诊"

    def test_a_release_under_a_grant(self, life, story) -> None:
        bundle = life.bundle(life.node(story.doctor), story.opened.access_index)

        found = verified(life, bundle, "access")

        assert (found.grant_end, found.late_by) == ("alive", 0)
        assert {part.role for part in bundle.parts} == {"enrolment", "record"}

    def test_an_enrolment_and_a_deposit(self, life, story) -> None:
        node = life.node(subject=True)
        kinds = {entry["kind"]: entry["index"] for entry in told(node)}

        for kind in ("enrolment", "grant"):
            assert verified(life, life.bundle(node, kinds[kind]), kind).index == kinds[kind]

    def test_a_bundle_is_one_sequence_of_bytes(self, life, story) -> None:
        bundle = life.bundle(life.node(subject=True), story.index)

        assert type(bundle).decode(bundle.encode()) == bundle


class TestAltered:
    """What a bundle's bearer changes is refused by the step that it breaks."""

    def test_another_networks(self, life, story) -> None:
        bundle = life.bundle(life.node(subject=True), story.index)
        elsewhere = life.trust.model_copy(update={"network_id": bytes(16)})

        with pytest.raises(TrustError):
            verify.verify_bundle(bundle, trust=elsewhere, policy=verify.AnyStatement())

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            (lambda b: {"index": b.index + 1}, InclusionProofError),
            (lambda b: {"entry": bytes(64)}, InclusionProofError),
            (
                lambda b: {"disclosure": b.disclosure.model_copy(update={"salt": bytes(32)})},
                CommitmentError,
            ),
            (
                lambda b: {"anchor": b.anchor.model_copy(update={"time": b.anchor.time - 1})},
                EvidenceError,
            ),
            (
                lambda b: {"evidence": b.evidence.model_copy(update={"proofs": ()})},
                EvidenceError,
            ),
        ],
        ids=["shifted-index", "another-entry", "another-salt", "back-dated", "no-proofs"],
    )
    def test_a_change_is_refused(self, life, story, change, error) -> None:
        bundle = life.bundle(life.node(subject=True), story.index)
        altered = bundle.model_copy(update=change(bundle))

        with pytest.raises(error):
            verify.verify_bundle(altered, trust=life.trust, policy=verify.AnyStatement())


class TestWhoMayHaveIt:
    def test_whoever_was_released_a_record_may_prove_it(self, life, story) -> None:
        bundle = life.bundle(life.node(story.doctor), story.index)

        assert verified(life, bundle, "record").index == story.index

    def test_nobody_else_may(self, life, story) -> None:
        strangers = (
            life.staff("physician", member=2), life.staff("nurse"), life.staff("researcher"),
        )  # fmt: skip
        for stranger in strangers:
            with pytest.raises(ServiceError) as refused:
                life.node(stranger).get_bytes(f"/v1/entries/{story.index}/bundle")
            assert (refused.value.status, refused.value.problem) == (404, "not-found")

    def test_the_counter_of_a_tag_goes_to_nobody_in_a_bundle(self, life, story) -> None:
        for node, index in (
            (life.node(subject=True), story.index),
            (life.node(story.doctor), story.opened.access_index),
        ):
            bundle = life.bundle(node, index)
            assert bundle.disclosure.n is None
            assert [part.disclosure.n for part in bundle.parts] == [None] * len(bundle.parts)


class TestHistory:
    """DESIGN 3.7: the list that a node tells can be held against its log."""

    def listed(self, life) -> tuple[Sequence[Entry], list[HistoryEntry]]:
        node = life.node(subject=True)
        house = life.house
        checkpoint = fetch_checkpoint(node, house.origin, house.keys.log.public)
        entries = fetch_entries(node, checkpoint.size)
        check_root(entries, checkpoint.root)
        items = [
            HistoryEntry(entry["index"], Disclosure.from_json(entry["disclosure"]))
            for entry in told(node)
            if entry["index"] < checkpoint.size
        ]
        for item, entry in zip(items, told(node), strict=False):
            assert entries[item.index].encode() == from_base64url(entry["entry"])
        return entries, items

    def test_it_is_whole(self, life, story) -> None:
        entries, items = self.listed(life)

        verify_whole(life.history_key, life.house.origin, entries, items)

    def test_an_opening_that_is_kept_back_is_found(self, life, story) -> None:
        entries, items = self.listed(life)
        without = [item for item in items if item.index != story.opened.access_index]

        with pytest.raises(HistoryError):
            verify_whole(life.history_key, life.house.origin, entries, without)

    def test_care_staff_are_named_and_researchers_are_not(self, life, story) -> None:
        named = {
            entry["index"]: entry["asker"]["person"]
            for entry in told(life.node(subject=True))
            if entry["kind"] == "access"
        }

        assert named[story.care.access_index]["name"] == "王敏"
        assert named[story.opened.access_index] is None


class TestRevocation:
    """I5, on a real chain; last, for it ends the grant."""

    def test_from_the_stop_list_to_the_chain(self, life, story) -> None:
        grant = story.grant
        answer = consent.revoke_through(life.node(), grant.id, grant.revocation)
        assert answer["state"] == "stopped"
        with pytest.raises(ConsentError) as stopped:
            access.ask(life.node(story.doctor), life.asker(story.doctor), **story.asked)
        assert stopped.value.term in ("stopped", "revoked")

        def on_chain() -> bool:
            shown = life.node(subject=True).get(f"/v1/grants/0x{grant.id.hex()}")
            return bool(shown["state"]["revokedAt"])

        life.wait_for(on_chain)
        with pytest.raises(ConsentError) as revoked:
            access.ask(life.node(story.doctor), life.asker(story.doctor), **story.asked)
        assert revoked.value.term == "revoked"

        # The release before it stays provable, and says how the grant ended.
        bundle = life.bundle(life.node(story.doctor), story.opened.access_index)
        assert verified(life, bundle, "access").grant_end == "revoked"


def told(node) -> list[dict]:
    return node.get("/v1/history")["entries"]
