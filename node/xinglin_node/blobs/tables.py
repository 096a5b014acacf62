"""Which blobs there are, and the small ones themselves."""

from sqlalchemy.orm import Mapped, mapped_column

from xinglin_node.database import Base


class BlobRow(Base):
    """One blob. Its bytes are here, or where large blobs are kept."""

    __tablename__ = "blobs"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    """SHA-256 of the ciphertext: the blob's name."""
    size: Mapped[int]
    content: Mapped[bytes | None]
    """The bytes, up to the configured size of rows; null for larger ones."""
