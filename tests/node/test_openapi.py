"""The node's OpenAPI document: every route says what it is for, what is signed has an example."""

from typing import Any


class TestTheDescription:
    def test_every_route_says_what_it_is_for(self, sqlite_scene: Any) -> None:
        document = sqlite_scene.client.app.openapi()
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                assert operation.get("summary"), f"{method} {path}"
                assert operation.get("description"), f"{method} {path}"

    def test_every_body_of_json_has_an_example(self, sqlite_scene: Any) -> None:
        document = sqlite_scene.client.app.openapi()
        schemas = document["components"]["schemas"]
        bodies = {
            f"{method} {path}": operation["requestBody"]["content"]["application/json"]["schema"]
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if "application/json" in operation.get("requestBody", {}).get("content", {})
        }
        assert len(bodies) >= 8
        for route, schema in bodies.items():
            named = schemas[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
            assert named.get("examples"), route


class TestWhatComesLater:
    def test_it_answers_nothing_now(self, sqlite_scene: Any) -> None:
        # Erasure, emergencies and audit have their statements, and no route yet.
        record = "0b9f6a0e-8f8c-4b3e-9a57-3f8f6d3c1a52"
        for path in (f"records/{record}/erasure", "emergencies/0/confirmation"):
            assert sqlite_scene.client.post(f"/v1/{path}", json={}).status_code == 404
        assert sqlite_scene.client.get("/v1/audit/sample", params={"block": 1}).status_code == 404
