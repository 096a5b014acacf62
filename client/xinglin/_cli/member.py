"""`xinglin member`: propose and vote on members, and change one's own entries."""

from pathlib import Path
from typing import Annotated

import typer

from xinglin._chain.answers import View
from xinglin._chain.consortium import (
    Consortium,
    MemberRecord,
    NewAccount,
    ProposalRecord,
    admission,
    new_account,
    new_encryption_key,
    new_log_key,
    new_url,
    new_validator,
    replaced_accounts,
    retirement,
    stopped_change,
    succession,
    unfreezing,
)
from xinglin._chain.rpc import RpcPool
from xinglin._chain.words import Change, Kind, Power
from xinglin._cli import output
from xinglin._cli.output import JsonOption
from xinglin._cli.signing import (
    KeyOption,
    NetworkOption,
    PassphraseOption,
    checksummed,
    decimal,
    digest_bytes,
    open_account,
    open_network,
    open_pool,
    send,
    transaction_result,
)
from xinglin.canonical import JsonValue
from xinglin.encoding import from_base64url
from xinglin.errors import UsageError
from xinglin.names import Address, Member

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="""Propose and vote on members, and change your own institution's entries.

What concerns others is decided by vote of the active hospitals: a proposal, then `vote` by
GOVERN accounts until there are enough. What concerns yourself you change yourself; it takes
effect after a delay in which a vote can stop it.

    xinglin member list
    xinglin member propose admit --institution institute.json --key govern.key
    xinglin member vote 0x5f… --key govern.key
    xinglin member change url https://node.example --key govern.key
    xinglin member change apply 3 --key govern.key
""",
)


