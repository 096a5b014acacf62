"""
Appointments that this institution made and that were shown here, and the names behind them.

Another institution's staff are never listed: their appointments travel with their requests
and stand in the access statements. Our own are kept, because the bundle of a record holds
the appointment of whoever attested it, and a patient may read who of our care staff looked.
"""

import json
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from xinglin.appointment import Person, SignedAppointment
from xinglin.errors import XinglinError
from xinglin.names import Address, Salt, UnixTime
from xinglin_node.access.tables import AppointmentRow, PersonRow
from xinglin_node.house import NodeHouse
from xinglin_node.log.unit import Write
from xinglin_node.problems import RuleBroken
from xinglin_node.sessions.schemas import ShownAppointment

SYSTEM_APPOINTMENT_FILE = "system.appointment.json"
"""In the node's folder: the appointment of the node's own system account."""


def keep_appointment(write: Write, house: NodeHouse, shown: ShownAppointment) -> None:
    """
    Keep one of our own appointments, and the name where it was shown.

    Its signature and dates were checked. Raises `RuleBroken` for a name that does not
    open the appointment's digest.
    """
    if shown.person is not None and shown.person.digest() != shown.appointment.person_digest:
        raise RuleBroken("a name and licence that open personDigest", "others")
    if shown.appointment.member != house.member:
        return
    digest = shown.appointment.digest(house.domain)
    if write.session.get(AppointmentRow, digest) is None:
        write.session.add(
            AppointmentRow(
                digest=digest,
                account=shown.appointment.account,
                role=shown.appointment.role,
                not_before=shown.appointment.not_before,
                not_after=shown.appointment.not_after,
                signed=shown.without_person().encode().decode(),
            )
        )
    if shown.person is not None:
        known = write.session.get(PersonRow, shown.appointment.person_digest)
        if known is None:
            write.session.add(
                PersonRow(
                    digest=shown.appointment.person_digest,
                    name=shown.person.name,
                    licence=shown.person.licence,
                    salt=shown.person.salt,
                )
            )


def appointment_at(
    session: Session, house: NodeHouse, account: Address, time: UnixTime
) -> SignedAppointment | None:
    """The appointment by this institution that covered `account` at `time`, if known here."""
    row = session.scalars(
        select(AppointmentRow)
        .where(
            AppointmentRow.account == account,
            AppointmentRow.not_before <= time,
            AppointmentRow.not_after > time,
        )
        .order_by(AppointmentRow.not_before.desc())
        .limit(1)
    ).one_or_none()
    if row is not None:
        return SignedAppointment.from_json(json.loads(row.signed))
    if account == house.keys.system.address:
        return system_appointment(house)
    return None


def system_appointment(house: NodeHouse) -> SignedAppointment | None:
    """The appointment of the node's own account, from its file; None where there is none."""
    kept = house.parts.get("system_appointment")
    if kept is None:
        try:
            content = (house.settings.folder / SYSTEM_APPOINTMENT_FILE).read_bytes()
            value = json.loads(content)
            value.pop("person", None)
            kept = SignedAppointment.from_json(value)
        except (OSError, ValueError, XinglinError):
            return None
        house.parts["system_appointment"] = kept
    return kept


def names_of(session: Session, digests: Collection[bytes]) -> dict[bytes, Person]:
    """The names behind person digests, as far as they were shown here."""
    rows = session.scalars(select(PersonRow).where(PersonRow.digest.in_(digests)))
    return {
        row.digest: Person(name=row.name, licence=row.licence, salt=Salt(row.salt)) for row in rows
    }
