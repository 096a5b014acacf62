"""
The verb `access`: ask a node for records, and open what was released.

    asker = Asker(account, identity, domain, appointment=shown)
    answer = ask(node, asker, custodian=Member(1), ground="grant", purpose="TREAT",
                 grant=grant_id, items=[Item(record=record, version=0)])
    for item in answer.released:
        open_item(node, item, asker.identity, Path("note.txt"))

The request is signed by who asks, and becomes part of the entry that the node logs before
the key leaves. What comes back is checked before it is used: that each item is one that
was asked for, that its attestation is of the manifest that the wrap is bound to, and, once
fetched, that the ciphertext is the one that the manifest names.
"""

import secrets
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from xinglin import seal, typed
from xinglin._http import NodeClient, Progress
from xinglin.canonical import JsonValue
from xinglin.encoding import base64url, from_base64url, hex0x
from xinglin.envelope import Envelope, Wrap, unwrap
from xinglin.errors import InvalidEncoding, RequestError, UsageError
from xinglin.hashes import Digest
from xinglin.keys import Account, HpkeIdentity
from xinglin.names import GrantId, Member, RecordId, RequestId
from xinglin.purposes import PurposeOfUse
from xinglin.request import (
    MAX_ITEMS,
    NO_GRANT,
    NO_REASON,
    AccessRequest,
    Ground,
    Item,
    sign_request,
)
from xinglin.statement import (
    Attestation,
    Reason,
    Record,
    manifest_digest,
    new_salt,
    reason_digest,
    verify_attestation,
)

WAIT_SECONDS = 300
"""From issuing to deadline: time for a busy node, short enough that nothing is replayed."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: an account that signs, and the identity that keys are wrapped for."""

    account: Account
    identity: HpkeIdentity = field(repr=False)
    domain: typed.Domain
    """Typed-data domain of the network's Consortium."""

    appointment: Mapping[str, JsonValue] | None = None
    """The signed appointment as JSON; none for a data subject."""


@dataclass(frozen=True, slots=True)
class ReleasedItem:
    """A record whose key was released, with everything that was checked about it."""

    statement: Record
    """The record's own statement, signed by its author."""

    manifest: Digest
    attestation: Attestation
    wrap: Wrap
    generation: int
    index: int
    """Where the record's entry stands in the custodian's log: for its bundle."""

    @property
    def record(self) -> RecordId:
        """The record's id."""
        return RecordId(self.statement.record)

    @property
    def version(self) -> int:
        """The version that was released."""
        return self.statement.version


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """An item that was not released; without a term it does not exist for who asked."""

    item: Item
    term: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node answered."""

    request: RequestId
    released: tuple[ReleasedItem, ...]
    refused: tuple[RefusedItem, ...]
    access_index: int | None
    """Where the access entry stands in the log: for its bundle."""

    receipt: str | None
    """The log's signed promise to anchor that entry."""

    asked: AccessRequest = field(repr=False)
    """What was asked and signed."""

    raw: Mapping[str, JsonValue] = field(repr=False)
    """The answer as it came, for who keeps it: `read_answer` checks it again."""


def ask(
    node: NodeClient,
    asker: Asker,
    *,
    custodian: Member,
    ground: Ground,
    purpose: PurposeOfUse,
    items: Sequence[Item],
    grant: GrantId | None = None,
    research: str = "",
    reason: str | None = None,
    now: int | None = None,
) -> Answer:
    """
    Sign a request for `items`, send it, and check what comes back.

    `research` holds DUO terms for the purpose HRESCH. Raises `ConsentError` with the term
    where a grant refused everything, `ServiceError` for other refusals, and
    `VerificationError` for an answer that is not to what was asked.
    """
    shown = None if reason is None else Reason(text=reason, salt=new_salt())
    request = new_request(
        asker,
        custodian=custodian,
        ground=ground,
        purpose=purpose,
        items=items,
        grant=grant,
        research=research,
        reason=shown,
        now=int(time.time()) if now is None else now,
    )
    return send(node, asker, request, reason=shown)


def new_request(
    asker: Asker,
    *,
    custodian: Member,
    ground: Ground,
    purpose: PurposeOfUse,
    items: Sequence[Item],
    grant: GrantId | None,
    research: str,
    reason: Reason | None,
    now: int,
) -> AccessRequest:
    """Make a request with a fresh id. Raises `UsageError` for none or too many items."""
    if not 1 <= len(items) <= MAX_ITEMS:
        raise UsageError(f"expected 1 to {MAX_ITEMS} items, got {len(items)}")
    return AccessRequest(
        id=secrets.token_bytes(32),
        custodian=custodian,
        ground=ground,
        grant_id=NO_GRANT if grant is None else grant,
        purpose=purpose,
        research=research,
        reason_digest=NO_REASON if reason is None else reason_digest(reason),
        items=tuple(items),
        key_digest=asker.identity.key_digest,
        issued_at=now,
        deadline=now + WAIT_SECONDS,
    )


