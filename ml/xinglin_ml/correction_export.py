"""
`xinglin ner corrections export`: what clinicians corrected, as training data.

    xinglin inference bundle 41 --out inference.xinglin.json …
    xinglin access request 0xc4… --purpose HRESCH --research DUO:0000031,DUO:0000042 \\
        --out answer.json …
    xinglin ner corrections export inference.xinglin.json --answer answer.json \\
        --output corrections.train.jsonl …

Whoever exports holds a grant for research, and the grant is asked of the chain at the time of
the export: what was released yesterday does not train today once it was revoked. The rules are
in docs/spec/inference.md, with the same numbers as in the code.
"""

import itertools
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from xinglin import access, consent, inference
from xinglin import grant as grants
from xinglin._chain.answers import View
from xinglin._chain.evidence import headers_from
from xinglin._chain.rpc import RpcPool
from xinglin._cli import output as printing
from xinglin._cli.access import read_kept
from xinglin._cli.caller import Caller, now, read_json
from xinglin.access import ReleasedItem
from xinglin.appointment import SignedAppointment
from xinglin.bundle import read_bundle
from xinglin.encoding import hex0x
from xinglin.errors import (
    ConsentError,
    EvidenceError,
    InvalidEncoding,
    ServiceError,
    TrustError,
    VerificationError,
    ViewStale,
)
from xinglin.hashes import Digest
from xinglin.names import GrantId, UnixTime
from xinglin.purposes import METHOD_DEVELOPMENT, RESEARCH_PURPOSE
from xinglin.request import AccessRequest
from xinglin.statement import Inference
from xinglin.trust import TrustRoot
from xinglin.verify import Corrected as CorrectedVersion
from xinglin.verify import OfType, sealers_are_shown, verify_bundle
from xinglin_ml.annotation import Document, Span, line_of
from xinglin_ml.correction import Corrected, training_documents, training_refusal
from xinglin_ml.errors import CorpusError

NOT_NAMED = "the grant does not name the caller"


ENDED = {
    "revoked": "the grant was revoked",
    "expired": "the grant has expired",
    "not-yet": "the grant has not begun",
}
"""What is told of a grant that is not alive, by the term that refuses it."""


@dataclass(frozen=True, slots=True)
class Released:
    """A record that was released to the caller, and the request that it answers."""

    item: ReleasedItem
    asked: AccessRequest


@dataclass(frozen=True, slots=True)
class Pair:
    """A note, and the corrected output that stands for it."""

    claimed: Inference
    stands: CorrectedVersion


class Headers:
    """Headers from a block on, each read once from the nodes, for however many bundles."""

    def __init__(self, pool: RpcPool, first: int) -> None:
        self._source = headers_from(pool, first)
        self._read: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        for at in itertools.count():
            if at == len(self._read):
                self._read.append(next(self._source))
            yield self._read[at]


class Consent:
    """Whether what was released under a grant may train now. Each grant is asked for once."""

    def __init__(self, caller: Caller, pool: RpcPool, appointment: SignedAppointment) -> None:
        self._caller = caller
        self._pool = pool
        self._appointment = appointment
        self._view: View = fresh_view(pool)
        self._known: dict[GrantId, str | None] = {}

    def refusal(self, released: Released) -> str | None:
        """Step 3: the reason against it, or none."""
        asked = released.asked
        if asked.purpose != RESEARCH_PURPOSE:
            return f"it was asked for {asked.purpose}, not for research"
        if METHOD_DEVELOPMENT not in asked.research.split(","):
            return f"the request did not declare {METHOD_DEVELOPMENT}, the development of methods"
        grant = GrantId(asked.grant_id)
        if grant not in self._known:
            self._known[grant] = self._ask(grant)
        return self._known[grant]

    def _ask(self, grant: GrantId) -> str | None:
        state = consent.fetch(self._pool, grant, at=self._view)
        if state is None:
            return "the chain does not know the grant"
        clock = now()
        end = UnixTime(max(clock, self._view.time))
        beginning = UnixTime(min(clock, self._view.time))
        try:
            grants.check_alive(state, stopped=False, beginning=beginning, end=end)
        except ConsentError as error:
            return ENDED[error.term]
        try:
            shown = self._caller.node.get(f"/v1/grants/{hex0x(grant)}")
        except ServiceError as error:
            if error.problem != "not-found":
                raise
            return NOT_NAMED
        if shown.get("stopped") is not False:
            return "the grant was revoked"
        terms_text = shown.get("terms")
        if not isinstance(terms_text, str):
            raise InvalidEncoding("expected the grant's terms in the node's answer")
        if grants.terms_digest(terms_text.encode()) != state.terms_digest:
            raise EvidenceError("the node shows other terms than those whose digest the chain has")
        terms = grants.read_terms(terms_text.encode())
        try:
            grants.check_grantee(terms, self._appointment.appointment)
        except ConsentError:
            return NOT_NAMED
        return training_refusal(terms)


