"""Python compiles the contracts to the very bytes that it deploys, with the same compiler."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import solcx

ROOT = Path(__file__).resolve().parents[2]
HARDHAT = ROOT / "node_modules" / ".bin" / "hardhat"
COMPILER = ROOT / "scripts" / "solc.cjs"
NAMES = ("Consortium", "CheckpointRegistry", "ConsentRegistry", "ModelRegistry")
BUILD_SECONDS = 300


def hardhat(*arguments: str) -> None:
    subprocess.run(
        [HARDHAT, *arguments],
        cwd=ROOT,
        env={**os.environ, "HARDHAT_NETWORK": "default"},
        check=True,
        capture_output=True,
        timeout=BUILD_SECONDS,
    )


def artifact(name: str) -> dict[str, Any]:
    path = ROOT / "artifacts" / "contracts" / f"{name}.sol" / f"{name}.json"
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded


def build_info(name: str) -> dict[str, Any]:
    """Return what Hardhat gave to the compiler for one contract."""
    path = ROOT / "artifacts" / "build-info" / f"{artifact(name)['buildInfoId']}.json"
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded


def is_instrumented(info: dict[str, Any]) -> bool:
    """Say whether a run for coverage left its own code behind."""
    return any("Coverage" in source for source in info["input"]["sources"])


@pytest.fixture(scope="module")
def compiled() -> dict[str, Any]:
    """Compile Hardhat's own input through py-solc-x."""
    if not HARDHAT.exists():
        pytest.skip("node_modules is not installed")
    with pytest.MonkeyPatch.context() as patch:
        # The compiler's wrapper and Hardhat need `node`, which lies beside this Python.
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        hardhat("build", "--no-tests", "--quiet")
        if is_instrumented(build_info(NAMES[0])):
            hardhat("clean")
            hardhat("build", "--no-tests", "--quiet")
        output: dict[str, Any] = solcx.compile_standard(
            build_info(NAMES[0])["input"], solc_binary=COMPILER
        )
    return output


class TestBytecode:
    def test_the_compiler_is_the_pinned_one(self) -> None:
        package = json.loads((ROOT / "package.json").read_text("utf-8"))
        pinned = package["devDependencies"]["solc"]
        for name in NAMES:
            deployed = json.loads(
                (ROOT / "client" / "xinglin" / "_chain" / "abi" / f"{name}.json").read_text("utf-8")
            )["deployedBytecode"]
            # The metadata ends with the compiler's version, three bytes, before its length.
            assert tuple(bytes.fromhex(deployed[-10:-4])) == tuple(map(int, pinned.split(".")))

    @pytest.mark.parametrize("name", NAMES)
    def test_hardhat_and_python_make_the_same_code(
        self, compiled: dict[str, Any], name: str
    ) -> None:
        evm = compiled["contracts"][artifact(name)["inputSourceName"]][name]["evm"]
        assert f"0x{evm['bytecode']['object']}" == artifact(name)["bytecode"]
        assert f"0x{evm['deployedBytecode']['object']}" == artifact(name)["deployedBytecode"]

    @pytest.mark.parametrize("name", NAMES)
    def test_what_python_deploys_is_that_code(self, compiled: dict[str, Any], name: str) -> None:
        path = ROOT / "client" / "xinglin" / "_chain" / "abi" / f"{name}.json"
        shipped = json.loads(path.read_text("utf-8"))
        output = compiled["contracts"][artifact(name)["inputSourceName"]][name]
        assert shipped["bytecode"] == f"0x{output['evm']['bytecode']['object']}"
        assert shipped["deployedBytecode"] == f"0x{output['evm']['deployedBytecode']['object']}"
        assert shipped["abi"] == output["abi"]