def send(
    node: NodeClient, asker: Asker, request: AccessRequest, *, reason: Reason | None = None
) -> Answer:
    """
    Sign and send a request. The same request again gets the same answer.

    Raises as `ask`.
    """
    signed = sign_request(request, asker.account, asker.domain)
    body: dict[str, JsonValue] = {
        "request": request.to_json(),
        "signature": base64url(signed.signature),
        "appointment": None if asker.appointment is None else dict(asker.appointment),
        "publicKey": base64url(asker.identity.recipient.public_key),
        "reason": None if reason is None else reason.to_json(),
    }
    return read_answer(node.post("/v1/access", body), request, asker)


def read_answer(value: Mapping[str, JsonValue], request: AccessRequest, asker: Asker) -> Answer:
    """
    Check an answer against the request it is to.

    1. It names this request, and its items are those asked for, in order.
    2. Each released item's attestation is signed, and its statement is a record's, of the
       custodian asked, with the record and version asked for.
    3. The manifest is the digest of that statement, and the wrap opens with our identity
       under that manifest, this grant and this request: a swapped key does not.

    Raises `VerificationError` or `InvalidEncoding`.
    """
    if value.get("request") != hex0x(request.id):
        raise RequestError("expected the answer to this request, got another's")
    items = value.get("items")
    if not isinstance(items, list) or len(items) != len(request.items):
        raise RequestError(f"expected {len(request.items)} items in the answer")
    released: list[ReleasedItem] = []
    refused: list[RefusedItem] = []
    for asked, got in zip(request.items, items, strict=True):
        fields = _object(got)
        if (fields.get("record"), fields.get("version")) != (str(asked.record), asked.version):
            raise RequestError("expected the items in the order asked, got others")
        if fields.get("released") is None:
            term = fields.get("term")
            refused.append(RefusedItem(asked, term if isinstance(term, str) else None))
        else:
            released.append(_released(_object(fields["released"]), asked, request, asker))
    receipts_given = _object(value.get("receipts") or {})
    receipt, index = receipts_given.get("access"), value.get("accessIndex")
    return Answer(
        request=RequestId(request.id),
        released=tuple(released),
        refused=tuple(refused),
        access_index=index if isinstance(index, int) else None,
        receipt=receipt if isinstance(receipt, str) else None,
        asked=request,
        raw=value,
    )


def open_item(
    node: NodeClient,
    item: ReleasedItem,
    identity: HpkeIdentity,
    target: Path,
    *,
    progress: Progress | None = None,
) -> None:
    """
    Fetch a released record and write its payload to `target`.

    The ciphertext is held against the blob's digest and size; `target` appears only once
    all of it has opened. Raises `SealError`, `UnwrapError`, `ServiceError`.
    """
    path = f"/v1/records/{item.record}/{item.version}/blob"
    with tempfile.TemporaryFile(dir=target.parent) as sealed:
        node.fetch(path, cast(BinaryIO, sealed), progress=progress)
        sealed.seek(0)
        seal.open_to_path(
            sealed,
            target,
            envelope=Envelope(item.manifest, (item.wrap,)),
            identity=identity,
            record=item.record,
            version=item.version,
            blob=seal.SealedBlob(item.statement.blob, item.statement.size),
        )


def _released(
    fields: Mapping[str, JsonValue], asked: Item, request: AccessRequest, asker: Asker
) -> ReleasedItem:
    attestation = Attestation.from_json(fields.get("attestation"))
    statement = verify_attestation(attestation, asker.domain).predicate
    if not isinstance(statement, Record):
        raise RequestError(f"expected a record's attestation, got a {statement.TYPE} statement")
    if statement.custodian != request.custodian or statement.record != asked.record:
        raise RequestError("released is another record than the one asked for")
    if asked.version not in (0, statement.version):
        raise RequestError(
            f"released is version {statement.version}, asked for was {asked.version}"
        )
    manifest = manifest_digest(attestation.statement.encode())
    grant = None if request.grant_id == NO_GRANT else GrantId(request.grant_id)
    wrap = Wrap(
        request.key_digest,
        from_base64url(_text(fields, "wrap")),
        grant,
        RequestId(request.id),
    )
    unwrap(wrap, asker.identity, manifest)
    return ReleasedItem(
        statement=statement,
        manifest=manifest,
        attestation=attestation,
        wrap=wrap,
        generation=_number(fields, "generation"),
        index=_number(fields, "index"),
    )


def _object(value: JsonValue) -> Mapping[str, JsonValue]:
    if not isinstance(value, Mapping):
        raise InvalidEncoding(f"expected an object in the answer, got {type(value).__name__}")
    return value


def _text(fields: Mapping[str, JsonValue], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise InvalidEncoding(f"expected text as {name} in the answer")
    return value


def _number(fields: Mapping[str, JsonValue], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidEncoding(f"expected a number as {name} in the answer")
    return value
