"""
`create_app(settings)`: the only place where a node's parts are wired.

    app = create_app(settings, keys, profile)
    uvicorn.run(app, ...)            # or `xinglin node serve`

What starts and stops with the application: the database's lock, the writer, the indexer,
the anchor worker. A part adds its router to `_ROUTERS` and, where it keeps something
between requests, a line to `_parts`.
"""

import importlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool

from xinglin import __version__, history
from xinglin._chain.profile import NetworkProfile
from xinglin.errors import UsageError
from xinglin.names import Generation, Member
from xinglin_node import problems
from xinglin_node.authority import credentials_of
from xinglin_node.blobs.store import Blobs
from xinglin_node.database import Database
from xinglin_node.health.metrics import CountRequests
from xinglin_node.house import NodeHouse, NodeKeys
from xinglin_node.log.service import CheckpointSigner
from xinglin_node.log.writer import LogWriter
from xinglin_node.migrations.run import upgrade
from xinglin_node.openapi import describe
from xinglin_node.rate import LimitRate
from xinglin_node.settings import NodeSettings
from xinglin_node.subjects.service import history_statement

_ROUTERS = (
    "xinglin_node.health.endpoints",
    "xinglin_node.log.endpoints",
    "xinglin_node.sessions.endpoints",
    "xinglin_node.subjects.endpoints",
    "xinglin_node.records.endpoints",
    "xinglin_node.inferences.endpoints",
    "xinglin_node.access.endpoints",
    "xinglin_node.bundles.endpoints",
    "xinglin_node.audit.endpoints",
    "xinglin_node.consents.endpoints",
    "xinglin_node.relay.endpoints",
    "xinglin_node.models.endpoints",
)
"""Modules whose `router` is served, in the order of the API documentation."""

FIRST = Generation(0)
"""A member's log before any vote retired one."""

_TAGS = [
    {"name": "health", "description": "Is it there, and what is it?"},
    {"name": "log", "description": "The append-only log, for everyone."},
    {"name": "session", "description": "Who is asking."},
    {"name": "subjects", "description": "Data subjects, at the desk."},
    {"name": "records", "description": "Sealed records, in."},
    {"name": "access", "description": "Sealed records, out, each opening logged first."},
    {"name": "consents", "description": "Grants, given and revoked."},
    {"name": "models", "description": "Models and inferences."},
]


def create_house(
    settings: NodeSettings,
    keys: NodeKeys,
    profile: NetworkProfile,
    *,
    generation: Generation = FIRST,
    clock: Callable[[], float] = time.time,
) -> NodeHouse:
    """Build the node's parts; nothing is opened, started or asked yet."""
    if profile.network_id is None:
        raise UsageError("expected a network with contracts, got one without")
    database = Database(settings.database)
    member = Member(settings.member)
    writer = LogWriter(
        database,
        origin=history.origin(profile.network_id, member, generation),
        generation=generation,
        clock=clock,
        queue_weight=settings.queue_entries,
    )
    house = NodeHouse(
        settings=settings,
        keys=keys,
        profile=profile,
        member=member,
        database=database,
        writer=writer,
        blobs=Blobs.from_settings(settings, database),
        clock=clock,
    )
    house.parts["checkpoint_signer"] = CheckpointSigner(keys.log)
    writer.attest_histories_by(partial(history_statement, house))
    return house


def open_house(house: NodeHouse) -> None:
    """Lock and migrate the database, start the writer, sweep what a crash left."""
    house.database.lock()
    house.database.check_writable()
    upgrade(house.database)
    house.writer.start()
    house.blobs.sweep()


def close_house(house: NodeHouse) -> None:
    """Write what waits, and let everything go."""
    house.writer.stop()
    house.database.close()


def create_app(house: NodeHouse, *, follow_chain: bool = True, opened: bool = False) -> FastAPI:
    """
    Return the application that serves `house`.

    `follow_chain` starts the indexer and the anchor worker with it. Where the caller has
    `opened` the house, the caller closes it.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if not opened:
            await run_in_threadpool(open_house, house)
        workers = None
        if follow_chain:
            from xinglin_node.anchoring.worker import Workers

            workers = Workers(house)
            workers.start()
        try:
            yield
        finally:
            if workers is not None:
                await run_in_threadpool(workers.stop)
            if not opened:
                await run_in_threadpool(close_house, house)

    app = FastAPI(
        title="Xinglin node",
        version=__version__,
        description="Sealed medical records that anyone concerned can verify.",
        openapi_tags=_TAGS,
        responses=problems.REFUSED,
        lifespan=lifespan,
    )
    app.state.house = house
    problems.install(app)
    describe(app)
    credentials = credentials_of(house)
    app.add_middleware(
        LimitRate,
        per_minute=house.settings.requests_per_minute,
        is_ours=lambda text: credentials.holds(text, house.now()),
    )
    app.add_middleware(CountRequests)
    for name in _ROUTERS:
        router: APIRouter = importlib.import_module(name).router
        app.include_router(router)
    return app
