"""
What the examples of the API document share: one patient, one record, one grant.

Each room's schemas show them in their own answers. What is long is told by its size, as in
`base64url of 65 bytes`; all else has the form in which it travels.
"""

from typing import Any

from xinglin import canonical, receipt
from xinglin.names import LeafHash, Origin, UnixTime
from xinglin.note import LogKey

TIME = 1764028800
SUBJECT = "0b9f6a0e-8f8c-4b3e-9a57-3f8f6d3c1a52"
RECORD = "8c5f1c1e-6d0a-4b6e-9d59-0d2f6f6b2f11"
RESULT = "4e0d3a5c-1f1b-4c7e-8a34-6b1f0c9d2e77"
"""The record that holds what a model found."""

INDEX = 41
"""Where the record's entry stands in the log."""

ACCOUNT = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"
GRANTOR = "0x6Fac4D18c912343BF86fa7049364Dd4E424Ab9C0"
"""The grant's fresh account."""

GRANT = "0x" + "c4" * 32
REQUEST = "0x" + "5a" * 32
KEY_DIGEST = "0x" + "1f" * 32
NONE32 = "0x" + "00" * 32
"""No grant, or no reason, in a signed request."""

ENROLMENT = "sha256:" + "e7" * 32
MANIFEST = "sha256:" + "5f" * 32
BLOB = "sha256:" + "b1" * 32
HISTORY = "sha256:" + "7a" * 32
MODEL = "sha256:" + "3d" * 32

SIGNATURE = "base64url of 65 bytes"
SALT = "base64url of 32 bytes"
PUBLIC_KEY = "base64url of 1,216 bytes"
WRAP = "base64url of 1,168 bytes"

NETWORK = "000102030405060708090a0b0c0d0e0f"
ORIGIN = f"xinglin.network/{NETWORK}/1/0"
VIEW: dict[str, Any] = {"number": 120934, "hash": "0x" + "b7" * 32, "time": TIME - 2}

LOG_KEY = LogKey.from_seed(bytes(32))
"""Nobody's."""

RECEIPT = receipt.write(
    receipt.Receipt(
        Origin(ORIGIN), INDEX, LeafHash(bytes(32)), UnixTime(TIME), UnixTime(TIME + 300)
    ),
    LOG_KEY,
).decode()

PERSON: dict[str, Any] = {"name": "李时珍", "licence": "110441900001234", "salt": SALT}
APPOINTMENT: dict[str, Any] = {
    "appointment": {
        "id": "0x" + "a9" * 32,
        "member": 2,
        "account": ACCOUNT,
        "keyDigest": KEY_DIGEST,
        "role": "physician",
        "personDigest": "0x" + "d2" * 32,
        "notBefore": TIME - 86_400,
        "notAfter": TIME + 365 * 86_400,
    },
    "signature": SIGNATURE,
    "person": PERSON,
}
"""Of the member that the grant names."""

HOME_APPOINTMENT = APPOINTMENT | {"appointment": APPOINTMENT["appointment"] | {"member": 1}}
"""Of the node's own member."""

REASON = {"text": "复诊", "salt": SALT}

PROJECT = "远程会诊"
_TERMS: dict[str, Any] = {
    "type": "urn:xinglin:terms:1",
    "sentence": "我同意贵院医师为诊治查看我的门诊病历。",
    "salt": SALT,
    "subject": {"enrolment": ENROLMENT, "account": ACCOUNT, "signature": SIGNATURE},
    "grantee": {"member": 2, "role": "physician", "account": None, "project": PROJECT},
    "scope": {
        "records": None,
        "categories": ["outpatient-note"],
        "from": None,
        "to": None,
        "versions": "all",
    },
    "purposes": ["TREAT"],
    "research": None,
    "view": "whole",
    "frequency": None,
    "onward": False,
    "evidence": None,
}
TERMS = canonical.encode(_TERMS).decode()
WITNESSED_TERMS = canonical.encode(
    _TERMS
    | {
        "subject": {"enrolment": ENROLMENT, "account": None, "signature": None},
        "evidence": MANIFEST,
    }
).decode()
"""For a subject without a device: `evidence` is the manifest of the form signed on paper."""

GRANT_STATE: dict[str, Any] = {
    "custodian": 1,
    "grantor": GRANTOR,
    "termsDigest": "0x" + "8b" * 32,
    "givenAt": TIME,
    "notBefore": 0,
    "expiresAt": 1790208000,
    "revokedAt": 0,
    "how": "signed",
    "revokedBy": "nobody",
}


def statement(kind: str, about: str, digest: str, predicate: dict[str, Any]) -> str:
    """A statement as it is signed: one canonical text."""
    return canonical.encode(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": about, "digest": {"sha256": digest.removeprefix("sha256:")}}],
            "predicateType": f"urn:xinglin:statement:{kind}:1",
            "predicate": predicate,
        }
    ).decode()


RECORD_STATEMENT = statement(
    "record",
    "blob",
    BLOB,
    {
        "record": RECORD,
        "version": 1,
        "previous": None,
        "custodian": 1,
        "enrolment": {"sha256": ENROLMENT.removeprefix("sha256:")},
        "blob": {"sha256": BLOB.removeprefix("sha256:")},
        "size": 4384,
        "seal": "xinglin.seal/1",
        "category": "outpatient-note",
        "mediaType": "text/plain; charset=utf-8",
        "claimedAt": TIME,
    },
)
ATTESTATION: dict[str, Any] = {
    "signature": SIGNATURE,
    "signer": ACCOUNT,
    "statement": RECORD_STATEMENT,
}

ACCESS_REQUEST: dict[str, Any] = {
    "id": REQUEST,
    "custodian": 1,
    "ground": "grant",
    "grantId": GRANT,
    "purpose": "TREAT",
    "research": "",
    "reasonDigest": NONE32,
    "items": [{"record": RECORD, "version": 0}],
    "keyDigest": KEY_DIGEST,
    "issuedAt": TIME,
    "deadline": TIME + 300,
}
CARE_REQUEST = ACCESS_REQUEST | {
    "ground": "care",
    "grantId": NONE32,
    "reasonDigest": "0x" + "9d" * 32,
}


def _access(request: dict[str, Any], appointment: dict[str, Any], grant: str | None) -> str:
    return statement(
        "access",
        "manifest",
        MANIFEST,
        {
            "request": request,
            "requestSignature": SIGNATURE,
            "appointment": appointment["appointment"],
            "appointmentSignature": appointment["signature"],
            "ground": request["ground"],
            "view": VIEW,
            "grantId": grant,
            "manifests": [{"sha256": MANIFEST.removeprefix("sha256:")}],
            "second": None,
        },
    )


ACCESS_STATEMENT = _access(ACCESS_REQUEST, APPOINTMENT, GRANT)
CARE_STATEMENT = _access(CARE_REQUEST, HOME_APPOINTMENT, None)
CORRECTION_STATEMENT = statement(
    "correction",
    "manifest",
    MANIFEST,
    {
        "of": {"sha256": MANIFEST.removeprefix("sha256:")},
        "by": {"sha256": "6e" * 32},
        "reason": "0x" + "9d" * 32,
        "claimedAt": TIME,
    },
)
