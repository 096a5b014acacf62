"""
The command groups of this package: `xinglin ner` and `xinglin terminology`.

Nothing heavy is imported until a command needs it: `--help` answers at once, and only
`train` needs torch.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, cast

import typer

from xinglin.errors import InvalidEncoding, UsageError
from xinglin.inference import text_of
from xinglin_ml.correction_commands import corrections
from xinglin_ml.errors import ConfigurationError, CorpusError
from xinglin_ml.schema import SCHEMES

app = typer.Typer(no_args_is_help=True, help="Read clinical Chinese: find what a text names.")
app.add_typer(corrections, name="corrections")
terminology = typer.Typer(no_args_is_help=True, help="Tables of terms and codes.")

BATCH = 256
"""Texts read at once by `predict`: enough to keep both cores busy, little to hold."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Model = Annotated[
    str | None,
    typer.Option(help="Folder of a model, ours or of Hugging Face, or a name on its hub."),
]
Threads = Annotated[int, typer.Option(min=1, help="Texts read side by side.")]


@app.callback()
def group() -> None:
    """Read clinical Chinese: find what a text names."""


@terminology.callback()
def terminology_group() -> None:
    """Tables of terms and codes."""


def _method(model: str | None, *, scheme: str | None = None, threads: int = 1) -> Any:
    from xinglin_ml.method import open_method

    return open_method(model, scheme=scheme, threads=threads)


def _lines(path: Path) -> Iterator[tuple[Any, str]]:
    """Yield id and text of each line; the id is kept as it is written."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                value: Any = json.loads(line)
                identifier, text = value["id"], value["text"]
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise CorpusError(
                    f"{path.name}:{number}: expected an object with id and text"
                ) from error
            if not isinstance(text, str):
                raise CorpusError(f"{path.name}:{number}: expected text to be a string")
            yield identifier, text


@contextmanager
def _written_whole(path: Path) -> Iterator[IO[str]]:
    """
    A file that is at `path` once it is whole, and not before; of a failure nothing stays.

    A lone surrogate, which is no UTF-8, stays the escape that JSON has for it.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as sink:
            yield sink
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@app.command()
def predict(
    source: Annotated[
        Path, typer.Option("--input", exists=True, dir_okay=False, help='Lines {"id", "text"}.')
    ],
    output: Annotated[Path, typer.Option("--output", help='Gets lines {"id", "spans"}.')],
    scheme: Annotated[
        str | None,
        typer.Option(help="tcm_literature, medical_qa or (where none is named) diagnostic."),
    ] = None,
    model: Model = None,
    threads: Threads = 2,
    as_json: Json = False,
) -> None:
    """
    Find the spans of every text of a file.

    Offsets are code points of the text as given. A span has start, end, label and score, in
    the scheme diagnostic also subtype. A model of Hugging Face has labels of its own and takes no
    scheme. Nothing is written unless every line could be read.

    Example: xinglin ner predict --input notes.jsonl --output spans.jsonl
    """
    from rich.progress import Progress

    if scheme is not None and scheme not in SCHEMES and model is None:
        raise UsageError(f"expected one of {', '.join(SCHEMES)}, got {scheme}")
    method = _method(model, scheme=scheme, threads=threads)
    items = list(_lines(source))
    total = 0
    quiet = as_json or not sys.stderr.isatty()
    with Progress(disable=quiet) as bar, _written_whole(output) as sink:
        task = bar.add_task("reading", total=len(items))
        for first in range(0, len(items), BATCH):
            some = items[first : first + BATCH]
            for (identifier, _), spans in zip(
                some, method.batch([t for _, t in some]), strict=True
            ):
                total += len(spans)
                line = {"id": identifier, "spans": [_span(s) for s in spans]}
                sink.write(json.dumps(line, ensure_ascii=False) + "\n")
            bar.update(task, advance=len(some))
    read = {"scheme": method.parameters["scheme"], "output": str(output)}
    result = {"texts": len(items), "spans": total, **read}
    typer.echo(
        json.dumps(result, ensure_ascii=False)
        if as_json
        else f"{len(items)} texts, {total} spans: {output}"
    )


