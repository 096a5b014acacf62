"""
Errors to `application/problem+json` (RFC 9457), in one handler.

Services raise what went wrong; this module alone knows which HTTP status says so. A
problem has a type `urn:xinglin:problem:<name>`, `expected` and `got`, and never an
identifier of a person: no account, no record, no subject.

* XinglinError
  + NodeProblem
    - Malformed         400  the body or a parameter does not parse
    - CredentialRefused 401  no credential, or one that is expired or forged
    - NotAppointed      403  the caller holds no appointment that allows this
    - Withdrawn         403  the appointment was withdrawn, or its signer ended
    - GrantRefused      403  a grant's term refused; shown to its grantee alone
    - NotFound          404  absent, or not the caller's: one body for both
    - Conflict          409  the same id with other content
    - Erased            410  shown to those who could see the record
    - TooLarge          413  over the configured limit
    - WrongMediaType    415  another Content-Type than the route takes
    - RuleBroken        422  well formed, and against a rule
    - RateExceeded      429  too many, with Retry-After
    - QueueFull         503  the log's queue is full, with Retry-After
    - ViewTooOld        503  the newest final block known is too old for what is asked
    - StorageRefused    503  the store cannot take what it would have to keep
"""

import logging
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from xinglin.errors import (
    AppointmentError,
    ConsentError,
    InvalidEncoding,
    RequestError,
    UsageError,
    VerificationError,
    XinglinError,
)

_logger = logging.getLogger(__name__)

TYPE_PREFIX = "urn:xinglin:problem:"
"""What every problem's type begins with."""

MEDIA_TYPE = "application/problem+json"
"""RFC 9457, section 6.1."""


class NodeProblem(XinglinError):
    """Something a node refuses. `expected` and `got` never name a person."""

    name: ClassVar[str] = "storage"
    """Last part of the problem's type."""

    def __init__(
        self, expected: str = "", got: str = "", *, retry_after: int | None = None
    ) -> None:
        super().__init__(f"{self.name}: expected {expected or '-'}, got {got or '-'}")
        self.expected = expected
        self.got = got
        self.retry_after = retry_after
        """Seconds after which the same request may succeed."""


class Malformed(NodeProblem):
    """The body or a parameter does not parse."""

    name = "malformed"


class CredentialRefused(NodeProblem):
    """No credential, or one that is expired or forged."""

    name = "credential"


class NotAppointed(NodeProblem):
    """The caller holds no appointment that allows this."""

    name = "not-appointed"


class Withdrawn(NodeProblem):
    """The appointment was withdrawn, or the account that signed it ended."""

    name = "withdrawn"


class GrantRefused(NodeProblem):
    """A grant's term refused. Raised only towards the grantee, for items in its scope."""

    name = "grant-refused"

    def __init__(self, term: str, expected: str = "", got: str = "") -> None:
        super().__init__(expected, got)
        self.term = term
        """One of `xinglin.grant.TERMS`."""


class NotFound(NodeProblem):
    """Absent, or not the caller's: what a caller may not see does not exist."""

    name = "not-found"


class Conflict(NodeProblem):
    """The same id with other content."""

    name = "conflict"


class Erased(NodeProblem):
    """Erased, and the caller could have seen it."""

    name = "erased"


class TooLarge(NodeProblem):
    """Over the configured limit."""

    name = "too-large"


class WrongMediaType(NodeProblem):
    """Another Content-Type than the route takes."""

    name = "media-type"


class RuleBroken(NodeProblem):
    """Well formed, and against a rule."""

    name = "rule"


class RateExceeded(NodeProblem):
    """Too many requests from one caller."""

    name = "rate"


class QueueFull(NodeProblem):
    """The log's queue is full: nothing was taken, nothing is lost."""

    name = "queue-full"


class ViewTooOld(NodeProblem):
    """The newest final block known is older than what is asked allows."""

    name = "view-stale"


class StorageRefused(NodeProblem):
    """The database, the blob store or the state of the log does not let this be kept."""

    name = "storage"


STATUS: Mapping[str, int] = {
    "malformed": 400,
    "credential": 401,
    "not-appointed": 403,
    "withdrawn": 403,
    "grant-refused": 403,
    "not-found": 404,
    "conflict": 409,
    "erased": 410,
    "too-large": 413,
    "media-type": 415,
    "rule": 422,
    "rate": 429,
    "queue-full": 503,
    "view-stale": 503,
    "storage": 503,
}
"""Every problem's name, and the HTTP status that carries it."""

