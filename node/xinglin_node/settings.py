"""
What a node is told: by environment (`XINGLIN_…`), else by its TOML file, else by secret files.

Secrets have no defaults, and a node without them refuses to start. Nothing below
`app.py` reads the environment: settings are an argument.
"""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from xinglin.errors import UsageError

SETTINGS_FILE = "node.toml"
"""Name of the settings file in a node's folder."""

SECRETS_FOLDER = Path("/run/secrets")
"""Where containers find secrets: a file `xinglin_<name>` there stands for the variable."""

KIB = 1024
GIB = 1024**3

Seconds = Annotated[int, Field(ge=1)]


class NodeSettings(BaseSettings):
    """
    All settings of a node.

    Each can be given as an environment variable: `XINGLIN_` and its name in capitals.
    """

    model_config = SettingsConfigDict(
        env_prefix="XINGLIN_", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    folder: Path
    """The node's folder: keys, and by default the database and large blobs."""
    passphrase: SecretStr
    """Opens the node's key files. No default."""
    network: Path
    """Network profile (docs/spec/network.md): chain id, contracts, code hashes, finality, RPC."""
    member: Annotated[int, Field(ge=1, lt=2**31)]
    """This institution's number in the consortium."""
    public_url: AnyHttpUrl
    """Where others reach this node; sign-in messages are bound to its host."""

    rpc_urls: tuple[str, ...] = ()
    """JSON-RPC nodes that this institution runs or chose, instead of the profile's."""
    database_url: SecretStr | None = None
    """`postgresql://…`; SQLite in the folder where absent. Secret: it may hold a password."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8100
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=1, le=65535)] = 9100
    """`/metrics` has a listener of its own, so that it is never public by accident."""

    max_record_bytes: Annotated[int, Field(ge=KIB)] = 4 * GIB
    """Largest ciphertext of one record."""
    max_batch_bytes: Annotated[int, Field(ge=KIB)] = 64 * KIB * KIB
    """Largest body of one batch: it is held in memory until it is on disk."""
    max_batch_records: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    max_json_bytes: Annotated[int, Field(ge=KIB)] = KIB * KIB
    """Largest JSON body, and largest header of a submission."""
    row_blob_bytes: Annotated[int, Field(ge=0)] = 64 * KIB
    """Blobs up to this size are rows of the entry's transaction; larger ones are files."""
    queue_entries: Annotated[int, Field(ge=1)] = 20_000
    """Entries that may wait to be sequenced before 503 is answered."""

    s3_url: str | None = None
    """`s3://bucket/prefix` for large blobs; files in the folder where absent."""
    s3_endpoint: str | None = None
    s3_region: str = "us-east-1"
    s3_access_key_id: SecretStr | None = None
    s3_secret_access_key: SecretStr | None = None

    anchor_every_seconds: Seconds = 5
    """A checkpoint is anchored this long after the first entry that it adds…"""
    anchor_every_entries: Annotated[int, Field(ge=1)] = 100_000
    """…or as soon as it adds this many."""
    anchor_promise_seconds: Seconds = 300
    """`anchorBy` of a receipt: how soon the node promises to anchor."""
    pad_checkpoints: bool = False
    """Fill each checkpoint with random entries to a multiple of 64 (DESIGN 3.8)."""
    relay_spread_seconds: Annotated[int, Field(ge=0, le=3_600)] = 0
    """Further grants of one subject are relayed at a random moment within this time, so that
    blocks do not join them (DESIGN 3.8); the first at once. 600 in production."""
    poll_seconds: Annotated[float, Field(gt=0)] = 0.5
    """How often the indexer asks the chain for a new block."""

    public_log: bool = True
    """The log is readable without a credential; otherwise by those who can sign in."""
    session_seconds: Seconds = 3_600
    """How long a session's credential holds."""
    requests_per_minute: Annotated[int, Field(ge=1)] = 60_000
    """Requests of one caller before 429."""
    log_level: str = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments (the file's values among them), then the environment, then secret files."""
        if not SECRETS_FOLDER.is_dir():
            return init_settings, env_settings
        secret_files = SecretsSettingsSource(settings_cls, secrets_dir=SECRETS_FOLDER)
        return init_settings, env_settings, secret_files

    @property
    def database(self) -> str:
        """The database's URL."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.folder / 'node.sqlite').absolute()}"

    @property
    def blob_folder(self) -> Path:
        """Where large blobs are."""
        return self.folder / "blobs"


def load(file: Path | None = None, **given: Any) -> NodeSettings:
    """
    Read settings from `file`, the environment and arguments, the later before the former.

    Raises `UsageError` naming each setting that is missing or wrong; never its value.
    """
    values: dict[str, Any] = {}
    if file is not None:
        if not file.is_file():
            raise UsageError(f"expected a settings file, got nothing at {file}")
        source = TomlConfigSettingsSource(NodeSettings, toml_file=file)
        values = {
            key: value
            for key, value in source().items()
            if f"XINGLIN_{key.upper()}" not in os.environ
        }
        if "XINGLIN_FOLDER" not in os.environ:
            values.setdefault("folder", str(file.parent))
    values.update(given)
    try:
        return NodeSettings(**values)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise UsageError(f"settings of the node: {faults}") from None
