"""
Raw text for pre-training: pre-1911 books and modern questions, joined and cleaned.

The books are wrapped after some forty characters, in the middle of words; a line that
ends without punctuation therefore goes on in the next.
"""

import json
import lzma
import re
from collections.abc import Iterator
from pathlib import Path

from xinglin_ml.errors import CorpusError

_WRAPPED = re.compile(r"(?<=[^。！？；：”」』\n])\n(?=[^\s])")
_SPACES = re.compile(r"[ \t\u3000]+")


def read_texts(path: Path) -> Iterator[str]:
    """Yield the texts of one `.jsonl.xz`, wrapped lines joined. Raises `CorpusError`."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                text = json.loads(line)["text"]
            except (ValueError, KeyError, TypeError) as error:
                raise CorpusError(f"{path.name}:{number}: expected an object with text") from error
            yield _SPACES.sub(" ", _WRAPPED.sub("", text)).strip()