_NAME_OF_STATUS: Mapping[int, str] = {
    400: "malformed",
    401: "credential",
    403: "not-appointed",
    404: "not-found",
    405: "not-found",
    409: "conflict",
    413: "too-large",
    415: "media-type",
    422: "malformed",
    429: "rate",
}
"""Names for what the framework itself refuses before a service is asked."""


def problem_of(error: XinglinError) -> NodeProblem:
    """Return `error` as the node says it: library errors become malformed or a broken rule."""
    if isinstance(error, NodeProblem):
        return error
    if isinstance(error, InvalidEncoding | UsageError):
        return Malformed(str(error))
    if isinstance(error, AppointmentError):
        return NotAppointed(str(error))
    if isinstance(error, ConsentError):
        return GrantRefused(error.term)
    if isinstance(error, RequestError | VerificationError):
        return RuleBroken(str(error))
    return StorageRefused("a node that can answer", type(error).__name__, retry_after=5)


def body_of(problem: NodeProblem) -> dict[str, object]:
    """Return the JSON body of `problem`."""
    body: dict[str, object] = {
        "type": TYPE_PREFIX + problem.name,
        "title": (type(problem).__doc__ or problem.name).strip().split("\n")[0],
        "status": STATUS[problem.name],
        "expected": problem.expected,
        "got": problem.got,
    }
    if isinstance(problem, GrantRefused):
        body["term"] = problem.term
    return body


REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"$ref": "#/components/responses/Problem"} for status in ("4XX", "5XX")
}
"""What every route may answer, for the API document."""

RESPONSE: dict[str, Any] = {
    "description": "A problem (RFC 9457). It never identifies a person. "
    "429 and 503 come with `Retry-After`.",
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "expected", "got"],
                "properties": {
                    "type": {"type": "string", "enum": [TYPE_PREFIX + name for name in STATUS]},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "expected": {"type": "string"},
                    "got": {"type": "string"},
                    "term": {
                        "type": "string",
                        "description": "The grant's term that refused, with `grant-refused`.",
                    },
                },
                "examples": [
                    body_of(NotFound("records that may be asked for", "none")),
                    body_of(GrantRefused("purpose", "an item that the grant lets out")),
                ],
            }
        }
    },
}
"""That answer, with an example of its two forms."""


def respond(error: XinglinError) -> JSONResponse:
    """Return the HTTP answer that says `error`."""
    problem = problem_of(error)
    headers: dict[str, str] = {}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    elif STATUS[problem.name] in (429, 503):
        headers["Retry-After"] = "1"
    if problem.name == "credential":
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        body_of(problem),
        status_code=STATUS[problem.name],
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def install(app: FastAPI) -> None:
    """Let `app` answer every error as a problem."""

    async def on_ours(_: Request, error: Exception) -> JSONResponse:
        return respond(cast(XinglinError, error))

    async def on_framework(_: Request, error: Exception) -> JSONResponse:
        status = cast(HTTPException, error).status_code
        answer = respond(_named(_NAME_OF_STATUS.get(status, "malformed")))
        answer.status_code = status
        return answer

    async def on_invalid(_: Request, error: Exception) -> JSONResponse:
        # Only where and what kind: the value itself may be about a person.
        faults = [
            ".".join(str(part) for part in fault["loc"]) + ": " + str(fault["type"])
            for fault in cast(RequestValidationError, error).errors()
        ]
        return respond(Malformed("parameters as the API documents", "; ".join(faults[:8])))

    async def on_unforeseen(_: Request, error: Exception) -> JSONResponse:
        # The type alone: a database error's text would quote the row.
        _logger.error("unforeseen error", extra={"error": type(error).__name__})
        return JSONResponse(
            {
                "type": TYPE_PREFIX + "storage",
                "title": "The node failed; nothing was acknowledged",
                "status": 500,
                "expected": "",
                "got": type(error).__name__,
            },
            status_code=500,
            media_type=MEDIA_TYPE,
        )

    app.add_exception_handler(XinglinError, on_ours)
    app.add_exception_handler(HTTPException, on_framework)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(Exception, on_unforeseen)


def _named(name: str) -> NodeProblem:
    for kind in NodeProblem.__subclasses__():
        if kind.name == name and kind is not GrantRefused:
            return kind()
    return Malformed()
