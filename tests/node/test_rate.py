"""So many requests a minute from one caller, whatever the caller calls itself."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from xinglin_node.rate import LimitRate


def client() -> TestClient:
    async def answer(_: Request) -> PlainTextResponse:
        return PlainTextResponse("here")

    app = Starlette(routes=[Route("/", answer)])
    limited: Any = LimitRate(app, per_minute=3, is_ours=lambda text: text == "ours")
    return TestClient(limited)


def statuses(caller: TestClient, *headers: dict[str, str]) -> list[int]:
    return [caller.get("/", headers=one).status_code for one in headers]


class TestLimitRate:
    def test_the_fourth_request_of_a_minute_is_refused_and_told_when_to_come_back(self) -> None:
        caller = client()
        assert statuses(caller, {}, {}, {}) == [200, 200, 200]
        refused = caller.get("/")
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 61
        assert refused.json()["type"] == "urn:xinglin:problem:rate"

    def test_a_made_up_credential_does_not_make_another_caller(self) -> None:
        # Else a new header with each request would have no limit at all.
        headers = [{"Authorization": f"Bearer made-up-{number}"} for number in range(4)]
        assert statuses(client(), *headers) == [200, 200, 200, 429]

    def test_a_credential_of_ours_is_counted_for_itself(self) -> None:
        caller = client()
        assert statuses(caller, {}, {}, {}, {}) == [200, 200, 200, 429]
        assert statuses(caller, {"Authorization": "Bearer ours"}) == [200]
