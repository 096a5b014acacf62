"""Deposited grants, as far as a caller may see them."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from xinglin.errors import ConsentError
from xinglin.grant import check_grantee, read_terms
from xinglin.names import GrantId
from xinglin_node.authority import Appointed, DataSubject, Person
from xinglin_node.consents.tables import GrantRow
from xinglin_node.problems import NotFound


def grants_of(session: Session, person: Person) -> Sequence[GrantRow]:
    """The grants that `person` gave, or that name `person`; in the order of deposit."""
    if isinstance(person, DataSubject):
        query = select(GrantRow).where(GrantRow.subject == person.subject)
    else:
        query = select(GrantRow).where(GrantRow.grantee_member == person.member)
    rows = session.scalars(query.order_by(GrantRow.generation, GrantRow.index)).all()
    return [row for row in rows if _concerns(row, person)]


def grant_for(session: Session, person: Person, grant: GrantId) -> GrantRow:
    """One grant. Raises `NotFound` where it is absent or not this person's to see."""
    row = session.get(GrantRow, grant)
    if row is None or not _concerns(row, person):
        raise NotFound("a grant of yours", "none")
    return row


def _concerns(row: GrantRow, person: Person) -> bool:
    if isinstance(person, DataSubject):
        return row.subject == person.subject
    return _names(row, person)


def _names(row: GrantRow, person: Appointed) -> bool:
    try:
        check_grantee(read_terms(row.terms), person.signed.appointment)
    except ConsentError:
        return False
    return True
