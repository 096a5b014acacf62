"""
Chapter seven: attacks, each refused and named.

The institution's attacks are made with the institution's own key: the contract is asked
whether it would take the transaction, from the account that may anchor.
"""

import io
import secrets
from dataclasses import dataclass, replace

from xinglin import access, consent, merkle, seal
from xinglin._chain.checkpoints import Anchored, Checkpoints
from xinglin._chain.consents import Consents
from xinglin._chain.sender import Sender
from xinglin._demo.consent import (
    Granted,
    Openings,
    refused,
    sign_grant_of,
    sign_in_patient,
)
from xinglin._demo.intake import Filed
from xinglin._demo.telling import Telling
from xinglin._demo.world import World
from xinglin._tiles import fetch_entries
from xinglin.bundle import Bundle
from xinglin.envelope import Envelope, Wrap
from xinglin.grant import HOUR, Grantee, Scope, sign_grant
from xinglin.keys import Account, HpkeIdentity, read_key_file
from xinglin.merkle import leaf_hash
from xinglin.names import Generation, LeafHash, NodeHash, RootHash, UnixTime
from xinglin.verify import AnyStatement, verify_bundle

LEAF_TO_CHANGE = 3
"""An entry long anchored; in a shorter log the last one."""


@dataclass(frozen=True, slots=True)
class _Log:
    """What the attacker holds: the whole log, and the key that may anchor."""

    leaves: list[LeafHash]
    anchored: Anchored
    sender: Sender


def attack(
    world: World,
    filed: Filed,
    bundle: Bundle,
    telling: Telling,
    *,
    granted: Granted | None,
    openings: Openings | None,
) -> None:
    """Make every attack; raises `EvidenceError` if one is not refused."""
    _attack_log(world, telling)
    if granted is not None and openings is not None:
        _attack_blob(world, openings, granted, telling)
        _attack_consent(world, filed, granted, telling)
    other = world.trust.model_copy(update={"network_id": secrets.token_bytes(16)})
    telling.row(
        "a bundle is verified against another network's trust root",
        refused(lambda: verify_bundle(bundle, trust=other, policy=AnyStatement())),
    )


def _attack_log(world: World, telling: Telling) -> None:
    log = _log_of(world)
    registry, last = Checkpoints(world.pool), log.anchored
    size, leaves = last.size, log.leaves[: last.size]
    root = merkle.root_of(leaves)
    telling.row(
        "the hospital anchors a size that does not grow",
        refused(
            lambda: log.sender.build_and_sign(registry.anchor(size, root, (), previous=last.anchor))
        ),
    )
    more = [*leaves, leaf_hash(secrets.token_bytes(64)), leaf_hash(secrets.token_bytes(64))]
    changed = min(LEAF_TO_CHANGE, size - 1)
    rewritten = [*more[:changed], leaf_hash(secrets.token_bytes(64)), *more[changed + 1 :]]
    proof = merkle.prove_consistency(rewritten, size).path
    telling.row(
        f"the hospital anchors a larger tree with leaf {changed} changed",
        refused(
            lambda: log.sender.build_and_sign(
                registry.anchor(len(more), merkle.root_of(rewritten), proof, previous=last.anchor)
            )
        ),
    )
    path = list(merkle.prove_consistency(more, size).path)
    path[0] = NodeHash(bytes([path[0][0] ^ 1]) + path[0][1:])
    telling.row(
        "the hospital anchors with one sibling of the proof altered",
        refused(
            lambda: log.sender.build_and_sign(
                registry.anchor(
                    len(more), RootHash(merkle.root_of(more)), path, previous=last.anchor
                )
            )
        ),
    )


def _log_of(world: World) -> _Log:
    node, member = world.nodes[0], world.hospitals[0].member
    secret = read_key_file(node.folder / "node.keys.json", node.passphrase)
    anchor = Account.from_key(bytes.fromhex(str(secret["anchor"])))
    view = world.pool.head()
    history = Checkpoints(world.pool).history(member, Generation(0), at=view)
    with node.client() as client:
        entries = fetch_entries(client, history[-1].size)
    return _Log([entry.leaf for entry in entries], history[-1], Sender(world.pool, anchor))


def _attack_blob(world: World, openings: Openings, granted: Granted, telling: Telling) -> None:
    """A byte of a blob flipped; a data key swapped for another's."""
    item, other = openings.researcher.released[:2]
    identity = granted.researcher.identity
    with world.nodes[0].client() as node:
        granted.researcher.sign_in(node, world.trust.chain_id)
        sealed = io.BytesIO()
        node.fetch(f"/v1/records/{item.record}/{item.version}/blob", sealed)
    blob = bytearray(sealed.getvalue())
    blob[len(blob) // 2] ^= 1
    telling.row("a byte of a blob is flipped", refused(lambda: _open(bytes(blob), item, identity)))
    swapped = replace(item, wrap=other.wrap)
    telling.row(
        "the data key of another record is put in its place",
        refused(lambda: _open(sealed.getvalue(), swapped, identity)),
    )


def _open(sealed: bytes, item: access.ReleasedItem, identity: HpkeIdentity) -> None:
    wraps: tuple[Wrap, ...] = (item.wrap,)
    seal.open(
        io.BytesIO(sealed),
        io.BytesIO(),
        envelope=Envelope(item.manifest, wraps),
        identity=identity,
        record=item.record,
        version=item.version,
    )


def _attack_consent(world: World, filed: Filed, granted: Granted, telling: Telling) -> None:
    relayer = Sender(world.pool, Account.generate())
    registry = Consents(world.pool)
    again = granted.treatment
    telling.row(
        "a consent is replayed after it was revoked",
        refused(lambda: relayer.build_and_sign(registry.give(again.grant, again.signature))),
    )
    (treated, _) = filed.patients[0]
    theirs = next(one for one in filed.records if one.patient is treated)

    def signed(voucher: Account | None = None) -> consent.SignedGrant:
        return sign_grant_of(
            world,
            treated,
            "为治疗，江畔中医院的医师可查阅我的病历。",
            grantee=Grantee(
                member=world.hospitals[1].member, role="physician", account=None, project=None
            ),
            scope=Scope(
                records=(theirs.record,), categories=None, from_=None, to=None, versions="all"
            ),
            purposes=("TREAT",),
            voucher=voucher,
        )

    grantor = Account.generate()
    old = replace(
        signed().grant,
        grantor=grantor.address,
        deadline=UnixTime((world.pool.head().time // HOUR - 1) * HOUR),
    )
    signature = sign_grant(old, grantor, world.consents)
    telling.row(
        "a consent is back-dated: its deadline has passed",
        refused(lambda: relayer.build_and_sign(registry.give(old, signature))),
    )
    forged = signed(voucher=Account.generate())
    with world.nodes[0].client() as node:
        sign_in_patient(world, node, treated)
        telling.row(
            "a consent is vouched for by an account that is not the patient's",
            refused(lambda: consent.give_through(node, forged)),
        )
