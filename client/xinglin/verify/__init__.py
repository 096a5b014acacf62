"""
Check a bundle against a trust root, and believe nobody else (I8).

    from xinglin import bundle, trust, verify

    root = trust.read_trust(Path("trust.json").read_bytes())
    entry = bundle.read_bundle(Path("entry.xinglin.json").read_bytes())
    verified = verify.verify_bundle(entry, trust=root, policy=verify.OfType("record"))
    print(verified.sentence)

The steps, each with the attack that it prevents. The code carries the same numbers.

1. The bundle is of the trust root's network, and its origin names a log there:
   else a true bundle of another network passes for one of ours.
2. The evidence's header is hashed, and followed from the trust root's block by the bundle's
   headers, or by those that the caller brings: else any header could be made up. Where there
   are none, and on a development chain, this link is reported as not evidenced;
   `SealedFromTrust` refuses it, as the command does unless it is told otherwise.
3. Each contract's account, with its code hash, is proven against the header's state root:
   else other code at another address could say anything.
4. The anchored size is proven in CheckpointRegistry's storage: else a root never anchored.
5. The entry is included under that root: else an entry never logged.
6. The disclosure opens the entry's commitment, and its signature is the signer's: else
   another statement behind a true entry.
7. The signer was appointed by an active member with the power to, and not withdrawn; the
   member might anchor: else anyone could attest.
8. The times are in order, and gaps are stated: else a back-dated claim, or a release
   that outran a revocation (I5).
9. What the type of statement asks: the request and its signature, the grant and its terms,
   the view's header, the records that were opened, the model's status; and the corrections
   that the bundle brings: else one output passes for the correction of another.
10. The caller's policy. An empty one is refused.
"""

from xinglin.verify.policy import (
    AllOf,
    AnchoredBefore,
    AnyOf,
    AnyStatement,
    ModelApproved,
    NotLate,
    OfMember,
    OfType,
    Policy,
    SealedFromTrust,
)
from xinglin.verify.verified import Corrected, Reach, Verified, sealers_are_shown
from xinglin.verify.verifier import places_read, verify_bundle

__all__ = [
    "AllOf",
    "AnchoredBefore",
    "AnyOf",
    "AnyStatement",
    "Corrected",
    "ModelApproved",
    "NotLate",
    "OfMember",
    "OfType",
    "Policy",
    "Reach",
    "SealedFromTrust",
    "Verified",
    "places_read",
    "sealers_are_shown",
    "verify_bundle",
]
