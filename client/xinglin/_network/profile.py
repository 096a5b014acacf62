"""
A network's profile as one TOML file (docs/spec/network.md).

    profile = load(Path("network.toml"))
    save(replace(profile, rpc=("https://rpc.example.org",)), Path("network.toml"))

Reading is strict: an unknown, missing or wrongly typed key is refused and named.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, cast

from eth_utils.address import is_checksum_address

from xinglin._chain.profile import (
    Contracts,
    DeployedContract,
    FeeRule,
    Finality,
    FinalityRule,
    NetworkProfile,
    ProfileMember,
)
from xinglin.errors import InvalidEncoding, UsageError
from xinglin.names import Address, Member, NetworkId

PROFILE_FILE = "network.toml"
"""Its name in a network's folder."""

FORMAT = "xinglin.network/1"

CONTRACT_NAMES = ("consortium", "checkpoints", "consents", "models")

_SCALARS = (
    "format",
    "engine",
    "chain_id",
    "genesis",
    "rpc",
    "block_period",
    "epoch_length",
    "validators",
    "fee",
    "max_view_age",
    "max_late",
    "max_head_age",
    "max_lag",
)
"""Keys that every profile has, in the order in which they are written."""


def load(path: Path) -> NetworkProfile:
    """Read a profile. Raises `UsageError` where there is no file, `InvalidEncoding` else."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"expected a network profile at {path}: {error.strerror}") from error
    return decode(text)


def save(profile: NetworkProfile, path: Path) -> None:
    """Write a profile, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(encode(profile))
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def encode(profile: NetworkProfile) -> bytes:
    """Return the TOML text."""
    values: dict[str, str | int | tuple[str, ...]] = {
        "format": FORMAT,
        "engine": profile.engine,
        "chain_id": profile.chain_id,
        "genesis": "0x" + profile.genesis.hex(),
        "rpc": profile.rpc,
        "block_period": profile.block_period,
        "epoch_length": profile.epoch_length,
        "validators": profile.validators,
        "fee": profile.fee.value,
        "max_view_age": profile.max_view_age,
        "max_late": profile.max_late,
        "max_head_age": profile.max_head_age,
        "max_lag": profile.max_lag,
    }
    lines = [f"{key} = {_toml(values[key])}" for key in _SCALARS]
    if profile.network_id is not None:
        lines.append(f"network_id = {_toml(profile.network_id.hex())}")
    lines += ["", "[finality]", f"rule = {_toml(profile.finality.rule.value)}"]
    lines.append(f"depth = {profile.finality.depth}")
    if profile.contracts is not None:
        for name, contract in profile.contracts.items():
            lines += ["", f"[contracts.{name}]", f"address = {_toml(contract.address)}"]
            lines.append(f"code_hash = {_toml('0x' + contract.code_hash.hex())}")
            lines.append(f"block = {contract.block}")
    for member in profile.members:
        lines += ["", "[[members]]", f"number = {member.number}"]
        lines.append(f"name = {_toml(member.name)}")
        lines.append(f"node_url = {_toml(member.node_url)}")
    return ("\n".join(lines) + "\n").encode()


