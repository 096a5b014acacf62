"""
What is being asserted, about which digests, and by whom.

A *statement* is an in-toto Statement v1 with one of our predicates. An *attestation* is a
statement signed by its author. An *entry* is what the log holds of it: a tag and a salted
commitment, 64 bytes that say nothing. A *disclosure* is what the institution hands to those
whom the statement concerns, so that they can open the commitment (docs/spec/statement.md).
"""

from xinglin.statement.attestation import (
    ENTRY_SIZE,
    Attestation,
    Disclosure,
    Entry,
    Reason,
    attest,
    commit,
    new_salt,
    open_commitment,
    reason_digest,
    verify_attestation,
)
from xinglin.statement.predicates import (
    PREDICATES,
    Access,
    Confirmation,
    Correction,
    Custody,
    Derivation,
    Emergency,
    Enrolment,
    ErasedLeaf,
    Erasure,
    GrantDeposit,
    History,
    HistoryFrom,
    HistoryTo,
    Inference,
    Predicate,
    Proxy,
    Record,
    Refusal,
    RefusedItem,
    Succession,
    ViewOfChain,
)
from xinglin.statement.statement import (
    Statement,
    Subject,
    correction_statement,
    manifest_digest,
    record_statement,
)

__all__ = [
    "ENTRY_SIZE",
    "PREDICATES",
    "Access",
    "Attestation",
    "Confirmation",
    "Correction",
    "Custody",
    "Derivation",
    "Disclosure",
    "Emergency",
    "Enrolment",
    "Entry",
    "ErasedLeaf",
    "Erasure",
    "GrantDeposit",
    "History",
    "HistoryFrom",
    "HistoryTo",
    "Inference",
    "Predicate",
    "Proxy",
    "Reason",
    "Record",
    "Refusal",
    "RefusedItem",
    "Statement",
    "Subject",
    "Succession",
    "ViewOfChain",
    "attest",
    "commit",
    "correction_statement",
    "manifest_digest",
    "new_salt",
    "open_commitment",
    "reason_digest",
    "record_statement",
    "verify_attestation",
]
