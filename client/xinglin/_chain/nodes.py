"""
JSON-RPC nodes, each by itself: how it is asked, who it is, and what it is worth.

    node = connect("http://127.0.0.1:8545", timeout=10.0)
    look(node, profile)                           # who it is, and its head
    (state,) = judge([node], profile, now=time.time())
    answer = ask(node, "eth_gasPrice", [])

One that gave no answer sleeps for a while, longer each time, and is not looked at meanwhile.
`RpcPool` makes one of several.
"""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from requests.exceptions import RequestException
from web3 import HTTPProvider, Web3
from web3.exceptions import Web3Exception
from web3.middleware import ExtraDataToPOAMiddleware
from web3.types import RPCEndpoint

from xinglin._chain.answers import View, data, json_object, quantity, view_of
from xinglin._chain.profile import NetworkProfile
from xinglin._chain.reverts import refusal
from xinglin.errors import ChainError, Unreachable

SURVEY_SECONDS = 3.0
"""Time given to a node to name its head: one that is stopped must not hold up the others."""

FIRST_REST = 2.0
"""Seconds before a node that did not answer is asked again; doubles up to `LONGEST_REST`."""

LONGEST_REST = 30.0

IDENTITY_LASTS = 60.0
"""Seconds after which chain id and genesis are asked for again."""


class NodeCondition(StrEnum):
    """What a survey found of one RPC node, the best first."""

    GOOD = "good"
    LAGGING = "lagging"
    OLD_HEAD = "old-head"
    UNREACHABLE = "unreachable"
    WRONG_CHAIN = "wrong-chain"


@dataclass(frozen=True, slots=True)
class NodeState:
    """One RPC node, as of the last survey."""

    url: str
    condition: NodeCondition
    head: View | None
    """Its newest block; none where it gave none."""

    detail: str
    """Why it was set aside, in words; empty for a good one."""


class NoAnswer(Unreachable):
    """A node gave no usable answer; the next one is asked. Never leaves `RpcPool`."""


@dataclass(slots=True)
class Node:
    """One node: how it is asked, and what was last found of it."""

    url: str
    web3: Web3
    survey: HTTPProvider
    identified_at: float = 0.0
    wrong: str = ""
    rest: float = 0.0
    asleep_until: float = 0.0
    detail: str = ""
    head: View | None = None
    looking: Future[None] | None = None


def connect(url: str, timeout: float) -> Node:
    """Make ready to ask the node at `url`. It is not asked yet."""
    provider = HTTPProvider(
        url, request_kwargs={"timeout": timeout}, exception_retry_configuration=None
    )
    # A contract must not make the client fetch an address of its choosing (EIP-3668).
    provider.global_ccip_read_enabled = False
    web3 = Web3(provider)
    # Harmless where the extra data is short, needed where sealers' signatures are in it.
    web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    survey = HTTPProvider(
        url, request_kwargs={"timeout": SURVEY_SECONDS}, exception_retry_configuration=None
    )
    return Node(url, web3, survey)


def ask(node: Node, method: str, params: Sequence[object], *, on: View | None = None) -> object:
    """
    Ask one node. With `on`, raise `ChainError` unless it has that block all the while.

    Raises `NoAnswer` where it is silent, and `ChainError` where it refuses.
    """
    if on is None:
        return _request(_provider(node), method, params)
    # Before: a node that was behind could have caught up once it had answered. After: it could
    # have left that chain.
    _require(node, on)
    answer = _request(_provider(node), method, params)
    _require(node, on)
    return answer