def decode(text: bytes) -> NetworkProfile:
    """Parse the TOML text. Raises `InvalidEncoding` with the key that is wrong."""
    try:
        table = tomllib.loads(text.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidEncoding(f"network profile: expected TOML: {error}") from error
    keys = {*_SCALARS, "finality"}
    _check_keys(table, required=keys, optional={"network_id", "contracts", "members"}, where="")
    if table["format"] != FORMAT:
        _refuse("format", FORMAT, table["format"])
    contracts = _contracts(_table(table, "contracts")) if "contracts" in table else None
    network_id = _bytes(table, "network_id", 16) if "network_id" in table else None
    try:
        return NetworkProfile(
            engine=_text(table, "engine"),
            chain_id=_integer(table, "chain_id"),
            genesis=_bytes(table, "genesis", 32),
            rpc=_texts(table, "rpc"),
            block_period=_integer(table, "block_period"),
            finality=_finality(_table(table, "finality")),
            fee=FeeRule(_text(table, "fee")),
            network_id=NetworkId(network_id) if network_id is not None else None,
            contracts=contracts,
            members=_members(table.get("members", [])),
            epoch_length=_integer(table, "epoch_length"),
            validators=tuple(
                _checksummed("validators", one) for one in _texts(table, "validators")
            ),
            max_view_age=_integer(table, "max_view_age"),
            max_late=_integer(table, "max_late"),
            max_head_age=_integer(table, "max_head_age"),
            max_lag=_integer(table, "max_lag"),
        )
    except (UsageError, ValueError) as error:
        raise InvalidEncoding(f"network profile: {error}") from error


def _finality(table: Mapping[str, object]) -> Finality:
    _check_keys(table, required={"rule", "depth"}, optional=set(), where="finality")
    return Finality(FinalityRule(_text(table, "rule")), _integer(table, "depth"))


def _contracts(table: Mapping[str, object]) -> Contracts:
    _check_keys(table, required=set(CONTRACT_NAMES), optional=set(), where="contracts")
    found: dict[str, DeployedContract] = {}
    for name in CONTRACT_NAMES:
        one = _table(table, name)
        _check_keys(one, required={"address", "code_hash", "block"}, optional=set(), where=name)
        found[name] = DeployedContract(
            _checksummed(name, _text(one, "address")),
            _bytes(one, "code_hash", 32),
            _integer(one, "block"),
        )
    return Contracts(**found)


def _members(value: object) -> tuple[ProfileMember, ...]:
    if not isinstance(value, list):
        _refuse("members", "a list of tables", value)
    members: list[ProfileMember] = []
    for item in cast(list[object], value):
        if not isinstance(item, dict):
            _refuse("members", "a list of tables", item)
        table = cast(dict[str, object], item)
        _check_keys(table, required={"number", "name", "node_url"}, optional=set(), where="members")
        members.append(
            ProfileMember(
                Member(_integer(table, "number")), _text(table, "name"), _text(table, "node_url")
            )
        )
    return tuple(members)


def _check_keys(
    table: Mapping[str, object], *, required: set[str], optional: set[str], where: str
) -> None:
    missing = sorted(required - set(table))
    unknown = sorted(set(table) - required - optional)
    place = f" in {where}" if where else ""
    if missing:
        raise InvalidEncoding(f"network profile: expected {', '.join(missing)}{place}, got none")
    if unknown:
        raise InvalidEncoding(f"network profile: unknown {', '.join(unknown)}{place}")


def _table(table: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = table[key]
    if not isinstance(value, dict):
        _refuse(key, "a table", value)
    return cast(dict[str, object], value)


def _text(table: Mapping[str, object], key: str) -> str:
    value = table[key]
    if not isinstance(value, str):
        _refuse(key, "text", value)
    return value


def _texts(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = table[key]
    if not isinstance(value, list):
        _refuse(key, "a list of texts", value)
    items = cast(list[object], value)
    if not all(isinstance(item, str) for item in items):
        _refuse(key, "a list of texts", items)
    return tuple(cast(list[str], items))


def _integer(table: Mapping[str, object], key: str) -> int:
    value = table[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        _refuse(key, "an integer of 0 or more", value)
    return value


def _bytes(table: Mapping[str, object], key: str, size: int) -> bytes:
    text = _text(table, key).removeprefix("0x")
    if len(text) != 2 * size or set(text) - set("0123456789abcdef"):
        _refuse(key, f"{size} bytes in lower-case hexadecimal", text)
    return bytes.fromhex(text)


def _checksummed(key: str, text: str) -> Address:
    if not is_checksum_address(text):
        _refuse(key, "an address with its checksum", text)
    return Address(text)


def _refuse(key: str, expected: str, got: object) -> NoReturn:
    raise InvalidEncoding(f"network profile: {key}: expected {expected}, got {got!r:.60}")


def _toml(value: str | int | tuple[str, ...]) -> str:
    """One value as TOML v1.0 writes it: basic strings, integers, arrays of strings."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    escaped = "".join(
        f"\\u{ord(char):04x}" if ord(char) < 0x20 or char in '"\\\x7f' else char for char in value
    )
    return f'"{escaped}"'