def _span(span: Any) -> dict[str, str | int | float]:
    line: dict[str, str | int | float] = {
        "start": span.start,
        "end": span.end,
        "label": span.label,
        "score": span.score,
    }
    if span.subtype is not None:
        line["subtype"] = span.subtype
    return line


@app.command()
def show(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="A note: text, or .json with a text."),
    ],
    html: Annotated[Path | None, typer.Option(help="Also write one HTML file.")] = None,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """
    Print a note with its entities marked, coded and asserted.

    A code with a question mark is one of several candidates. What is denied is struck
    through; what is said of another than the patient is slanted, and of whom stands behind it.
    Suggested syndromes are preliminary: no clinician signed them.

    Example: xinglin ner show note.txt --html note.html
    """
    from rich.console import Console

    from xinglin_ml import show as shown
    from xinglin_ml.syndrome import shipped_counts
    from xinglin_ml.terminology_store import current

    text = _note(file)
    method = _method(model)
    spans = list(method(text))
    found = shown.readings(text, spans, current())
    suggestions = shipped_counts().suggest(text, spans)
    if html is not None:
        name = f"{method.runtime}, {method.code}"
        html.write_text(
            shown.html(text, found, title=file.name, model=name, suggestions=suggestions),
            encoding="utf-8",
        )
    if as_json:
        typer.echo(json.dumps(_readings(text, found, suggestions), ensure_ascii=False))
    else:
        Console().print(shown.terminal(text, found, suggestions))


def _note(file: Path) -> str:
    """
    Read the text of a note, to which offsets refer, with its line ends as they were written.

    Of a .json file that is the text of the object. Raises `CorpusError`.
    """
    kind = "application/json" if file.suffix.lower() == ".json" else "text/plain"
    try:
        text = text_of(file.read_bytes(), kind)
    except InvalidEncoding as error:
        raise CorpusError(f"{file.name}: {error}") from error
    if text is None:
        raise CorpusError(f"{file.name}: expected an object with text")
    return text


def _readings(text: str, found: Any, suggestions: Any) -> dict[str, object]:
    return {
        "spans": [
            {
                **_span(one.span),
                "text": one.surface,
                "assertion": one.assertion.kind,
                "about": one.assertion.about,
                "ambiguous": one.normalised.ambiguous,
                "candidates": [
                    {
                        "code": c.term.code,
                        "system": c.term.system,
                        "name": c.term.name,
                        "score": c.score,
                        "how": c.how,
                    }
                    for c in one.normalised.candidates
                ],
            }
            for one in found
        ],
        "suggestions": [
            {
                "syndrome": s.syndrome,
                "score": s.score,
                "status": s.status,
                "evidence": [
                    {"text": text[e.span.start : e.span.end], "weight": e.weight}
                    for e in s.evidence
                ],
            }
            for s in suggestions
        ],
    }


@app.command()
def correct(
    note: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="The opened note, .json where it is."),
    ],
    found: Annotated[Path, typer.Option("--found", help="The opened output of the inference.")],
    edits: Annotated[Path, typer.Option(help="A JSON array of remove, add and change.")],
    output: Annotated[Path, typer.Option("--output", help="Gets the corrected output.")],
    as_json: Json = False,
) -> None:
    """
    Apply a clinician's edits to the output of an inference.

    The result is sealed, signed and linked to what it corrects as the next version of the
    output record, with the reason: xinglin record submit CORRECTED --follows RECORD --reason TEXT

    Example: xinglin ner correct note.txt --found note.txt.output.json --edits edits.json
    --output corrected.json
    """
    from xinglin.inference import decode_output, encode_output, spans_of
    from xinglin.statement import new_salt
    from xinglin_ml.annotation import Span
    from xinglin_ml.correction import correct as apply
    from xinglin_ml.correction import edits_of

    listed, _ = decode_output(found.read_bytes())
    old = [Span(s.start, s.end, s.label) for s in listed]
    spans = apply(_note(note), old, edits_of(edits.read_bytes()))
    output.write_bytes(encode_output(spans_of(spans), new_salt()))
    shown = {"before": len(old), "after": len(spans), "output": str(output)}
    line = f"{len(old)} spans before, {len(spans)} after: {output}"
    typer.echo(json.dumps(shown, ensure_ascii=False) if as_json else line)


