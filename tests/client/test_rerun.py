"""What running an inference again shows, and what it cannot (I7)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import pytest

from xinglin._cli.inference import run_again
from xinglin.errors import InferenceError
from xinglin.hashes import Digest
from xinglin.inference import OutputSpan, output_digest
from xinglin.names import Salt
from xinglin.statement import Inference

SALT = Salt(bytes(32))


class OneWord:
    """A model that knows one word."""

    manifest: bytes = b"{}"
    parameters: Mapping[str, str | int] = {"window": 2}
    code: str = "test sha256:00"
    runtime: str = "python 3"

    def __call__(self, text: str) -> Sequence[OutputSpan]:
        at = text.find("头痛")
        return [] if at < 0 else [OutputSpan(at, at + 2, "症状")]


def claimed(text: str) -> Inference:
    """What was logged of `text`."""
    method = OneWord()
    return Inference(
        record=UUID("00000000-0000-4000-8000-000000000001"),
        version=1,
        manifest=Digest.of(b"record"),
        model=Digest.of(method.manifest),
        code=method.code,
        runtime=method.runtime,
        parameters=dict(method.parameters),
        output=output_digest(tuple(method(text)), SALT),
        result=Digest.of(b"output"),
        claimed_at=1,
    )


def again(read: str, given: str) -> Sequence[OutputSpan]:
    """Run the inference on `read` again over `given`."""
    return run_again(claimed(read), OneWord(), given.encode(), SALT, media_type="text/plain")


class TestRunAgain:
    def test_the_same_text_gives_the_same_spans(self) -> None:
        assert again("头痛三天", "头痛三天") == (OutputSpan(0, 2, "症状"),)

    @pytest.mark.parametrize("given", ["患者头痛三天", "咳嗽三天"])
    def test_a_text_with_other_spans_is_found(self, given: str) -> None:
        with pytest.raises(InferenceError, match="another output"):
            again("头痛三天", given)

    @pytest.mark.parametrize(("read", "given"), [("头痛三天", "头痛五年"), ("无病史", "咳嗽三天")])
    def test_a_text_with_the_same_spans_is_not(self, read: str, given: str) -> None:
        # A limit that the specification and the help state: no bundle binds a plaintext.
        again(read, given)
