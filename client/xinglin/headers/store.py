"""
A view put away in a file, and taken up again: following goes on from where it was.

A saved view is one canonical JSON object, `xinglin.headers/1`: the rules, the last
header, the sets of validators and the open votes. It grows with the number of
validators and not with the chain. It is the follower's own note: what the header shows
is checked again when it is loaded, the votes are believed. Keep it where only its owner
writes; to share trust with others there is the trust root.

    data = save(view)
    view = load(data)
"""

from collections.abc import Mapping, Sequence

from xinglin import canonical
from xinglin.canonical import JsonValue
from xinglin.errors import HeaderError, InvalidEncoding, UsageError
from xinglin.headers import clique, qbft
from xinglin.headers.header import BlockHash, Fork, parse
from xinglin.headers.validators import Account, ValidatorSet, Vote, account_of, address_of
from xinglin.names import Address

FORMAT = "xinglin.headers/1"
"""Name and version of a saved view."""

_MEMBERS = {
    "blockHash", "engine", "format", "genesisItems", "header", "known", "rules", "sealers",
    "validators", "votes",
}  # fmt: skip


def save(view: qbft.View | clique.View) -> bytes:
    """
    The canonical bytes of a view.

    Raises `InvalidEncoding` for a view whose numbers JSON cannot keep (2^53 and above).
    """
    saved: dict[str, JsonValue] = {
        "blockHash": _hex(view.block_hash),
        "engine": "qbft" if isinstance(view, qbft.View) else "clique",
        "format": FORMAT,
        "genesisItems": view.genesis_items,
        "header": _hex(view.header.encoded),
        "known": {"hash": _hex(view.known_hash), "number": view.known_from},
        "rules": {
            "blockPeriod": view.rules.block_period,
            "epochLength": view.rules.epoch_length,
            "forks": [
                {"items": fork.items, "number": fork.number, "timestamp": fork.timestamp}
                for fork in view.rules.forks
            ],
        },
        "sealers": view.sealers.addresses,
        "validators": view.followed.addresses,
        "votes": [
            {"add": v.add, "recipient": address_of(v.recipient), "voter": address_of(v.voter)}
            for v in sorted(view.votes)
        ],
    }
    if isinstance(view, clique.View):
        saved["recent"] = [
            {"number": sealing.number, "sealer": address_of(sealing.sealer)}
            for sealing in view.recent
        ]
    return canonical.encode(saved)


def load(data: bytes) -> qbft.View | clique.View:
    """
    The view that `save` wrote.

    Raises `InvalidEncoding` for bytes that `save` did not write, and `HeaderError` if
    the header in them is not sealed by the validators in them.
    """
    saved = canonical.decode_object(data)
    if saved.get("format") != FORMAT:
        raise InvalidEncoding(f"saved view: expected the format {FORMAT}, got another")
    engine = saved.get("engine")
    try:
        if engine == "qbft":
            view: qbft.View | clique.View = _load_qbft(saved)
        elif engine == "clique":
            view = _load_clique(saved)
        else:
            raise InvalidEncoding("saved view: expected the engine qbft or clique, got another")
    except UsageError as error:
        raise InvalidEncoding(f"saved view: {error}") from error
    if save(view) != data:
        raise InvalidEncoding("saved view: expected the bytes that saving gives, got others")
    return view


def _load_qbft(saved: dict[str, JsonValue]) -> qbft.View:
    _expect_members(saved, _MEMBERS)
    epoch_length, block_period, forks = _rules(saved["rules"])
    rules = qbft.Rules(epoch_length, block_period, forks)
    header_rlp = _bytes(saved["header"])
    header = parse(header_rlp)
    if header.number == 0:
        return qbft.genesis(header_rlp, rules=rules)
    known_hash, known_from = _known(saved["known"])
    return qbft.restore(
        header,
        sealers=_set(saved["sealers"]),
        validators=_set(saved["validators"]),
        votes=_votes(saved["votes"]),
        rules=rules,
        known_from=known_from,
        known_hash=known_hash,
        genesis_items=_integer(saved["genesisItems"]),
        block_hash=BlockHash(_bytes(saved["blockHash"])),
    )


