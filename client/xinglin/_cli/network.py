"""`xinglin network`: start, stop, deploy and describe a chain."""

import time
from pathlib import Path
from typing import Annotated

import typer

from xinglin._chain.nodes import describe
from xinglin._chain.rpc import RpcPool, check_contracts
from xinglin._cli import network_node, network_validator, output
from xinglin._cli.interruption import terminated_as_interrupted
from xinglin._cli.options import NetworkFolderOption
from xinglin._cli.output import JsonOption
from xinglin._cli.signing import (
    DEFAULT_FOLDER,
    NetworkOption,
    PassphraseOption,
    checksummed,
    open_account,
    open_network,
    open_pool,
    read_passphrase,
    steps,
)
from xinglin._cli.standing import Standing, look_at_validators
from xinglin._network.topology import TOPOLOGY_FILE
from xinglin.canonical import JsonValue
from xinglin.errors import ChainError, Unreachable, UsageError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="""Start, stop, deploy and describe a chain.

A network is a folder with a profile, network.toml: where its nodes are, when a block is final,
what a transaction costs, and which contracts are on it. Every other command reads that file.

    xinglin network up                          # Anvil, for trying things out
    xinglin network up --engine clique          # four real validators on this machine
    xinglin network deploy -i a.json -i b.json -i c.json
    xinglin network export --out trust.json     # what auditors believe
    xinglin network down
""",
)
app.add_typer(network_validator.app, name="validator")
app.add_typer(network_node.app, name="node")


