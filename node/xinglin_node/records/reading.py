"""Who may fetch a ciphertext: its subject, care staff of the custodian, who was given its key."""

from xinglin.appointment import CARE_ROLES
from xinglin.names import RecordId
from xinglin_node.access.repository import was_released
from xinglin_node.authority import DataSubject, Person
from xinglin_node.house import NodeHouse
from xinglin_node.problems import NotFound
from xinglin_node.records.repository import read_record


def require_blob_reader(house: NodeHouse, person: Person, record: RecordId, version: int) -> None:
    """
    Let through whoever has a ground. Raises `NotFound` for all others.

    The ciphertext opens nothing: the key leaves by `POST /v1/access` alone. Still, what a
    caller may not see does not exist.
    """
    with house.database.reading() as session:
        row = read_record(session, record, version)
        if isinstance(person, DataSubject):
            allowed = row.subject == person.subject
        else:
            allowed = person.member == house.member and person.role in CARE_ROLES
        if not allowed and not was_released(session, person.account, record, version):
            raise NotFound("a record of this custodian", "none")
