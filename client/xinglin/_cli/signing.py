"""What commands share that talk to the chain: which network, which account, and progress."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from eth_utils.address import is_checksum_address

from xinglin._chain.contract import Call
from xinglin._chain.profile import NetworkProfile
from xinglin._chain.rpc import RpcPool, check_contracts
from xinglin._chain.sender import Sender, TransactionState
from xinglin._cli import output
from xinglin._cli.keys import PassphraseOption, read_passphrase
from xinglin._cli.options import NetworkOption
from xinglin._network.profile import PROFILE_FILE, load
from xinglin.canonical import JsonValue
from xinglin.encoding import from_base64url
from xinglin.errors import KeyFileError, UsageError
from xinglin.keys import Account, read_key_file
from xinglin.names import Address

__all__ = [
    "DEFAULT_FOLDER",
    "KeyOption",
    "NetworkOption",
    "PassphraseOption",
    "checksummed",
    "decimal",
    "digest_bytes",
    "open_account",
    "open_network",
    "open_pool",
    "read_passphrase",
    "send",
    "steps",
    "transaction_result",
]

DEFAULT_FOLDER = Path(".xinglin/network")
"""Where a network of one's own is kept unless said otherwise."""

KeyOption = Annotated[
    Path,
    typer.Option(
        "--key",
        envvar="XINGLIN_KEY",
        help="Key file of the account that signs and sends; its owner's node made it.",
    ),
]


def checksummed(text: str) -> Address:
    """Read an address. One that was mistyped has another checksum: raises `UsageError`."""
    if not is_checksum_address(text):
        raise UsageError(f"expected an address with its checksum, got {text!r:.50}")
    return Address(text)


def open_network(network: Path | None) -> NetworkProfile:
    """Load the profile that a command was given, or the one of the usual folder."""
    return load(network or DEFAULT_FOLDER / PROFILE_FILE)


@contextmanager
def open_pool(profile: NetworkProfile, *, contracts: bool = True) -> Iterator[RpcPool]:
    """Connect to a network, and make sure that its contracts are what the profile says."""
    pool = RpcPool(profile)
    try:
        if contracts:
            check_contracts(pool)
        yield pool
    finally:
        pool.close()


def open_account(key: Path, passphrase_file: Path | None) -> Account:
    """Open a key file that holds one account. Raises `KeyFileError`."""
    secret = read_key_file(key, read_passphrase(passphrase_file))
    value = secret.get("key")
    if secret.get("kind") != "account" or not isinstance(value, str):
        raise KeyFileError(f"{key}: expected a key file of an account, got another kind")
    return Account.from_key(from_base64url(value))


def send(pool: RpcPool, account: Account, call: Call, *, as_json: bool) -> TransactionState:
    """Send one transaction and wait until it is final, saying so."""
    with steps(as_json=as_json) as say:
        say("sending, and waiting until the block is final")
        return Sender(pool, account).send(call, final=True, timeout=180.0)


@contextmanager
def steps(*, as_json: bool) -> Iterator[Callable[[str], None]]:
    """Show what is being done, one step after the other."""
    with output.progress(as_json=as_json) as shown:
        task = shown.add_task("", total=None)

        def say(what: str) -> None:
            shown.update(task, description=what)

        yield say


def decimal(text: str, what: str) -> int:
    """Parse a number that a user typed, decimal or with 0x. Raises `UsageError`."""
    try:
        return int(text, 0)
    except ValueError as error:
        raise UsageError(f"expected {what} as a number, got {text!r:.40}") from error


def digest_bytes(text: str, what: str) -> bytes:
    """Parse 32 bytes that a user typed, in hexadecimal. Raises `UsageError`."""
    try:
        value = bytes.fromhex(text.removeprefix("0x").removeprefix("sha256:"))
    except ValueError as error:
        raise UsageError(f"expected {what} in hexadecimal") from error
    if len(value) != 32:
        raise UsageError(f"expected {what} of 32 bytes, got {len(value)}")
    return value


def transaction_result(
    state: TransactionState, what: str, extra: dict[str, JsonValue] | None = None
) -> tuple[dict[str, JsonValue], Sequence[str]]:
    """Return the JSON and the sentence for a transaction that is final."""
    number = state.block.number if state.block else 0
    value: dict[str, JsonValue] = {"block": number, "gasUsed": state.gas_used, **(extra or {})}
    return value, [f"{what}; final in block {number}, {state.gas_used:,} gas"]
