"""`xinglin inference`: fetch what proves an inference; run it again, and compare (I7)."""

from pathlib import Path
from typing import Annotated

import typer

from xinglin import inference
from xinglin._cli import output
from xinglin._cli.caller import (
    AppointmentOption,
    FileOption,
    IndexOption,
    KeysOption,
    NodeOption,
    PassphraseOption,
    TrustOption,
    connect,
)
from xinglin.bundle import Bundle, read_bundle
from xinglin.canonical import JsonValue
from xinglin.errors import EvidenceError, InferenceError, UsageError
from xinglin.methods import Method, installed, model_digest
from xinglin.names import Salt
from xinglin.statement import Inference, Record, manifest_digest

OUTPUT_SUFFIX = ".output.json"
"""Added to an opened record's name for the output of the inference on it."""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="""Fetch the bundle of an inference, run it again and compare.

    xinglin inference bundle 41 --file patient.json --out inference.xinglin.json …
    xinglin verify inference.xinglin.json --approved-model
    xinglin inference rerun inference.xinglin.json --record note.txt --result output.json
""",
)


@app.command()
def bundle(
    entry: Annotated[
        int, typer.Argument(min=0, help="Where the inference stands in the institution's log.")
    ],
    node: NodeOption,
    keys: KeysOption,
    out: Annotated[Path, typer.Option(help="Where to write the bundle.")],
    appointment: AppointmentOption = None,
    file: FileOption = None,
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Fetch the bundle of an inference: the record read, the output, and who corrected it.

    Whoever was released one of these records may have it, and the patient. Its place in the
    log is in the answer to who had it made, and in the patient's history.

    Example: xinglin inference bundle 41 --node https://h.example --keys alice.key
    --file patient.json --out inference.xinglin.json
    """
    caller = connect(
        node, keys, appointment=appointment, file=file, index=index, trust=trust,
        passphrase_file=passphrase_file,
    )  # fmt: skip
    fetched = caller.node.get_bytes(f"/v1/entries/{entry}/bundle")
    claimed = _inference(read_bundle(fetched))
    output.write_file(out, fetched)
    output.result(
        {"file": str(out), "record": str(claimed.record), "model": claimed.model.text},
        [f"wrote {out}: `xinglin verify {out}` checks it"],
        as_json=as_json,
    )


@app.command()
def rerun(
    bundle: Annotated[Path, typer.Argument(help="The bundle of an inference.")],
    record: Annotated[Path, typer.Option(help="The opened record that the model read.")],
    result: Annotated[
        Path | None,
        typer.Option(
            help="The opened output record, whose salt is needed to compare; "
            "else the file beside RECORD that is called RECORD.output.json."
        ),
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Run the model of an inference again over the record that it read, and compare.

    The model is found among those installed by the digest of its manifest. Verify the
    bundle first: this compares, and believes what the bundle says. It compares spans alone:
    another text in which the model finds the same at the same places gives the same output,
    so RECORD must be what you opened yourself.

    Exit codes: 0 the same output, 1 another output or nothing to compare with.

    Example: xinglin inference rerun inference.xinglin.json --record note.txt
    """
    read = read_bundle(output.read_file(bundle))
    claimed = _inference(read)
    beside = result or record.with_name(record.name + OUTPUT_SUFFIX)
    found, salt = inference.decode_output(output.read_file(beside))
    if inference.output_digest(found, salt) != claimed.output:
        raise InferenceError("the output record is not the one whose digest was logged")
    method = _method(claimed)
    again = run_again(
        claimed,
        method,
        output.read_file(record),
        salt,
        media_type=_media_type(read, claimed),
    )
    shown: dict[str, JsonValue] = {
        "model": claimed.model.text,
        "output": claimed.output.text,
        "spans": len(again),
        "same": True,
    }
    output.result(
        shown,
        [f"the same {len(again)} spans: {claimed.output.text}", f"model {claimed.model.text}"],
        as_json=as_json,
    )


def run_again(
    claimed: Inference, method: Method, payload: bytes, salt: Salt, *, media_type: str
) -> tuple[inference.OutputSpan, ...]:
    """
    Run `method` over the record, and hold its output against what was logged.

    Another text with the same spans at the same places passes: nothing here binds the payload.
    Raises `InferenceError` naming what differs: parameters, code, runtime, or output alone.
    """
    text = inference.text_of(payload, media_type)
    if text is None:
        raise UsageError("expected a record with a text, as the model read one")
    spans = inference.spans_of(method(text))
    if inference.output_digest(spans, salt) == claimed.output:
        return spans
    differing = [
        f"{name} was {then}, is {now}"
        for name, then, now in (
            ("code", claimed.code, method.code),
            ("runtime", claimed.runtime, method.runtime),
            ("parameters", dict(claimed.parameters), dict(method.parameters)),
        )
        if then != now
    ]
    raise InferenceError(
        "run again, the model gives another output: "
        + (
            "; ".join(differing)
            or "code, runtime and parameters are the same, so the record or "
            "the output is not the one of this inference"
        )
    )


def _inference(bundle: Bundle) -> Inference:
    predicate = bundle.disclosure.attestation.read().predicate
    if not isinstance(predicate, Inference):
        raise EvidenceError(f"expected the bundle of an inference, got a {predicate.TYPE}")
    return predicate


def _media_type(bundle: Bundle, claimed: Inference) -> str:
    """Media type of the record that was read, from the bundle's part that is its statement."""
    for part in bundle.parts:
        attestation = part.disclosure.attestation
        predicate = attestation.read().predicate
        if isinstance(predicate, Record) and (
            manifest_digest(attestation.statement.encode()) == claimed.manifest
        ):
            return predicate.media_type
    raise EvidenceError("the bundle does not bring the record that the inference read")


def _method(claimed: Inference) -> Method:
    methods = installed()
    for method in methods.values():
        if model_digest(method) == claimed.model:
            return method
    if not methods:
        raise UsageError("no model is installed here: pip install 'xinglin[ml]' brings one")
    raise InferenceError(
        f"expected the model {claimed.model.text}, installed are "
        + ", ".join(model_digest(method).text for method in methods.values())
    )