def look(node: Node, profile: NetworkProfile) -> None:
    """Ask one node who it is and for its head. One that sleeps is left alone."""
    if time.monotonic() < node.asleep_until:
        return
    try:
        if time.monotonic() - node.identified_at >= IDENTITY_LASTS or not node.identified_at:
            node.wrong = _identify(node, profile)
            node.identified_at = time.monotonic()
        answer = _request(node.survey, "eth_getBlockByNumber", ["latest", False])
        node.head = view_of(json_object(answer))
        node.rest, node.detail = 0.0, ""
    except NoAnswer as error:
        put_to_sleep(node, str(error))
    except ChainError as error:
        put_to_sleep(node, str(error))
    except (KeyError, ValueError, TypeError):
        put_to_sleep(node, "gave a block that is none")


def put_to_sleep(node: Node, detail: str) -> None:
    """Ask a node nothing for a while, for the reason `detail`."""
    node.rest = min(LONGEST_REST, max(FIRST_REST, 2 * node.rest))
    node.asleep_until = time.monotonic() + node.rest
    node.detail, node.head, node.identified_at = detail, None, 0.0


def judge(nodes: Sequence[Node], profile: NetworkProfile, *, now: float) -> tuple[NodeState, ...]:
    """Return what each node is worth beside the others, as far as they were looked at."""
    heads = [node.head.number for node in nodes if node.head and not node.wrong]
    newest = max(heads, default=0)
    return tuple(_judge_one(node, profile, newest, now) for node in nodes)


def describe(states: Sequence[NodeState]) -> str:
    """Name each node and what it is worth, in one line."""
    return "; ".join(
        f"{state.url} {state.condition}" + (f" ({state.detail})" if state.detail else "")
        for state in states
    )


def _judge_one(node: Node, profile: NetworkProfile, newest: int, now: float) -> NodeState:
    if node.wrong:
        return NodeState(node.url, NodeCondition.WRONG_CHAIN, node.head, node.wrong)
    if node.head is None:
        return NodeState(node.url, NodeCondition.UNREACHABLE, None, node.detail or "not asked")
    behind = newest - node.head.number
    if behind > profile.max_lag:
        detail = f"{behind} blocks behind {newest}"
        return NodeState(node.url, NodeCondition.LAGGING, node.head, detail)
    age = int(now) - node.head.time
    if age > profile.max_head_age:
        detail = f"head {node.head.number} is {age} s old"
        return NodeState(node.url, NodeCondition.OLD_HEAD, node.head, detail)
    return NodeState(node.url, NodeCondition.GOOD, node.head, "")


def _identify(node: Node, profile: NetworkProfile) -> str:
    chain_id = quantity(_request(node.survey, "eth_chainId", []))
    if chain_id != profile.chain_id:
        return f"expected chain id {profile.chain_id}, got {chain_id}"
    block = json_object(_request(node.survey, "eth_getBlockByNumber", ["0x0", False]))
    genesis = data(block["hash"])
    if genesis != profile.genesis:
        return f"expected genesis {profile.genesis.hex()}, got {genesis.hex()}"
    return ""


def _provider(node: Node) -> HTTPProvider:
    return cast(HTTPProvider, node.web3.provider)


def _request(provider: HTTPProvider, method: str, params: Sequence[object]) -> object:
    try:
        response = provider.make_request(RPCEndpoint(method), params)
    except (RequestException, OSError) as error:
        raise NoAnswer(f"did not answer ({type(error).__name__})") from error
    except (Web3Exception, ValueError) as error:
        raise NoAnswer("answered with something that is not JSON-RPC") from error
    answer: object = response
    if not isinstance(answer, dict):
        raise NoAnswer("answered with something that is not JSON-RPC")
    if "error" in answer:
        raise refusal(method, cast(object, answer["error"]))
    return cast(object, answer.get("result"))


def _require(node: Node, view: View) -> None:
    # By number: by hash nodes also give blocks that their chain does not have.
    found = _request(_provider(node), "eth_getBlockByNumber", [hex(view.number), False])
    if found is None or data(json_object(found).get("hash")) != view.hash:
        raise ChainError(
            f"expected block {view.number} with hash {view.hash.hex()}, "
            f"{node.url} has {'none' if found is None else 'another'}"
        )