@app.command()
def manifest(
    output: Annotated[Path, typer.Option("--output", help="Gets the manifest, canonical JSON.")],
    model: Model = None,
    as_json: Json = False,
) -> None:
    """
    Write the manifest of a model, which `xinglin model register` registers.

    A model of Hugging Face gets one from the digests of its files. To let it read in place of
    ours, for a node and for `inference rerun`, set XINGLIN_NER_MODEL to the same name.

    Example: xinglin ner manifest --model path/to/model --output manifest.json
    """
    from xinglin.methods import model_digest

    method = _method(model)
    output.write_bytes(method.manifest)
    digest = model_digest(method).text
    typer.echo(json.dumps({"model": digest}) if as_json else digest)


@app.command()
def train(
    config: Annotated[Path, typer.Option(help="TOML file of one experiment.")],
    data: Annotated[Path | None, typer.Option(help="Folder with ner/ and pretrain/.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for states and results.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
    as_json: Json = False,
) -> None:
    """
    Train one experiment, or go on with it; write weights, metrics, curves and provenance.

    The same command after a kill goes on from the last state.

    Example: xinglin ner train --config ml/xinglin_ml/configs/small-1.toml
    """
    from rich.progress import Progress

    try:
        from xinglin_ml.experiment import run
    except ImportError as error:
        raise ConfigurationError("training needs torch: install xinglin[train]") from error

    with Progress(disable=as_json) as bar:
        task = bar.add_task("training", total=None)

        def progress(step: int, total: int, loss: float) -> None:
            bar.update(task, completed=step, total=total, description=f"loss {loss:.3f}")

        folder = run(config, data=data, cache=cache, threads=threads, progress=progress)
    metrics = cast(dict[str, Any], json.loads((folder / "metrics.json").read_text()))
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "metrics": metrics}, ensure_ascii=False))
        return
    for name, one in metrics.items():
        typer.echo(f"{name}: strict F1 {one['strict']['f1']:.4f} {one['interval']}")
    typer.echo(str(folder))


@terminology.command("import")
def import_tables(
    tables: Annotated[list[Path], typer.Argument(exists=True, help="TSV or ICD-11 JSON files.")],
    as_json: Json = False,
) -> None:
    """
    Add tables that you have to those that ship: GB/T 15657, GB/T 16751, ICD-11 chapter 26.

    They stay in your own data folder; importing again replaces what was imported. A file that
    is cut off or has no term is refused. The titles of ICD-11 are English: of its codes, notes
    in Chinese find those that ship with a Chinese name.

    Example: xinglin terminology import icd11-chapter-26.json
    """
    from xinglin_ml.terminology_store import import_files

    path, count = import_files(tables)
    typer.echo(
        json.dumps({"terms": count, "path": str(path)}) if as_json else f"{count} terms: {path}"
    )


@terminology.command("look-up")
def look_up(
    surface: Annotated[str, typer.Argument(help="A term as a note writes it.")],
    label: Annotated[str | None, typer.Option(help="疾病, 诊断 or 治疗.")] = None,
    as_json: Json = False,
) -> None:
    """
    Print the candidates for one term, best first.

    Example: xinglin terminology look-up 胃脘痛 --label 疾病
    """
    from xinglin_ml.terminology_store import current

    found = current().normalise(surface, label)
    rows = [
        {
            "code": c.term.code,
            "system": c.term.system,
            "name": c.term.name,
            "score": c.score,
            "how": c.how,
        }
        for c in found.candidates
    ]
    if as_json:
        value = {"surface": surface, "ambiguous": found.ambiguous, "candidates": rows}
        typer.echo(json.dumps(value, ensure_ascii=False))
        return
    for row in rows:
        typer.echo(f"{row['code']}\t{row['name']}\t{row['system']}\t{row['how']} {row['score']}")
    if not rows:
        typer.echo("no candidate")


if __name__ == "__main__":
    app()