@app.command()
def up(
    data: NetworkFolderOption = DEFAULT_FOLDER,
    engine: Annotated[
        str, typer.Option(help="anvil (development) or clique (a consortium on one machine).")
    ] = "anvil",
    validators: Annotated[
        int, typer.Option(min=0, help="How many; clique takes 1 to 5. 0: the engine's choice.")
    ] = 0,
    chain_id: Annotated[int, typer.Option(min=0, help="0: the engine's choice.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65_000, help="First RPC port; 0: free ones.")] = 0,
    block_period: Annotated[int, typer.Option(min=0, help="Seconds; 0: the engine's choice.")] = 0,
    fee: Annotated[str, typer.Option(help="zero, funded or base-fee.")] = "zero",
    fund: Annotated[
        list[str] | None,
        typer.Option(help="Holds coins from the beginning, where a fee is asked for. Repeatable."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make a network, or start the one that is in the folder, and wait for its blocks."""
    from xinglin._chain.profile import FeeRule
    from xinglin._network.engine import NetworkOptions, find_engine

    if fee not in set(FeeRule):
        raise UsageError(f"expected a fee of {', '.join(FeeRule)}, got {fee}")
    funded = tuple(checksummed(one) for one in fund or ())
    options = NetworkOptions(validators, chain_id, port, block_period, FeeRule(fee), funded)
    with terminated_as_interrupted(), steps(as_json=json) as say:
        profile = find_engine(_engine_in(data, engine)).up(data.resolve(), options, say)
    value: dict[str, JsonValue] = {
        "engine": profile.engine,
        "chainId": profile.chain_id,
        "genesis": "0x" + profile.genesis.hex(),
        "rpc": profile.rpc,
        "profile": str(data / "network.toml"),
    }
    lines = [
        f"{profile.engine} runs: chain {profile.chain_id}, {len(profile.rpc)} node(s)",
        *(f"  {url}" for url in profile.rpc),
        f"profile: {data / 'network.toml'}",
    ]
    output.result(value, lines, as_json=json)


@app.command()
def down(data: NetworkFolderOption = DEFAULT_FOLDER, json: JsonOption = False) -> None:
    """Stop every process of the folder's network. Its blocks and keys stay."""
    from xinglin._network.engine import find_engine

    engine = _engine_in(data, "")
    if not engine:
        raise UsageError(f"expected a network in {data}, found none")
    with steps(as_json=json) as say:
        stopped = find_engine(engine).down(data.resolve(), say)
    output.result({"stopped": stopped}, [f"stopped {stopped} process(es)"], as_json=json)


@app.command()
def status(
    network: NetworkOption = None,
    data: NetworkFolderOption = DEFAULT_FOLDER,
    json: JsonOption = False,
) -> None:
    """
    Show each RPC node, how old the final view is, and who seals beside who is on record.

    Exits 3 where no node can be asked, and 1 where the contracts are not the profile's or the
    view is older than a release under a grant may be checked at.
    """
    path = network or data / "network.toml"
    profile = open_network(path)
    pool = RpcPool(profile)
    try:
        nodes = pool.states(fresh=True)
        try:
            view = pool.final_view()
        except (ChainError, Unreachable) as error:
            raise Unreachable(f"{error}; nodes: {describe(nodes)}") from error
        if profile.contracts is not None:
            check_contracts(pool, at=view)
        validators = look_at_validators(pool, path.parent, as_json=json)
        standing = Standing.of(profile, nodes, view, validators)
        output.result(standing.to_json(), () if json else standing.table(), as_json=json)
    finally:
        pool.close()
    if standing.stale:
        raise ChainError(
            f"the final view is {standing.age} s old, more than {profile.max_view_age} s: nothing "
            "is released under a grant until blocks come again"
        )


@app.command()
def deploy(
    institution: Annotated[
        list[Path],
        typer.Option(
            "--institution",
            "-i",
            help="A founding hospital's file, as `xinglin node init` writes it; three or more.",
        ),
    ],
    network: NetworkOption = None,
    data: NetworkFolderOption = DEFAULT_FOLDER,
    change_delay: Annotated[
        int, typer.Option(min=0, help="Seconds in which a vote can stop a member's change.")
    ] = 72 * 3600,
    vote_time: Annotated[int, typer.Option(min=1, help="Seconds that a proposal lives.")] = (
        14 * 86_400
    ),
    key: Annotated[
        Path | None,
        typer.Option(help="Key file of the account that pays; none is needed where gas is free."),
    ] = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """
    Deploy the four contracts with their founding hospitals, and write them into the profile.

    The account that deploys gets no power. Nothing is upgraded later: a successor deployment
    is named by vote.
    """
    from xinglin._chain.deploy import DeploymentPlan, new_network_id
    from xinglin._chain.deploy import deploy as deploy_contracts
    from xinglin._chain.profile import FeeRule
    from xinglin._network.institution import read_institution
    from xinglin._network.profile import save
    from xinglin.keys import Account

    path = network or data / "network.toml"
    profile = open_network(path)
    if profile.contracts is not None:
        raise UsageError(f"{path} has contracts already; deploy to a network without")
    if key is None and profile.fee is not FeeRule.ZERO:
        raise UsageError("expected --key: this network asks a price for each transaction")
    founders = tuple(read_institution(one).applicant() for one in institution)
    plan = DeploymentPlan(new_network_id(), founders, change_delay, vote_time)
    account = open_account(key, passphrase_file) if key is not None else Account.generate()
    with open_pool(profile, contracts=False) as pool, steps(as_json=json) as say:
        deployed = deploy_contracts(pool, account, plan, say)
    save(deployed, path)
    contracts: dict[str, JsonValue] = {
        name: {"address": one.address, "codeHash": "0x" + one.code_hash.hex(), "block": one.block}
        for name, one in deployed.deployed.items()
    }
    lines = [
        f"network {plan.network_id.hex()} with {len(founders)} founding hospitals",
        *(f"  {name:12} {one.address}" for name, one in deployed.deployed.items()),
        f"written to {path}",
    ]
    value: dict[str, JsonValue] = {"networkId": plan.network_id.hex(), "contracts": contracts}
    output.result(value, lines, as_json=json)


@app.command()
def genesis(
    out: Annotated[Path, typer.Option("--out", help="A new folder for what is written.")],
    engine: Annotated[str, typer.Option(help="qbft: Hyperledger Besu, for production.")] = "qbft",
    validators: Annotated[int, typer.Option(min=1, max=64, help="Four go on when one falls.")] = 4,
    chain_id: Annotated[int, typer.Option(min=0, help="0: a random one.")] = 0,
    subnet: Annotated[
        str, typer.Option(help="First three numbers of the containers' addresses.")
    ] = "172.28.5",
    account: Annotated[
        list[str] | None,
        typer.Option(help="May send before there is a Consortium: who deploys it. Repeatable."),
    ] = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """
    Write everything that docker-compose.yml mounts for a production network.

    Genesis block, node keys (encrypted), static nodes, permissions, settings and the profile.
    Each institution keeps its own key; a consortium that starts on several sites gives each
    its folder and destroys the others' copies.

    Name with --account who will run `network deploy --key`: Besu refuses everybody else.
    """
    from xinglin._network.besu import BesuOptions, write_network

    if engine != "qbft":
        raise UsageError(f"expected the engine qbft, got {engine}: the others need no files")
    passphrase = read_passphrase(passphrase_file, confirm=True)
    options = BesuOptions(
        validators=validators,
        chain_id=chain_id,
        subnet=subnet,
        accounts=tuple(checksummed(one) for one in account or ()),
    )
    with steps(as_json=json) as say:
        written = write_network(out, options, passphrase, say)
    value: dict[str, JsonValue] = {
        "genesis": "0x" + written.profile.genesis.hex(),
        "chainId": written.profile.chain_id,
        "validators": written.profile.validators,
        "files": [str(path) for path in written.files],
    }
    lines = [
        f"chain {written.profile.chain_id}, genesis 0x{written.profile.genesis.hex()}",
        *(f"  {path}" for path in written.files),
    ]
    output.result(value, lines, as_json=json)


@app.command()
def export(
    network: NetworkOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; printed where none is named.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """
    Write the trust root: chain, genesis, contracts with their code. Auditors begin from it.

    The contracts are compared with the chain first. Hand it out by a way that people trust;
    whoever verifies brings it, and takes it from no bundle.
    """
    from xinglin._chain.deploy import trust_root

    profile = open_network(network)
    with open_pool(profile):
        root = trust_root(profile)
    if out is None:
        output.result(root.to_json(), [root.encode().decode()], as_json=json)
        return
    output.write_file(out, root.encode())
    value: dict[str, JsonValue] = {"file": str(out), "digest": root.digest.text}
    output.result(value, [f"trust root {root.digest.text} written to {out}"], as_json=json)


@app.command()
def permissions(
    out: Annotated[Path, typer.Option("--out", help="File that Besu reads the accounts from.")],
    network: NetworkOption = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay, and write again whenever accounts change.")
    ] = False,
    reload: Annotated[
        list[str] | None,
        typer.Option("--reload", help="RPC address of a Besu node that is to read it again."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """
    Write the list of accounts that may send transactions: the members' accounts in force.

    Besu then refuses everyone else before a contract is asked. Made from Consortium, and with
    --watch made again whenever it changes.
    """
    from xinglin._network.permissions import keep_accounts, write_accounts

    profile = open_network(network)
    with open_pool(profile) as pool:
        if watch:
            with steps(as_json=json) as say:
                keep_accounts(pool, out, reload or [], say)
            return
        accounts = write_accounts(pool, out, reload or [])
    output.result(
        {"accounts": accounts, "file": str(out)},
        [f"{len(accounts)} accounts written to {out}"],
        as_json=json,
    )


@app.command()
def watch(
    network: NetworkOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of /metrics.")] = 9200,
    saved: Annotated[
        Path | None, typer.Option(help="File that remembers how far the headers were followed.")
    ] = None,
    every: Annotated[float, typer.Option(min=1.0, help="Seconds between two looks.")] = 10.0,
) -> None:
    """
    Show the chain's health as Prometheus metrics until stopped: head age, nodes, missed turns.

    Headers are followed from genesis, so that a validator that misses its turns, and a header
    that the validators did not seal, are seen whatever the nodes say.
    """
    from xinglin._network.exporter import serve

    profile = open_network(network)
    with (
        open_pool(profile, contracts=False) as pool,
        serve(pool, host=host, port=port, saved=saved) as exporter,
    ):
        output.errors.print(f"metrics at http://{host}:{port}/metrics", markup=False)
        while True:
            exporter.look()
            time.sleep(every)


@app.command()
def unlock(
    key: Annotated[Path, typer.Option(help="A validator's encrypted key.")],
    out: Annotated[Path, typer.Option("--out", help="Where the node reads it: memory, not disk.")],
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Decrypt a validator's key for the node that starts next, into a folder in memory."""
    from xinglin._network.besu import unlock_key

    address = unlock_key(key, out, read_passphrase(passphrase_file))
    output.result({"address": address}, [f"key of {address} ready"], as_json=json)


def _engine_in(folder: Path, asked: str) -> str:
    """The engine of the network in `folder`; else the one asked for."""
    if (folder / "network.toml").exists():
        return open_network(folder / "network.toml").engine
    # Its nodes are written down before it has a profile, and may run.
    return "clique" if (folder / TOPOLOGY_FILE).exists() else asked
