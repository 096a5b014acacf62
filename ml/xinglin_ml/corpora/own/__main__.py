"""
Print the project's own sentences as JSON Lines.

    python -m xinglin_ml.corpora.own outpatient train > outpatient.train.jsonl
"""

import argparse
import json
from typing import get_args

from xinglin_ml.corpora import own


def main() -> None:
    """Read the two arguments and print one sentence a line."""
    parser = argparse.ArgumentParser(prog="python -m xinglin_ml.corpora.own", description=__doc__)
    parser.add_argument("kind", choices=own.KINDS)
    parser.add_argument("split", choices=get_args(own.Split), nargs="?")
    arguments = parser.parse_args()
    for sentence in own.sentences(arguments.kind, arguments.split):
        print(json.dumps(sentence.to_json(), ensure_ascii=False))


if __name__ == "__main__":
    main()
