"""The steps in their order. What each prevents is said in `xinglin.verify`."""

from collections.abc import Callable, Iterable

from xinglin.bundle import Bundle, Part
from xinglin.errors import EvidenceError, TrustError
from xinglin.names import Address, UnixTime
from xinglin.statement import Predicate
from xinglin.storage import Place
from xinglin.trust import TrustRoot
from xinglin.verify import people
from xinglin.verify.chain import ProvenChain
from xinglin.verify.corrections import check_corrections
from xinglin.verify.entry import Opened, check_notes, open_entry
from xinglin.verify.kinds import Around, check_kind
from xinglin.verify.policy import Policy
from xinglin.verify.verified import Verified

MAX_GAP = 90 * 86_400
"""Seconds from a claim to its anchor beyond which a signer who left is no longer believed."""


def verify_bundle(
    bundle: Bundle,
    *,
    trust: TrustRoot,
    policy: Policy,
    headers: Iterable[bytes] | None = None,
) -> Verified:
    """
    Check `bundle` against `trust`, and what it says against `policy`.

    `headers` are followed in place of the bundle's, for one that brings none: RLP, from the
    trust root's block on, from anywhere (nobody is believed), and read no further than it takes.

    Raises `VerificationError` (of the kind that names the step) or, for a release that a
    grant did not allow, `ConsentError`. Returns what was verified.
    """
    # 1. Network.
    _check_network(bundle, trust)

    # 2. and 3. Header, contracts, state.
    chain = ProvenChain.prove(trust, bundle.evidence, headers)

    # 4. to 9.
    verified = _judge(bundle, trust, chain)

    # 10. The caller's own demands.
    policy.check(verified)
    return verified


def places_read(
    bundle: Bundle, *, trust: TrustRoot, read: Callable[[Place], bytes]
) -> tuple[Place, ...]:
    """
    Every word of contract state that verifying `bundle` reads: what its evidence must prove.

    For those who make bundles. `read` asks a node for a word; the bundle's own proofs are
    not looked at, its header is. Raises what `verify_bundle` would: a bundle that does not
    verify is not worth proving.
    """
    _check_network(bundle, trust)
    places: dict[Place, None] = {}

    def noting(place: Place) -> bytes:
        places[place] = None
        return read(place)

    header_only = bundle.evidence.model_copy(update={"proofs": ()})
    proven = ProvenChain.prove(trust, header_only)
    _judge(bundle, trust, ProvenChain(proven.block, proven.reach, noting))
    return tuple(places)


def _judge(bundle: Bundle, trust: TrustRoot, chain: ProvenChain) -> Verified:
    """Steps 4 to 9, with the chain's word already established."""
    consortium, consents = trust.consortium_domain(), trust.consents_domain()

    # 4. to 6. Anchor, inclusion, disclosure; for the entry and for every part of it.
    opened = open_entry(bundle, trust, chain, consortium)
    promise_notes = check_notes(bundle, opened, chain)
    parts = [(part, open_entry(part, trust, chain, consortium)) for part in bundle.parts]
    for part, of_part in parts:
        _check_role(part, of_part)

    # 7. and 8. Who spoke, and when; the same for every part.
    around = Around(bundle, trust, chain, parts, consortium, consents)
    late_by, gap_notes = _check_speaker(opened, around)
    for _, of_part in parts:
        _check_speaker(of_part, around)

    # 9. What the types of statement ask.
    found = check_kind(opened, around)
    corrections = check_corrections(opened, around)
    for part, of_part in parts:
        if part.role == "enrolment":
            check_kind(of_part, around)

    return Verified(
        statement=opened.statement,
        signer=Address(opened.attestation.signer),
        member=opened.member,
        generation=opened.generation,
        index=opened.index,
        leaf=opened.leaf,
        claimed_at=claimed_at(opened.statement.predicate),
        anchored_at=opened.anchored_at,
        late_by=late_by,
        reach=chain.reach,
        grant_end=found.grant_end,
        model_status=found.model_status,
        corrections=corrections,
        notes=(*gap_notes, *promise_notes, *found.notes),
    )


def claimed_at(predicate: Predicate) -> UnixTime:
    """The view's time, where the author spoke from a view of the chain, else what is claimed."""
    value = predicate.to_json()
    view = value.get("view")
    time = view.get("time") if isinstance(view, dict) else value.get("claimedAt")
    if not isinstance(time, int):
        raise EvidenceError(f"a {predicate.TYPE} statement has neither view nor claimedAt")
    return UnixTime(time)


def _check_network(bundle: Bundle, trust: TrustRoot) -> None:
    """Step 1; the origins are read with their entries."""
    if bundle.network_id != trust.network_id:
        raise TrustError(
            f"expected a bundle of network {trust.network_id.hex()}, "
            f"got one of {bundle.network_id.hex()}"
        )


def _check_speaker(opened: Opened, around: Around) -> tuple[int, tuple[str, ...]]:
    """Steps 7 and 8 for one entry; returns how late it was, and what to note."""
    predicate = opened.statement.predicate
    times = people.Times(claimed_at(predicate), opened.anchored_at)
    people.check_times(times)
    people.check_member(opened.member, opened.anchored_at, around.chain)
    signer = Address(opened.attestation.signer)
    people.check_signer(
        signer,
        opened.member,
        predicate,
        around.bundle.appointments,
        times,
        around.chain,
        around.consortium,
    )
    late_by = times.late_by(around.trust.max_late)
    if times.anchored_at - times.claimed_at > MAX_GAP:
        bundled = people.find_appointment(signer, opened.member, around.bundle.appointments)
        if people.ended_by(bundled, times.anchored_at, around.chain, around.consortium):
            raise EvidenceError(
                "claimed more than 90 days before its anchor, by one whose appointment had ended"
            )
    if not late_by:
        return 0, ()
    gap = times.anchored_at - times.claimed_at
    return late_by, (f"anchored {gap} s after the time it claims",)


def _check_role(part: Part, opened: Opened) -> None:
    """A part is what its role says: else one statement passes for another."""
    expected = {"previous": "record"}.get(part.role, part.role)
    got = opened.statement.predicate.TYPE
    if got != expected:
        raise EvidenceError(f"expected a part of type {expected}, got {got}")
