"""
Requests that were answered, what was released to them, and persons who showed their name.

The statement of an access is in the log's disclosures; these rows find it again and hold
what it must not: the wraps, which go when a grant is revoked or a deadline has passed.
"""

from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from xinglin_node.database import Base


class RequestRow(Base):
    """One access request. Its id is its nonce: another request with it is refused."""

    __tablename__ = "requests"

    id: Mapped[bytes] = mapped_column(primary_key=True)
    digest: Mapped[bytes]
    """EIP-712 digest of the whole request."""
    account: Mapped[str]
    """Who signed."""
    subject: Mapped[UUID | None]
    grant_id: Mapped[bytes | None]
    deadline: Mapped[int]
    """From then on the request is answered no more."""
    generation: Mapped[int]
    access_index: Mapped[int | None]
    refusal_index: Mapped[int | None]
    answer: Mapped[str]
    """JSON of the answer without its wraps."""


class ReleaseRow(Base):
    """One item that was released to one request."""

    __tablename__ = "releases"
    __table_args__ = (
        Index("ix_releases_record_version_account", "record", "version", "account"),
        Index("ix_releases_grant_id_record", "grant_id", "record"),
        # Only wraps that are still there: what `forget_old_wraps` looks through.
        Index(
            "ix_releases_released_at",
            "released_at",
            sqlite_where=text("wrap IS NOT NULL"),
            postgresql_where=text("wrap IS NOT NULL"),
        ),
    )

    request: Mapped[bytes] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Which item of the request."""
    record: Mapped[UUID]
    version: Mapped[int]
    account: Mapped[str]
    grant_id: Mapped[bytes | None]
    released_at: Mapped[int]
    wrap: Mapped[bytes | None]
    """Null until it is made, after the entry is durable; and again once it has to go."""


class PersonRow(Base):
    """The name behind an appointment of this institution, as its holder showed it."""

    __tablename__ = "persons"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    """Salted digest in the appointment."""
    name: Mapped[str]
    licence: Mapped[str]
    salt: Mapped[bytes]


class AppointmentRow(Base):
    """An appointment by this institution that was shown here: what its bundles must hold."""

    __tablename__ = "appointments"
    __table_args__ = (Index("ix_appointments_account", "account"),)

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    """EIP-712 digest."""
    account: Mapped[str]
    role: Mapped[str]
    not_before: Mapped[int]
    not_after: Mapped[int]
    signed: Mapped[str]
    """JSON of the signed appointment."""
