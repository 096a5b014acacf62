"""`xinglin model`: register models, and vote on them."""

from pathlib import Path
from typing import Annotated

import typer

from xinglin._chain.consortium import (
    Consortium,
    ProposalRecord,
    model_approval,
    model_withdrawal,
)
from xinglin._chain.models import ModelRecord, Models, ModelStatus
from xinglin._chain.rpc import RpcPool
from xinglin._chain.words import Kind
from xinglin._cli import output
from xinglin._cli.output import JsonOption
from xinglin._cli.signing import (
    KeyOption,
    NetworkOption,
    PassphraseOption,
    digest_bytes,
    open_account,
    open_network,
    open_pool,
    send,
    transaction_result,
)
from xinglin.canonical import JsonValue, decode_object
from xinglin.errors import InvalidEncoding, UsageError
from xinglin.hashes import Digest
from xinglin.inference import MANIFEST_FORMAT
from xinglin.keys import Account

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="""Register models, and vote on whether the network stands by them.

A model is known by the digest of its manifest, which lists every file of its weights. Whoever
registers it vouches for nothing; approval is a vote of the hospitals, and history is never
overwritten.

    xinglin model register manifest.json --key govern.key
    xinglin model vote sha256:5f… --key govern.key      # until there are enough
    xinglin model vote sha256:5f… --withdraw sha256:9c… --key govern.key
    xinglin model list
""",
)

DigestArgument = Annotated[str, typer.Argument(help="Digest of the manifest, sha256:….")]


@app.command()
def register(
    manifest: Annotated[Path, typer.Argument(help="The model's manifest, canonical JSON.")],
    key: KeyOption,
    predecessor: Annotated[
        str, typer.Option(help="Digest of the manifest that this one follows.")
    ] = "",
    network: NetworkOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Register a model by the SHA-256 of its manifest, with a member's GOVERN account."""
    content = output.read_file(manifest)
    _require_manifest(content)
    digest = Digest.of(content)
    before = _digest(predecessor) if predecessor else None
    account = open_account(key, passphrase_file)
    with open_pool(open_network(network)) as pool:
        state = send(pool, account, Models(pool).register(digest, predecessor=before), as_json=json)
    value, lines = transaction_result(state, f"registered {digest.text}", {"digest": digest.text})
    output.result(value, lines, as_json=json)


@app.command()
def vote(
    digest: DigestArgument,
    key: KeyOption,
    withdraw: Annotated[
        str, typer.Option(help="Vote to withdraw it, for the reason with this digest.")
    ] = "",
    network: NetworkOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """
    Vote for the approval of a model, or for its withdrawal.

    Proposes it where nobody has. With the vote that is the last one needed the model's status
    is changed as well. Where a vote carried and the status was not changed, the same command
    changes it, and nobody votes again.
    """
    account = open_account(key, passphrase_file)
    with open_pool(open_network(network)) as pool:
        model = _known(pool, _digest(digest))
        reason = _digest(withdraw) if withdraw else None
        value = _vote(pool, account, model, reason, as_json=json)
    lines = [f"{model.digest.text}: {value['votes']} of {value['needed']} votes, {value['status']}"]
    output.result(value, lines, as_json=json)


@app.command()
def retire(
    digest: DigestArgument,
    key: KeyOption,
    network: NetworkOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Retire a model that your own institution registered."""
    account = open_account(key, passphrase_file)
    with open_pool(open_network(network)) as pool:
        model = _known(pool, _digest(digest))
        state = send(pool, account, Models(pool).retire(model.digest), as_json=json)
    value, lines = transaction_result(state, f"retired {model.digest.text}")
    output.result(value, lines, as_json=json)


@app.command("list")
def list_models(network: NetworkOption = None, json: JsonOption = False) -> None:
    """List every registered model with the history of its status."""
    with open_pool(open_network(network)) as pool:
        found = Models(pool).all(at=pool.final_view())
    value: list[JsonValue] = [_json(model) for model in found]
    lines = [
        f"{model.digest.text} {model.status.text}, registered by member {model.registrar}"
        for model in found
    ]
    output.result(value, lines or ["no models"], as_json=json)


def _vote(
    pool: RpcPool,
    account: Account,
    model: ModelRecord,
    reason: Digest | None,
    *,
    as_json: bool,
) -> dict[str, JsonValue]:
    consortium, models = Consortium(pool), Models(pool)
    if reason is None:
        kind = Kind.APPROVE_MODEL
        payload = model_approval(model.digest, model.predecessor, model.registrar)
    else:
        kind = Kind.WITHDRAW_MODEL
        payload = model_withdrawal(model.digest, reason)
    proposal = _standing(pool, consortium, kind, payload)
    if proposal is None:
        send(pool, account, consortium.propose(kind, None, payload), as_json=as_json)
        proposal = _standing(pool, consortium, kind, payload)
    if proposal is None:
        raise UsageError("the proposal died at once: the set of hospitals is changing")
    if not proposal.carried_at:
        send(pool, account, consortium.vote(proposal.number), as_json=as_json)
        proposal = consortium.proposal(proposal.number) or proposal
    if proposal.carried_at:
        apply = (
            models.approve(model.digest)
            if reason is None
            else models.withdraw(model.digest, reason)
        )
        send(pool, account, apply, as_json=as_json)
    return {
        "digest": model.digest.text,
        "proposal": hex(proposal.number),
        "votes": proposal.votes,
        "needed": consortium.quorum(None),
        "status": _known(pool, model.digest).status.text,
    }


def _standing(
    pool: RpcPool, consortium: Consortium, kind: Kind, payload: bytes
) -> ProposalRecord | None:
    """
    Return the proposal that carried, else the latest that is open.

    What carried once stands for good: what it decided can be carried out at any time.
    """
    view = pool.final_view()
    version = consortium.membership_version(at=view)
    found = [
        one
        for one in consortium.proposals(at=view)
        if (one.kind is kind and one.payload == payload)
        and (one.carried_at or (one.version == version and view.time < one.deadline))
    ]
    return max(reversed(found), key=lambda one: one.carried_at > 0, default=None)


def _require_manifest(content: bytes) -> None:
    """Raise `InvalidEncoding` unless `content` is a manifest that names files by digest."""
    value = decode_object(content)
    files = value.get("files")
    if value.get("format") != MANIFEST_FORMAT or not isinstance(files, dict) or not files:
        raise InvalidEncoding(f"expected a manifest of {MANIFEST_FORMAT}, with files")
    for name, digest in files.items():
        if not isinstance(digest, str):
            raise InvalidEncoding(f"expected the digest of {name:.80} as text")
        Digest.from_text(digest)


def _known(pool: RpcPool, digest: Digest) -> ModelRecord:
    model = Models(pool).model(digest)
    if model is None or model.status is ModelStatus.UNKNOWN:
        raise UsageError(f"expected a registered model, {digest.text} is none")
    return model


def _digest(text: str) -> Digest:
    return Digest(digest_bytes(text, "a digest"))


def _json(model: ModelRecord) -> dict[str, JsonValue]:
    return {
        "digest": model.digest.text,
        "predecessor": model.predecessor.text if model.predecessor else None,
        "reason": model.reason.text if model.reason else None,
        "registrar": model.registrar,
        "status": model.status.text,
        "history": [{"status": status.text, "at": since} for status, since in model.history],
    }