def _load_clique(saved: dict[str, JsonValue]) -> clique.View:
    _expect_members(saved, _MEMBERS | {"recent"})
    epoch_length, block_period, forks = _rules(saved["rules"])
    rules = clique.Rules(epoch_length, block_period, forks)
    header_rlp = _bytes(saved["header"])
    header = parse(header_rlp)
    if header.number == 0:
        return clique.genesis(header_rlp, rules=rules)
    known_hash, known_from = _known(saved["known"])
    return clique.restore(
        header,
        sealers=_set(saved["sealers"]),
        validators=_set(saved["validators"]),
        votes=_votes(saved["votes"]),
        recent=tuple(
            clique.Sealing(_integer(item["number"]), _account(item["sealer"]))
            for item in _objects(saved["recent"], {"number", "sealer"})
        ),
        rules=rules,
        known_from=known_from,
        known_hash=known_hash,
        genesis_items=_integer(saved["genesisItems"]),
        block_hash=BlockHash(_bytes(saved["blockHash"])),
    )


def _rules(value: JsonValue) -> tuple[int, int, tuple[Fork, ...]]:
    rules = _object(value, {"blockPeriod", "epochLength", "forks"})
    forks = tuple(
        Fork(
            items=tuple(_integer(item) for item in _list(fork["items"])),
            number=_integer(fork["number"]),
            timestamp=_integer(fork["timestamp"]),
        )
        for fork in _objects(rules["forks"], {"items", "number", "timestamp"})
    )
    return _integer(rules["epochLength"]), _integer(rules["blockPeriod"]), forks


def _known(value: JsonValue) -> tuple[BlockHash, int]:
    known = _object(value, {"hash", "number"})
    return BlockHash(_bytes(known["hash"])), _integer(known["number"])


def _set(value: JsonValue) -> ValidatorSet:
    return ValidatorSet.of(_account(item) for item in _list(value))


def _votes(value: JsonValue) -> tuple[Vote, ...]:
    votes: list[Vote] = []
    for vote in _objects(value, {"add", "recipient", "voter"}):
        add = vote["add"]
        if not isinstance(add, bool):
            raise InvalidEncoding("saved view: expected true or false")
        votes.append(Vote(_account(vote["voter"]), _account(vote["recipient"]), add))
    return tuple(votes)


def _account(value: JsonValue) -> Account:
    if not isinstance(value, str):
        raise InvalidEncoding("saved view: expected an address")
    try:
        return account_of(Address(value))
    except HeaderError as error:
        raise InvalidEncoding(f"saved view: {error}") from error


def _objects(value: JsonValue, members: set[str]) -> Sequence[Mapping[str, JsonValue]]:
    return [_object(item, members) for item in _list(value)]


def _object(value: JsonValue, members: set[str]) -> Mapping[str, JsonValue]:
    if not isinstance(value, Mapping):
        raise InvalidEncoding("saved view: expected an object")
    _expect_members(value, members)
    return value


def _expect_members(value: Mapping[str, JsonValue], members: set[str]) -> None:
    if set(value) != members:
        raise InvalidEncoding(f"saved view: expected the members {', '.join(sorted(members))}")


def _list(value: JsonValue) -> Sequence[JsonValue]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidEncoding("saved view: expected an array")
    return value


def _integer(value: JsonValue) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidEncoding("saved view: expected an integer")
    return value


def _hex(value: bytes) -> str:
    return f"0x{value.hex()}"


def _bytes(value: JsonValue) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise InvalidEncoding("saved view: expected 0x and hexadecimal digits")
    try:
        return bytes.fromhex(value[2:])
    except ValueError as error:
        raise InvalidEncoding("saved view: expected 0x and hexadecimal digits") from error
