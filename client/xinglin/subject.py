"""
The verb `subject`: enrol with an account of one's own, and read who looked.

    signed = sign_enrolment(member, history_key, account, identity, domain, issued_at=now)
    node.post(f"/v1/subjects/{subject}/enrolment", signed)
    ...
    told = read_history(node, history_key, origin, log_key)

What a node tells of a history is held against every entry of its log before it is returned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xinglin import typed
from xinglin._http import NodeClient, Progress
from xinglin._tiles import check_root, fetch_checkpoint, fetch_entries
from xinglin.canonical import JsonValue
from xinglin.encoding import base64url, from_base64url
from xinglin.errors import HistoryError, InvalidEncoding
from xinglin.hashes import Digest
from xinglin.history import HistoryEntry, history_digest, verify_whole
from xinglin.keys import Account, HpkeIdentity
from xinglin.names import HistoryKey, Member, Origin, UnixTime
from xinglin.statement import Disclosure, Entry

Told = Mapping[str, JsonValue]
"""One entry of a history, as `GET /v1/history` tells it."""


@dataclass(frozen=True, slots=True)
class WholeHistory:
    """A history that was checked: nothing tagged as this subject's was dropped."""

    told: tuple[Told, ...]
    size: int
    """Size of the log it was checked up to."""


def sign_enrolment(
    member: Member,
    history_key: HistoryKey,
    account: Account,
    identity: HpkeIdentity,
    domain: typed.Domain,
    *,
    issued_at: UnixTime,
) -> dict[str, JsonValue]:
    """What a patient brings to the desk: account and key, signed for this institution."""
    message: dict[str, object] = {
        "custodian": member,
        "account": account.address,
        "keyDigest": identity.key_digest,
        "historyDigest": history_digest(history_key),
        "issuedAt": issued_at,
    }
    return {
        "account": account.address,
        "publicKey": base64url(identity.recipient.public_key),
        "proxies": [],
        "issuedAt": issued_at,
        "signature": base64url(typed.sign(domain, "Enrolment", message, account)),
    }


def read_history(
    node: NodeClient,
    key: HistoryKey,
    origin: Origin,
    log_key: bytes,
    *,
    progress: Progress | None = None,
) -> WholeHistory:
    """
    Fetch a subject's list and check that it is whole up to the newest checkpoint.

    The node knows the caller as the subject. Raises `HistoryError` or `CheckpointError`.
    """
    # The checkpoint first: what is logged meanwhile belongs to the next check.
    checkpoint = fetch_checkpoint(node, origin, log_key)
    entries = fetch_entries(node, checkpoint.size, progress=progress)
    check_root(entries, checkpoint.root)
    told = [item for item in fetch_told(node, key) if number_in(item, "index") < checkpoint.size]
    check_told(key, origin, entries, told)
    return WholeHistory(tuple(told), checkpoint.size)


def fetch_told(node: NodeClient, key: HistoryKey) -> list[Told]:
    """What the node tells of the list under `key`, page by page; nothing of it is checked."""
    wanted = Digest(history_digest(key)).text
    told: list[Told] = []
    start: int | None = 0
    while start is not None:
        page = node.get("/v1/history", {"from": start, "history": wanted})
        entries = page.get("entries")
        if not isinstance(entries, list):
            raise InvalidEncoding("expected entries in the history")
        told += [item for item in entries if isinstance(item, Mapping)]
        following = page.get("next")
        start = following if isinstance(following, int) else None
    return told


def check_told(
    key: HistoryKey, origin: Origin, entries: Sequence[Entry], told: Sequence[Told]
) -> None:
    """Hold what an institution told against the log. Raises `HistoryError`."""
    items: list[HistoryEntry] = []
    for item in told:
        index = number_in(item, "index")
        if index >= len(entries) or entries[index].encode() != from_base64url(str(item["entry"])):
            raise HistoryError(f"the entry told for {index} is not the one in the log")
        disclosure = item.get("disclosure")
        items.append(
            HistoryEntry(index, None if disclosure is None else Disclosure.from_json(disclosure))
        )
    verify_whole(key, origin, entries, items)


def number_in(item: Told, name: str) -> int:
    """A number of an answer. Raises `InvalidEncoding` where it is none."""
    value = item.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidEncoding(f"expected {name} as a number")
    return value
