"""
Enrolments as the log has them: whose account stands for a file, and since when.

Read from the disclosures, which are what was signed and logged; no second list is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from xinglin.errors import InvalidEncoding
from xinglin.grant import EnrolmentFacts
from xinglin.hashes import Digest
from xinglin.names import Address, Member, SubjectId, UnixTime
from xinglin.statement import Attestation, Enrolment
from xinglin_node.chain.view import first_checkpoint_above
from xinglin_node.log.tables import DisclosureRow
from xinglin_node.problems import StorageRefused


@dataclass(frozen=True, slots=True)
class Enrolled:
    """One enrolment of one subject."""

    subject: SubjectId
    commitment: Digest
    generation: int
    index: int
    statement: Enrolment

    def accounts_at(self, time: UnixTime) -> frozenset[Address]:
        """The enrolled account, and the proxies that stood for it at `time`."""
        if self.statement.account is None:
            return frozenset()
        proxies = (proxy for proxy in self.statement.proxies if time < proxy.until)
        return frozenset(
            Address(account)
            for account in (self.statement.account, *(proxy.account for proxy in proxies))
        )


def enrolments_of(session: Session, subject: SubjectId) -> Sequence[Enrolled]:
    """Every enrolment of a subject, the one in force last; none for an unknown subject."""
    rows = session.scalars(
        select(DisclosureRow)
        .where(DisclosureRow.subject == subject, DisclosureRow.kind == "enrolment")
        .order_by(DisclosureRow.generation, DisclosureRow.index)
    )
    return [_read(row) for row in rows]


def enrolment_named(session: Session, commitment: Digest) -> Enrolled | None:
    """The enrolment with this commitment, or none."""
    row = session.scalars(
        select(DisclosureRow)
        .where(DisclosureRow.commitment == commitment.value, DisclosureRow.kind == "enrolment")
        .limit(1)
    ).one_or_none()
    return None if row is None else _read(row)


def facts_of(
    session: Session, enrolled: Enrolled, *, custodian: Member, given_at: UnixTime
) -> EnrolmentFacts:
    """What `xinglin.grant` asks of an enrolment, for a grant given at `given_at`."""
    anchor = first_checkpoint_above(session, custodian, enrolled.generation, enrolled.index)
    return EnrolmentFacts(
        commitment=enrolled.commitment,
        accounts=enrolled.accounts_at(given_at),
        anchored_at=None if anchor is None else UnixTime(anchor.time),
    )


def _read(row: DisclosureRow) -> Enrolled:
    try:
        predicate = Attestation.decode(row.attestation).read().predicate
    except InvalidEncoding as error:
        raise StorageRefused("an enrolment that can be read", "a damaged row") from error
    return Enrolled(
        subject=SubjectId(cast(SubjectId, row.subject)),
        commitment=Digest(row.commitment),
        generation=row.generation,
        index=row.index,
        statement=cast(Enrolment, predicate),
    )
