"""
The command group `xinglin ner`: predict, show, train.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Read clinical Chinese: find what a text names.")


@app.command()
def train(
    config: Annotated[Path, typer.Option(help="TOML file of one experiment.")],
    data: Annotated[Path | None, typer.Option(help="Folder with ner/ and pretrain/.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for states and results.")] = None,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Train one experiment, or go on with it; write weights, metrics and curves."""
    from rich.progress import Progress

    from xinglin_ml.train import run

    with Progress(disable=as_json) as bar:
        task = bar.add_task("training", total=None)

        def progress(step: int, total: int, loss: float) -> None:
            bar.update(task, completed=step, total=total, description=f"loss {loss:.3f}")

        folder = run(config, data=data, cache=cache, threads=threads, progress=progress)
    metrics = json.loads((folder / "metrics.json").read_text())
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "metrics": metrics}, ensure_ascii=False))
        return
    for name, one in metrics.items():
        typer.echo(f"{name}: strict F1 {one['strict']['f1']:.4f} {one['interval']}")
    typer.echo(str(folder))


@app.callback()
def group() -> None:
    """Read clinical Chinese: find what a text names."""


if __name__ == "__main__":
    app()
