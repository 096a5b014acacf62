"""
The API document, whole.

FastAPI drops every null from the document that it writes, also those within an example, where
null is what a client will meet; and it knows no response that routes share. Both are put back.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from xinglin.document import Document
from xinglin_node import problems


def describe(app: FastAPI) -> None:
    """Let `app` write its document whole."""
    written = app.openapi

    def openapi() -> dict[str, Any]:
        document = written()
        components = document["components"]
        components["responses"] = {"Problem": problems.RESPONSE}
        examples = dict(_examples_below(Document))
        for schema in components["schemas"].values():
            if "examples" in schema:
                schema["examples"] = examples[schema["title"]]
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _examples_below(kind: type[Document]) -> Iterator[tuple[str, Any]]:
    for below in kind.__subclasses__():
        shown = below.model_config.get("json_schema_extra")
        if isinstance(shown, dict) and "examples" in shown:
            yield below.__name__, shown["examples"]
        yield from _examples_below(below)
