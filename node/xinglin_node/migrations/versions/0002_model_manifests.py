"""The manifests of models that read here"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "model_manifests",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_model_manifests")),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("model_manifests")
