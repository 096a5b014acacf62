"""
The methods that are installed here: models that read a text, found by entry point.

    for name, method in installed().items():
        spans = method("头痛三天，舌红苔黄")

A package offers one under the entry point group `xinglin.methods`: a factory without
arguments that gives an object of the shape below. Neither the library nor a node imports
such a package by name, and a method never sees a key.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import Protocol, cast

from xinglin.errors import UsageError
from xinglin.hashes import Digest
from xinglin.inference import FoundSpan

ENTRY_POINTS = "xinglin.methods"
"""Entry point group of factories of methods."""


class Method(Protocol):
    """
    A model with everything that decides its output.

    An implementer promises that the same text gives the same spans whenever manifest,
    parameters, code and runtime are the same, alone or in a batch, with any number of threads.
    """

    @property
    def manifest(self) -> bytes:
        """Canonical JSON of the model's manifest; its SHA-256 is the model's digest."""
        ...

    @property
    def parameters(self) -> Mapping[str, str | int]:
        """What decides the output beside model and text."""
        ...

    @property
    def code(self) -> str:
        """Name, version and digest of the code that runs."""
        ...

    @property
    def runtime(self) -> str:
        """Name and minor version of the runtime."""
        ...

    def __call__(self, text: str) -> Sequence[FoundSpan]:
        """Spans found in one text; offsets in code points of it."""
        ...


def installed() -> dict[str, Method]:
    """
    Every method that is installed, by its entry point's name, in the order of names.

    Raises `UsageError` for one that does not load: what is offered and broken is not passed over.
    """
    found: dict[str, Method] = {}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            found[point.name] = cast(Method, point.load()())
        except ImportError as error:
            raise UsageError(
                f"the method {point.name} is installed without what it needs: {error}"
            ) from error
    return found


def model_digest(method: Method) -> Digest:
    """Digest of a method's model, as `ModelRegistry` and inference statements name it."""
    return Digest.of(method.manifest)
