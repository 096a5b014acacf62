"""
Running a node: two listeners, one process, clear words for what does not start.

1. Both ports are bound before anything else: a taken port is said at once.
2. The chain is looked at: another chain id, no code or other code at our addresses ends
   the start. A chain that cannot be reached does not: the node serves what it has, and
   sequences nothing until it has seen the chain.
3. The database is locked and migrated, and the writer started. Where a vote retired the
   log, the next one begins with what was never anchored.
4. Then requests are answered, and /metrics on the listener of its own.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import uvicorn
from prometheus_client import make_asgi_app

from xinglin._chain.rpc import RpcPool, check_contracts
from xinglin._network.profile import load as load_profile
from xinglin.errors import Unreachable, UsageError
from xinglin.names import Generation, Member
from xinglin_node import folder, reporting
from xinglin_node.app import close_house, create_app, create_house, open_house
from xinglin_node.database import Database
from xinglin_node.health.observed import observe
from xinglin_node.house import NodeHouse
from xinglin_node.log.succession import generation_on_chain, newest_generation, succeed
from xinglin_node.problems import StorageRefused
from xinglin_node.settings import NodeSettings

_logger = logging.getLogger(__name__)

BACKLOG = 2048
"""Connections that may wait to be accepted."""

GC_THRESHOLD = 50_000
"""Allocations between two collections of young objects; Python's default is 700."""

GRACE_SECONDS = 10
"""Time given to requests in progress at the end."""


def prepare(settings: NodeSettings) -> NodeHouse:
    """
    Open keys and profile and build the node; nothing is started.

    Raises `UsageError`, `KeyFileError`, `InvalidEncoding`, and `WrongChain` where the chain
    answers and is not ours.
    """
    if not os.access(settings.folder, os.W_OK | os.X_OK):
        raise UsageError(f"expected a folder that can be written, got {settings.folder}")
    keys = folder.open_keys(settings.folder, settings.passphrase.get_secret_value())
    profile = load_profile(settings.network)
    if settings.rpc_urls:
        profile = replace(profile, rpc=settings.rpc_urls)
    with closing(RpcPool(profile)) as pool:
        generation = check_chain(pool, Member(settings.member))
    if generation is None:
        # The chain is silent: go on with the log that was written last.
        with closing(Database(settings.database)) as database:
            generation = last_generation(database)
    return create_house(settings, keys, profile, generation=generation)


def check_chain(pool: RpcPool, member: Member) -> Generation | None:
    """
    Refuse another chain, and ask which log of the member is the present one.

    Raises `WrongChain`. A chain that is silent is for later: None.
    """
    try:
        check_contracts(pool)
        return generation_on_chain(pool, member)
    except Unreachable:
        _logger.warning("the chain cannot be reached; serving, and sequencing nothing yet")
        return None


def last_generation(database: Database) -> Generation:
    """The log that was written last; the first one where there is no database yet."""
    try:
        with database.reading() as session:
            return newest_generation(session)
    except StorageRefused:
        return Generation(0)


def open_node(house: NodeHouse) -> None:
    """Open the house, and begin the present generation of its log where a vote retired one."""
    open_house(house)
    try:
        if house.writer.head.generation and not house.writer.head.size:
            with closing(RpcPool(house.profile)) as pool:
                succeed(house, pool)
    except BaseException:
        close_house(house)
        raise


def serve(settings: NodeSettings, *, ready: Path | None = None) -> None:
    """
    Serve until SIGINT or SIGTERM.

    `ready` is a file that is written once requests are answered, for those who wait.
    """
    reporting.configure(settings.log_level)
    settle_memory()
    public = bind(settings.host, settings.port)
    metrics = bind(settings.metrics_host, settings.metrics_port)
    try:
        house = prepare(settings)
        open_node(house)
        observe(house)
        try:
            asyncio.run(_serve(house, public, metrics, ready))
        finally:
            close_house(house)
    finally:
        public.close()
        metrics.close()


def settle_memory() -> None:
    """
    Keep the garbage collector from walking over everything that was imported.

    What stands at the start stays; a full collection in the middle of a batch costs more
    than the batch. Cycles are still found, a thousand times as rarely.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 50, 100)


def bind(host: str, port: int) -> socket.socket:
    """Listen on a port. Raises `UsageError` where it is taken or not ours to take."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"expected port {port} of {host} to be free, got: {error.strerror}"
        ) from error
    listener.listen(BACKLOG)
    return listener


async def _serve(
    house: NodeHouse, public: socket.socket, metrics: socket.socket, ready: Path | None
) -> None:
    server = _server(create_app(house, opened=True), "on")
    measuring = _server(make_asgi_app(), "off")
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = measuring.should_exit = True

    # Both servers live in one process, so neither may take the signals for itself.
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    tasks = [
        asyncio.create_task(_run(server, public)),
        asyncio.create_task(_run(measuring, metrics)),
    ]
    while not server.started and not tasks[0].done():
        await asyncio.sleep(0.02)
    if ready is not None and server.started:
        ready.write_text(f"{os.getpid()}\n")
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        stop()
        await asyncio.gather(*tasks)
        for task in done:
            task.result()
    finally:
        if ready is not None:
            ready.unlink(missing_ok=True)


def _server(app: Any, lifespan: Literal["on", "off"]) -> uvicorn.Server:
    # No access log: the paths of requests hold the numbers of records and files.
    config = uvicorn.Config(
        app,
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return uvicorn.Server(config)


async def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    # What `Server.serve` does, without its own signal handlers.
    await server._serve([listener])
