"""
What each institution does on its own node: vote on validators, and admit peers.

Besides the local trial network only Besu's management interface is spoken to, and that is
open on the institution's own network alone.
"""

from pathlib import Path

from xinglin._network import clique
from xinglin._network.engine import Progress, silent
from xinglin._network.probe import ask
from xinglin._network.topology import CliqueNode, parse_enode, read_topology
from xinglin.errors import UsageError
from xinglin.names import Address


def cast_vote(folder: Path, node: str, candidate: Address, *, admit: bool) -> None:
    """
    Let one node vote for a candidate's admission or removal.

    `node` is a name in the folder of a trial network, or a Besu node's RPC address. Raises
    `UsageError` for a node that seals nothing, `ChainError` where the node refuses.
    """
    if node.startswith(("http://", "https://")):
        ask(node, "qbft_proposeValidatorVote", [candidate, admit])
        return
    found = find_node(folder, node)
    if found.address is None:
        raise UsageError(f"expected a validator's node, and {node} seals nothing")
    clique.propose(folder, found, candidate, admit=admit)


def admit_node(folder: Path, enode: str | None, progress: Progress = silent) -> CliqueNode:
    """
    Admit a node to a trial network: one that exists, or a new one, which is started.

    One that is admitted already is told of again. Raises as `clique.admit`.
    """
    if enode is None:
        return clique.Clique().add_node(folder, progress)
    nodes = read_topology(folder)
    node = parse_enode(enode, name=f"guest{len(nodes) + 1}")
    node = next((one for one in nodes if one.enode == node.enode), node)
    progress("telling every node")
    clique.admit(folder, node)
    return node


def find_node(folder: Path, name: str) -> CliqueNode:
    """Return a node of a trial network by its name. Raises `UsageError`."""
    nodes = read_topology(folder)
    for node in nodes:
        if node.name == name:
            return node
    raise UsageError(f"expected one of {', '.join(one.name for one in nodes)}, got {name}")