@app.command("list")
def list_members(
    network: NetworkOption = None,
    proposals: Annotated[
        bool, typer.Option("--proposals", help="Show proposals and changes as well.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List members with role, status, log and accounts, as of the final view."""
    with open_pool(open_network(network)) as pool:
        view = pool.final_view()
        consortium = Consortium(pool)
        members = consortium.members(at=view)
        value: dict[str, JsonValue] = {
            "block": view.number,
            "members": [_member_json(member, view) for member in members],
        }
        lines = [line for member in members for line in _member_lines(member, view)]
        if proposals:
            made = consortium.proposals(at=view)
            changes = consortium.changes(at=view)
            value["proposals"] = [_proposal_json(consortium, one, view) for one in made]
            value["changes"] = [
                {
                    "number": one.number,
                    "member": one.member,
                    "what": one.what.text,
                    "state": one.state.text,
                    "appliesFrom": one.applies_from,
                    "appliesUntil": one.applies_until,
                }
                for one in changes
            ]
            lines += [_proposal_line(consortium, one, view) for one in made]
            lines += [
                f"change {one.number}: member {one.member} {one.what.text}, {one.state.text}, "
                f"from {one.applies_from}"
                for one in changes
            ]
    output.result(value, lines, as_json=json)


@app.command()
def propose(
    what: Annotated[
        str,
        typer.Argument(
            help="admit, suspend, resume, remove, replace-accounts, unfreeze, retire, "
            "stop-change, succeed or mandate."
        ),
    ],
    key: KeyOption,
    member: Annotated[int, typer.Option(help="The member concerned.", min=0)] = 0,
    institution: Annotated[
        Path | None, typer.Option(help="For admit: the institution's file.")
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(help="For replace-accounts: ADDRESS=govern+anchor, once for each."),
    ] = None,
    change: Annotated[int, typer.Option(help="For stop-change: its number.", min=0)] = 0,
    successor: Annotated[str, typer.Option(help="For succeed: the next Consortium.")] = "",
    digest: Annotated[str, typer.Option(help="For mandate: its EIP-712 digest.")] = "",
    network: NetworkOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """
    Put something to the vote. The proposal is not a vote: `member vote` with its number follows.

    A proposal dies when the set of active hospitals changes, and when its time is up.
    """
    kind = _kind(what)
    proposer = open_account(key, passphrase_file)
    with open_pool(open_network(network)) as pool:
        consortium = Consortium(pool)
        concerned = Member(member) if member else None
        payload = _payload(
            consortium,
            kind,
            concerned,
            institution=institution,
            accounts=account or [],
            change=change,
            successor=successor,
            digest=digest,
        )
        state = send(pool, proposer, consortium.propose(kind, concerned, payload), as_json=json)
        number = _proposed(pool, consortium, proposer.address, state.block)
        extra: dict[str, JsonValue] = {"proposal": hex(number), "kind": kind.text}
        needed = consortium.quorum(concerned)
        value, lines = transaction_result(state, f"proposal {hex(number)}: {kind.text}", extra)
        output.result({**value, "needed": needed}, [*lines, f"needs {needed} votes"], as_json=json)


@app.command()
def vote(
    proposal: Annotated[str, typer.Argument(help="Its number, as `member list --proposals` says.")],
    key: KeyOption,
    network: NetworkOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Vote for a proposal with a hospital's GOVERN account; the last vote needed carries it."""
    number = decimal(proposal, "a proposal")
    voter = open_account(key, passphrase_file)
    with open_pool(open_network(network)) as pool:
        consortium = Consortium(pool)
        state = send(pool, voter, consortium.vote(number), as_json=json)
        stands = consortium.proposal(number, at=state.block)
        carried = stands is not None and stands.carried_at != 0
        votes = stands.votes if stands is not None else 0
        value, lines = transaction_result(
            state,
            f"voted, {votes} so far" + (", and carried out" if carried else ""),
            {"proposal": hex(number), "votes": votes, "carried": carried},
        )
    output.result(value, lines, as_json=json)


@app.command()
def change(
    what: Annotated[
        str,
        typer.Argument(
            help="add-account, log-key, encryption-key, url or validator; end-account, which "
            "is at once; apply, for a change whose delay is over."
        ),
    ],
    value: Annotated[
        str,
        typer.Argument(help="ADDRESS=powers, key, URL, address, or the number of a change."),
    ],
    key: KeyOption,
    network: NetworkOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """
    Change your own institution's entry, with a GOVERN account.

    It waits for the network's delay, in which the hospitals can stop it; then `change apply`
    carries it out. Ending an account waits for nothing.
    """
    governor = open_account(key, passphrase_file)
    with open_pool(open_network(network)) as pool:
        consortium = Consortium(pool)
        if what == "apply":
            call = consortium.apply_change(decimal(value, "a change"))
            said = f"change {value} applied"
        elif what == "end-account":
            call = consortium.end_account(checksummed(value))
            said = f"account {value} ended"
        else:
            kind = _change(what)
            call = consortium.request_change(kind, _change_payload(kind, value))
            said = f"change of {kind.text} requested"
        state = send(pool, governor, call, as_json=json)
        extra: dict[str, JsonValue] = {}
        if what not in ("apply", "end-account"):
            asked = consortium.changes(at=state.block)[-1]
            extra = {"change": asked.number, "appliesFrom": asked.applies_from}
            said += f": number {asked.number}, from {asked.applies_from} on"
        result, lines = transaction_result(state, said, extra)
    output.result(result, lines, as_json=json)


@app.command()
def freeze(
    key: KeyOption,
    network: NetworkOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Stop your own log at once, with any account of yours. Only a vote starts it again."""
    account = open_account(key, passphrase_file)
    with open_pool(open_network(network)) as pool:
        state = send(pool, account, Consortium(pool).freeze(), as_json=json)
    value, lines = transaction_result(state, "log frozen")
    output.result(value, lines, as_json=json)


def _kind(text: str) -> Kind:
    kinds = [kind for kind in Kind if kind not in (Kind.APPROVE_MODEL, Kind.WITHDRAW_MODEL)]
    for kind in kinds:
        if kind.text == text:
            return kind
    known = ", ".join(kind.text for kind in kinds)
    raise UsageError(f"expected one of {known}, got {text!r:.40}; models have their own commands")


def _change(text: str) -> Change:
    for what in Change:
        if what.text == text:
            return what
    known = ", ".join(what.text for what in Change)
    raise UsageError(f"expected one of {known}, end-account, apply, got {text!r:.40}")


def _payload(
    consortium: Consortium,
    kind: Kind,
    concerned: Member | None,
    *,
    institution: Path | None,
    accounts: list[str],
    change: int,
    successor: str,
    digest: str,
) -> bytes:
    if kind is Kind.ADMIT:
        return _admission(institution)
    if kind is Kind.SUCCEED:
        return succession(checksummed(successor))
    if concerned is None:
        raise UsageError(f"expected --member: {kind.text} concerns one")
    if kind is Kind.REPLACE_ACCOUNTS:
        if not accounts:
            raise UsageError("expected --account ADDRESS=powers at least once")
        return replaced_accounts([_new_account(text) for text in accounts])
    if kind is Kind.UNFREEZE or kind is Kind.RETIRE:
        member = consortium.member(concerned)
        if member is None:
            raise UsageError(f"expected a member, there is none with number {concerned}")
        is_retirement = kind is Kind.RETIRE
        return retirement(member.generation) if is_retirement else unfreezing(member.frozen_at)
    if kind is Kind.STOP_CHANGE:
        return stopped_change(change)
    if kind is Kind.MANDATE:
        return digest_bytes(digest, "a mandate's digest")
    return b""


def _admission(institution: Path | None) -> bytes:
    from xinglin._network.institution import read_institution

    if institution is None:
        raise UsageError("expected --institution: the file of who is to be admitted")
    found = read_institution(institution)
    return admission(found.member_role, found.applicant())


def _change_payload(what: Change, value: str) -> bytes:
    if what is Change.ADD_ACCOUNT:
        return new_account(_new_account(value))
    if what is Change.LOG_KEY:
        return new_log_key(digest_bytes(value, "a log key"))
    if what is Change.ENCRYPTION_KEY:
        return new_encryption_key(from_base64url(value))
    if what is Change.URL:
        return new_url(value)
    return new_validator(checksummed(value))


def _new_account(text: str) -> NewAccount:
    address, _, names = text.partition("=")
    powers = Power(0)
    for name in names.split("+"):
        if name.upper() not in Power.__members__:
            raise UsageError(
                f"expected ADDRESS=powers of {', '.join(p.text for p in Power)}, got {text!r:.80}"
            )
        powers |= Power[name.upper()]
    return NewAccount(checksummed(address), powers)


def _proposed(pool: RpcPool, consortium: Consortium, proposer: Address, block: View | None) -> int:
    """The number of the proposal that an account just made, from the block that holds it."""
    record = consortium.account(proposer)
    at = block if block is not None else pool.head()
    for log in reversed(consortium.events("ProposalMade", first=at.number, at=at)):
        if record is not None and log.fields["proposer"] == record.member:
            return int(log.fields["proposal"])
    raise UsageError("expected the proposal in its block, found none")


def _member_json(member: MemberRecord, view: View) -> dict[str, JsonValue]:
    return {
        "number": member.number,
        "name": member.name,
        "role": member.role.text,
        "status": member.status.text,
        "url": member.url,
        "generation": member.generation,
        "frozenAt": member.frozen_at,
        "logKey": member.log_key.hex(),
        "validator": member.validator,
        "accounts": [
            {
                "address": one.address,
                "powers": one.powers.text,
                "since": one.since,
                "until": one.until,
                "inForce": one.in_force(view.time),
            }
            for one in member.accounts
        ],
    }


def _member_lines(member: MemberRecord, view: View) -> list[str]:
    frozen = ", log frozen" if member.frozen_at else ""
    return [
        f"{member.number} {member.name}: {member.role.text}, {member.status.text}, "
        f"log generation {member.generation}{frozen}",
        *(
            f"    {one.address} {one.powers.text}"
            + ("" if one.in_force(view.time) else f", ended {one.until}")
            for one in member.accounts
        ),
    ]


def _proposal_json(consortium: Consortium, one: ProposalRecord, view: View) -> dict[str, JsonValue]:
    return {
        "number": hex(one.number),
        "kind": one.kind.text,
        "concerned": one.concerned,
        "proposer": one.proposer,
        "votes": one.votes,
        "deadline": one.deadline,
        "state": _proposal_state(consortium, one, view),
    }


def _proposal_line(consortium: Consortium, one: ProposalRecord, view: View) -> str:
    about = f" member {one.concerned}" if one.concerned else ""
    state = _proposal_state(consortium, one, view)
    return f"proposal {hex(one.number)}: {one.kind.text}{about}, {one.votes} votes, {state}"


def _proposal_state(consortium: Consortium, one: ProposalRecord, view: View) -> str:
    if one.carried_at:
        return "carried"
    if one.version != consortium.membership_version(at=view):
        return "dead: the set of hospitals changed"
    return "open" if view.time < one.deadline else "dead: its time is up"
