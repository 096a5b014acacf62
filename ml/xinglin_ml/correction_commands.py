"""`xinglin ner corrections`: what clinicians corrected, as training data."""

from pathlib import Path
from typing import Annotated

import typer

from xinglin._cli import output as printing
from xinglin._cli.options import (
    IndexOption,
    KeysOption,
    NetworkOption,
    NodeOption,
    PassphraseOption,
    TrustOption,
)

corrections = typer.Typer(
    no_args_is_help=True,
    help="""What clinicians corrected, as training data.

    xinglin inference bundle 41 --out inference.json …
    xinglin access request 0xc4… --purpose HRESCH --research DUO:0000031,DUO:0000042 --out a.json …
    xinglin ner corrections export inference.json --answer a.json --output train.jsonl …
""",
)


@corrections.command()
def export(
    inferences: Annotated[list[Path], typer.Argument(help="Bundles of inferences.")],
    answers: Annotated[
        list[Path],
        typer.Option("--answer", help="What `xinglin access request` wrote; may be repeated."),
    ],
    output: Annotated[Path, typer.Option("--output", help='Gets lines {"id", "text", "spans"}.')],
    node: NodeOption,
    keys: KeysOption,
    appointment: Annotated[
        Path, typer.Option("--appointment", envvar="XINGLIN_APPOINTMENT", help="Your appointment.")
    ],
    index: IndexOption = 0,
    network: NetworkOption = None,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: printing.JsonOption = False,
) -> None:
    """
    Write corrected notes as training data, of those alone whose grants let them train now.

    Every grant is asked of the chain. What is left out is counted under its reason, and is
    not opened. A configuration of `xinglin ner train` reads the file as the corpus
    `corrections`, from ner/corrections.train.jsonl below its data folder.

    Example: xinglin ner corrections export inference.xinglin.json --answer answer.json
    --output corrections.train.jsonl --node https://h.example --keys scholar.key
    --appointment scholar.json --network network.toml
    """
    from xinglin._cli.caller import connect, read_json
    from xinglin._cli.signing import open_network, open_pool
    from xinglin.appointment import SignedAppointment
    from xinglin_ml import correction_export

    caller = connect(
        node, keys, appointment=appointment, index=index, trust=trust,
        passphrase_file=passphrase_file,
    )  # fmt: skip
    shown = {name: one for name, one in read_json(appointment).items() if name != "person"}
    with open_pool(open_network(network)) as pool:
        documents, left_out = correction_export.export(
            caller,
            pool,
            inferences=inferences,
            answers=answers,
            appointment=SignedAppointment.from_json(shown),
        )
    correction_export.write_documents(output, documents)
    lines = [f"{len(documents)} documents: {output}"]
    lines += [f"left out {count}: {reason}" for reason, count in left_out.most_common()]
    printing.result(
        {
            "documents": len(documents),
            "leftOut": dict(left_out.most_common()),
            "output": str(output),
        },
        lines,
        as_json=as_json,
    )
