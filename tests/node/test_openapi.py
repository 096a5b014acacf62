"""The node's OpenAPI document: every route says what it is for, what is signed has an example."""

from typing import Any


class TestTheDescription:
    def test_every_route_says_what_it_is_for(self, sqlite_scene: Any) -> None:
        document = sqlite_scene.client.app.openapi()
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                assert operation.get("summary"), f"{method} {path}"
                assert operation.get("description"), f"{method} {path}"

    def test_the_signed_bodies_have_examples(self, sqlite_scene: Any) -> None:
        schemas = sqlite_scene.client.app.openapi()["components"]["schemas"]
        for name in ("AccessAsked", "GrantGiven", "SignInRequest", "EnrolmentRequest"):
            assert schemas[name].get("examples"), name
