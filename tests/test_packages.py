"""What is installed: the wheel that a client takes, and the weights beside it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from xinglin_ml.predict import shipped_folder

ROOT = Path(__file__).resolve().parent.parent


def built(folder: Path, target: Path) -> dict[str, int]:
    """Build the wheel of a project and return its files with their sizes."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (wheel,) = target.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {one.filename: one.file_size for one in archive.infolist()}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    return built(ROOT, tmp_path_factory.mktemp("client"))


class TestWheels:
    def test_a_client_takes_no_weights(self, client: dict[str, int]) -> None:
        """40 MB beside web3 are the limit, and the libraries it stands on take 28 of them."""
        assert sum(client.values()) < 5_000_000
        assert not [name for name in client if name.endswith(".onnx")]

    def test_a_client_takes_what_python_deploys_and_reads(self, client: dict[str, int]) -> None:
        for package in ("xinglin", "xinglin_node", "xinglin_ml"):
            here = next(ROOT.glob(f"*/{package}"))
            files = {
                f"{package}/{file.relative_to(here).as_posix()}"
                for file in here.rglob("*")
                if file.is_file() and "__pycache__" not in file.parts
            }
            assert files <= client.keys()

    def test_the_weights_are_whole_in_their_own(self, tmp_path: Path) -> None:
        weights = built(ROOT / "ml", tmp_path)
        folder = shipped_folder()
        for file in folder.iterdir():
            assert weights[f"xinglin_weights/{folder.name}/{file.name}"] == file.stat().st_size
        assert not [name for name in weights if name.startswith("xinglin_ml/")]
