"""`xinglin verify`: hold a bundle against a trust root, offline unless told otherwise."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from xinglin._cli import output
from xinglin.bundle import Bundle, read_bundle
from xinglin.errors import CheckpointError, EvidenceError, UsageError
from xinglin.headers import header
from xinglin.names import Member
from xinglin.trust import TrustRoot, read_trust
from xinglin.verify import (
    AllOf,
    AnyStatement,
    ModelApproved,
    NotLate,
    OfMember,
    OfType,
    Policy,
    SealedFromTrust,
    Verified,
    sealers_are_shown,
    verify_bundle,
)

TRUST_VARIABLE = "XINGLIN_TRUST"
"""Environment variable that names the trust root's file."""


_TrustOption = Annotated[
    Path | None,
    typer.Option(
        help=f"The network's trust root. Else ${TRUST_VARIABLE}, else trust.json in the "
        "user's configuration folder; never the bundle, never the working directory."
    ),
]

_SealedOption = Annotated[
    bool,
    typer.Option(
        "--sealed",
        help="Refuse evidence that does not reach the trust root's block, on a development "
        "chain too.",
    ),
]

_UnsealedOption = Annotated[
    bool,
    typer.Option(
        "--unsealed",
        help="Accept a bundle without headers as it is: whoever made it can have made up "
        "what the chain says in it.",
    ),
]

_NodesOption = Annotated[
    Path | None,
    typer.Option(
        help="A profile, network.toml: follow the headers from its nodes, in place of the "
        "bundle's. No node is believed."
    ),
]

_ReceiptOption = Annotated[
    Path | None,
    typer.Option(
        help="The receipt that you were given when you submitted: demand that the log signed "
        "it, and kept it."
    ),
]


def verify(
    bundle: Annotated[Path, typer.Argument(help="A bundle: one .xinglin.json file.")],
    trust: _TrustOption = None,
    type: Annotated[
        str | None, typer.Option(help="Demand this type of statement, such as record.")
    ] = None,
    member: Annotated[int | None, typer.Option(help="Demand this member's log.")] = None,
    in_time: Annotated[
        bool, typer.Option("--in-time", help="Refuse what was anchored late.")
    ] = False,
    sealed: _SealedOption = False,
    unsealed: _UnsealedOption = False,
    network: _NodesOption = None,
    approved_model: Annotated[
        bool,
        typer.Option("--approved-model", help="Refuse inferences by models not then approved."),
    ] = False,
    receipt: _ReceiptOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Check a bundle against a trust root. Asks no server and no chain.

    A bundle of a long chain brings no headers. With --network they are read from nodes and
    followed, one request a block; without, such a bundle is refused.

    Exit codes: 0 verified, 1 refused (or no bundle at all), 2 no trust root to check against,
    3 no node of --network can be asked.

    Example: xinglin verify entry.xinglin.json --trust trust.json --type record
    """
    if unsealed and (sealed or network is not None):
        raise UsageError("expected --unsealed without --sealed and --network")
    read = read_bundle(output.read_file(bundle))
    root = find_trust(trust)
    with _headers_from(network, read, root, as_json=as_json) as headers:
        verified = verify_bundle(
            read if receipt is None else _with_receipt(read, output.read_file(receipt)),
            trust=root,
            policy=_policy(
                type, member, in_time=in_time, sealed=sealed, approved_model=approved_model
            ),
            headers=headers,
        )
    if not (unsealed or sealers_are_shown(verified, root)):
        raise EvidenceError(
            f"{verified.reach.sentence}; follow them with --network PROFILE, or accept it as it "
            "is with --unsealed"
        )
    output.result(verified.to_json(), _lines(verified, read, root), as_json=as_json)


@contextmanager
def _headers_from(
    network: Path | None, bundle: Bundle, trust: TrustRoot, *, as_json: bool
) -> Iterator[Iterator[bytes] | None]:
    """Headers from the trust root's block on, each asked for when it is followed."""
    if network is None:
        yield None
        return
    from xinglin._chain.evidence import headers_from
    from xinglin._cli.signing import open_network, open_pool

    first = trust.first_block
    last = header.parse(bundle.evidence.header).number + trust.finality.depth
    with (
        open_pool(open_network(network), contracts=False) as pool,
        output.progress(as_json=as_json) as shown,
    ):
        task = shown.add_task("following headers", total=max(0, last + 1 - first))

        def read() -> Iterator[bytes]:
            for one in headers_from(pool, first):
                yield one
                shown.advance(task)

        yield read()


def _with_receipt(bundle: Bundle, kept: bytes) -> Bundle:
    """
    The bundle with the receipt that somebody kept, in place of what the node put there.

    A node writes its receipt anew into each bundle: only the one that was kept shows a log that
    promised one entry and anchored another. Raises `CheckpointError`.
    """
    try:
        return bundle.model_copy(update={"receipt": kept.decode()})
    except UnicodeDecodeError as error:
        raise CheckpointError("the receipt is not UTF-8") from error


def find_trust(named: Path | None) -> TrustRoot:
    """
    The trust root: from `--trust`, else the environment, else the user's configuration.

    Raises `UsageError` where there is none. A bundle never brings its own (I8).
    """
    place = named or _from_environment() or _from_configuration()
    if place is None:
        raise UsageError(
            f"no trust root: name one with --trust FILE or ${TRUST_VARIABLE}, or put it at "
            f"{platformdirs.user_config_path('xinglin') / 'trust.json'}"
        )
    return read_trust(output.read_file(place))


def _from_environment() -> Path | None:
    value = os.environ.get(TRUST_VARIABLE)
    return Path(value) if value else None


def _from_configuration() -> Path | None:
    place = platformdirs.user_config_path("xinglin") / "trust.json"
    return place if place.exists() else None


def _policy(
    type: str | None,
    member: int | None,
    *,
    in_time: bool,
    sealed: bool,
    approved_model: bool,
) -> Policy:
    demands: list[Policy] = [AnyStatement()]
    if type is not None:
        demands.append(OfType(type))
    if member is not None:
        demands.append(OfMember(Member(member)))
    if in_time:
        demands.append(NotLate())
    if sealed:
        demands.append(SealedFromTrust())
    if approved_model:
        demands.append(ModelApproved())
    return AllOf(demands)


def _lines(verified: Verified, bundle: Bundle, trust: TrustRoot) -> list[str]:
    lines = [f"verified: {verified.sentence}"]
    lines += [f"  note: {note}" for note in verified.notes]
    lines += [f"  {one.sentence}" for one in verified.corrections]
    if verified.grant_end != "none":
        lines.append(f"  grant: {verified.grant_end} at the evidence's block")
    if verified.model_status != "none":
        lines.append(f"  model: {verified.model_status} when the inference was made")
    if not sealers_are_shown(verified, trust):
        lines.append("  note: whoever made the bundle can have made up what the chain says in it")
    if bundle.trust != trust.digest:
        lines.append("  note: the bundle was made for another trust root of this network")
    return lines