def export(
    caller: Caller,
    pool: RpcPool,
    *,
    inferences: Iterable[Path],
    answers: Iterable[Path],
    appointment: SignedAppointment,
) -> tuple[list[Document], Counter[str]]:
    """
    Return what may train now, and how many were left out, by their reason.

    Raises `TrustError` for a chain of another network, `ViewStale`, and what verifying a bundle
    or reading an answer raises.
    """
    if consent.domain_of(pool) != caller.consents:
        raise TrustError("the profile is of another network than the trust root")
    left_out: Counter[str] = Counter()
    released = released_in(answers, caller)
    headers = Headers(pool, caller.trust.first_block)
    pairs = corrected_pairs(inferences, caller.trust, headers, left_out)
    holds = Consent(caller, pool, appointment)

    def refusal(name: str) -> str | None:
        return refusal_of(pairs[name], released, holds)

    def corrected(name: str) -> Corrected:
        return Corrected(name, lambda: opened(caller, released, pairs[name], holds))

    documents = list(training_documents(map(corrected, pairs), refusal, left_out))
    return documents, left_out


def fresh_view(pool: RpcPool) -> View:
    """The newest final view. Raises `ViewStale` for one on which no grant may be judged."""
    view = pool.final_view()
    age = now() - view.time
    if age > pool.profile.max_view_age:
        raise ViewStale(
            f"expected a final block at most {pool.profile.max_view_age} s old, got {age} s"
        )
    return view


def released_in(answers: Iterable[Path], caller: Caller) -> dict[Digest, list[Released]]:
    """What was released, by manifest; each answer is checked again. Raises as `read_kept`."""
    found: dict[Digest, list[Released]] = {}
    for path in answers:
        read = read_kept(read_json(path), caller)
        for item in read.released:
            found.setdefault(item.manifest, []).append(Released(item, read.asked))
    return found


def corrected_pairs(
    inferences: Iterable[Path],
    trust: TrustRoot,
    headers: Iterable[bytes],
    left_out: Counter[str],
) -> dict[str, Pair]:
    """
    Steps 1 and 4, by the manifest of the note.

    `headers`, from the trust root's block on, are followed for a bundle that brings none: who
    makes up what the chain says could pair any text with any spans. Raises `EvidenceError`
    naming a file, and what reading a header raises.
    """
    found: dict[str, Pair] = {}
    for path in inferences:
        bundle = read_bundle(printing.read_file(path))
        given = None if bundle.evidence.headers else headers
        try:
            verified = verify_bundle(bundle, trust=trust, policy=OfType("inference"), headers=given)
        except VerificationError as error:
            raise EvidenceError(f"{path}: {error}") from error
        if not sealers_are_shown(verified, trust):
            raise EvidenceError(f"{path}: {verified.reach.sentence}")
        claimed = verified.statement.predicate
        if not isinstance(claimed, Inference) or not verified.corrections:
            left_out["nobody corrected it"] += 1
            continue
        pair = Pair(claimed, verified.corrections[-1])
        name = claimed.manifest.text
        older = found.get(name)
        if older is not None:
            left_out["a newer correction of the same note"] += 1
            if pair.stands.claimed_at < older.stands.claimed_at:
                continue
        found[name] = pair
    return found


def refusal_of(pair: Pair, released: Mapping[Digest, list[Released]], holds: Consent) -> str | None:
    """Steps 2 and 3: the reason against a note and its output, or none."""
    for what, manifest in (("note", pair.claimed.manifest), ("output", pair.stands.by)):
        if manifest not in released:
            return f"the {what} was not released in these answers"
        # One grant that permits it is enough, whatever another says.
        reasons = [holds.refusal(one) for one in released[manifest]]
        if None not in reasons:
            return reasons[0]
    return None


def opened(
    caller: Caller, released: Mapping[Digest, list[Released]], pair: Pair, holds: Consent
) -> tuple[str, tuple[Span, ...]]:
    """Open a note and its corrected output anew. Raises `CorpusError` for a note without text."""

    def permitted(manifest: Digest) -> ReleasedItem:
        return next(one.item for one in released[manifest] if holds.refusal(one) is None)

    note = permitted(pair.claimed.manifest)
    text = inference.text_of(_payload(caller, note), note.statement.media_type)
    if text is None:
        raise CorpusError(f"expected a record with a text, {note.record} has none")
    spans, _ = inference.decode_output(_payload(caller, permitted(pair.stands.by)))
    return text, tuple(Span(s.start, s.end, s.label) for s in spans)


def write_documents(path: Path, documents: Iterable[Document]) -> None:
    """Write documents in the form that training reads. Raises `UsageError` if the file exists."""
    printing.write_file(path, "".join(f"{line_of(one)}\n" for one in documents).encode())


def _payload(caller: Caller, item: ReleasedItem) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "payload"
        access.open_item(caller.node, item, caller.identity, target)
        return target.read_bytes()
