"""
What a model is, in one canonical file: its manifest.

The manifest names every file of the model with its digest, and where the weights came
from. The SHA-256 of its canonical bytes (RFC 8785) is the model's digest, which is what
the registry of models knows. `docs/spec/inference.md` has the members.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from xinglin import canonical
from xinglin.canonical import JsonValue
from xinglin.errors import InvalidEncoding
from xinglin.hashes import Digest
from xinglin.inference import MANIFEST_FORMAT
from xinglin_ml.errors import ManifestError, WeightsError

MODEL, VOCABULARY, LEXICON = "model.onnx", "vocabulary.json", "lexicon.json"
DECODING, CARD, MANIFEST = "decoding.json", "MODEL_CARD.md", "manifest.json"

_MEMBERS = {"format", "name", "version", "files", "training", "libraries", "licence"}


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """Every file of a model with its digest, and how it came to be."""

    name: str
    version: int

    files: Mapping[str, Digest]
    """By name; the model card is not among them, so that it can be corrected."""

    training: Mapping[str, JsonValue]
    """Configuration, data, seeds and libraries of the run, as the run wrote them."""

    libraries: Mapping[str, str]
    """Versions that wrote the files."""

    licence: str = "Apache-2.0"

    def to_bytes(self) -> bytes:
        """Return the canonical bytes, whose SHA-256 is the model's digest."""
        return canonical.encode(
            {
                "files": {n: d.text for n, d in self.files.items()},
                "format": MANIFEST_FORMAT,
                "libraries": dict(self.libraries),
                "licence": self.licence,
                "name": self.name,
                "training": dict(self.training),
                "version": self.version,
            }
        )

    @property
    def digest(self) -> Digest:
        """The digest by which the model is known."""
        return Digest.of(self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse canonical bytes. Raises `ManifestError`."""
        try:
            value = cast(dict[str, Any], canonical.decode_object(data))
            if set(value) != _MEMBERS or value["format"] != MANIFEST_FORMAT:
                raise ManifestError(f"expected the members of {MANIFEST_FORMAT}, got others")
            files = {str(n): Digest.from_text(d) for n, d in value["files"].items()}
            return cls(
                str(value["name"]),
                int(value["version"]),
                files,
                dict(value["training"]),
                {str(k): str(v) for k, v in value["libraries"].items()},
                str(value["licence"]),
            )
        except (InvalidEncoding, AttributeError, TypeError, ValueError) as error:
            if isinstance(error, ManifestError):
                raise
            raise ManifestError(f"expected a model manifest: {error}") from error


def digest_files(folder: Path) -> dict[str, Digest]:
    """Return the digest of each file of a model but the manifest itself and the card."""
    return {p.name: Digest.of(p.read_bytes()) for p in _files_of(folder)}


def _files_of(folder: Path) -> list[Path]:
    return [
        p
        for p in sorted(folder.iterdir())
        if p.is_file() and p.name not in (MANIFEST, CARD) and not p.name.startswith(".")
    ]


def write_manifest(
    folder: Path,
    *,
    name: str,
    version: int,
    experiment: Mapping[str, Any],
    libraries: Mapping[str, str],
) -> ModelManifest:
    """Write the manifest of the files that are in `folder` now."""
    manifest = ModelManifest(name, version, digest_files(folder), dict(experiment), libraries)
    (folder / MANIFEST).write_bytes(manifest.to_bytes())
    return manifest


def read_model(folder: Path) -> tuple[ModelManifest, dict[str, bytes]]:
    """
    Return the manifest in `folder` and the bytes of every file that it names.

    What is read from is what was digested: nobody opens a file a second time. Raises
    `WeightsError` for a file that is missing, other than the manifest says, or not in it.
    """
    try:
        manifest = ModelManifest.from_bytes((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise WeightsError(f"{folder.name} holds no {MANIFEST}") from error
    contents: dict[str, bytes] = {}
    for name, digest in manifest.files.items():
        if Path(name).name != name:
            raise WeightsError(f"expected plain names of files, got {name!r}")
        try:
            contents[name] = (folder / name).read_bytes()
        except OSError as error:
            raise WeightsError(f"{name} is missing") from error
        if (got := Digest.of(contents[name])) != digest:
            raise WeightsError(f"{name}: expected {digest.text}, got {got.text}")
    strange = sorted(p.name for p in _files_of(folder) if p.name not in contents)
    if strange:
        raise WeightsError(f"{strange[0]} is not in the manifest")
    return manifest, contents
