"""What a newcomer gets wrong: each with a clear error, and nothing lost."""

import io
import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from xinglin._cli import main, output
from xinglin._http import NodeClient
from xinglin._network import anvil
from xinglin.errors import UsageError

ROOT = Path(__file__).parents[1]


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


class TestSetUp:
    SETUP = runpy.run_path(str(ROOT / "scripts" / "setup.py"))

    def python_that_says(self, folder: Path, words: str) -> None:
        (folder / "bin").mkdir(parents=True)
        program = folder / "bin" / "python"
        program.write_text(f"#!/bin/sh\necho {words}\n")
        program.chmod(0o755)

    @pytest.mark.parametrize(("words", "usable"), [("3 10", False), ("3 11", True), ("4 0", True)])
    def test_an_environment_of_an_older_python_is_told_apart(
        self, tmp_path: Path, words: str, usable: bool
    ) -> None:
        self.python_that_says(tmp_path / "venv", words)
        function = self.SETUP["usable"]
        function.__globals__["BIN"] = tmp_path / "venv" / "bin"
        assert function() is usable

    def test_an_environment_whose_python_is_gone_is_made_anew(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        place = tmp_path / ".venv"
        (place / "bin").mkdir(parents=True)
        (place / "bin" / "python").symlink_to(tmp_path / "nothing")
        made: list[Path] = []
        function = self.SETUP["make_venv"]
        names = function.__globals__
        names["VENV"], names["BIN"] = place, place / "bin"
        monkeypatch.setattr(
            names["venv"], "create", lambda where, **_: (where / "bin").mkdir(parents=True)
        )
        monkeypatch.setitem(names, "run", lambda *command, **_: made.append(command))
        function()
        assert "belongs to another Python" in capsys.readouterr().out
        assert not (place / "bin" / "python").exists()
        assert made

    @pytest.mark.parametrize("arguments", [[], ["production"], ["demo", "test"]])
    def test_another_word_is_wrong_usage(self, arguments: list[str]) -> None:
        done = subprocess.run(
            [sys.executable, "scripts/setup.py", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "usage" in done.stderr


class TestMissingPrograms:
    def test_without_node_modules_and_path_anvil_is_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(anvil, "__file__", str(tmp_path / "a" / "b" / "anvil.py"))
        with pytest.raises(UsageError, match="npm ci"):
            anvil.find_anvil()


class TestFolders:
    def test_a_demo_in_a_folder_that_cannot_be_made_is_refused(self) -> None:
        # /proc refuses even root, as a folder without write permission refuses others.
        assert exit_code("demo", "--folder", "/proc/demo") == 2

    def test_a_file_in_the_place_of_a_folder_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "demo").write_text("a file")
        assert exit_code("demo", "--folder", str(tmp_path / "demo")) == 2
        assert (tmp_path / "demo").read_text() == "a file"


class TestFiles:
    def test_a_bundle_that_is_not_there_is_wrong_usage(self, tmp_path: Path) -> None:
        assert exit_code("verify", str(tmp_path / "none.xinglin.json")) == 2

    def test_ctrl_c_is_said_and_has_a_code_of_its_own(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def interrupted(_path: Path) -> bytes:
            raise KeyboardInterrupt

        monkeypatch.setattr(output, "read_file", interrupted)
        assert exit_code("verify", "entry.xinglin.json") == output.INTERRUPTED == 130
        assert capsys.readouterr().err == "interrupted\n"

    def test_a_bundle_that_is_no_text_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
        assert exit_code("verify", str(tmp_path / "b.json")) == 1

    def test_a_trust_root_that_is_not_there_is_wrong_usage(self, tmp_path: Path) -> None:
        bundle = tmp_path / "b.json"
        bundle.write_bytes(b"{}")
        # The bundle is looked at first: a malformed one is refused even without a root.
        assert exit_code("verify", str(bundle), "--trust", str(tmp_path / "none")) == 1


class _Shrinking(io.FileIO):
    """A file that somebody cuts short while it is being read."""

    def read(self, size: int | None = -1) -> bytes:
        os.truncate(self.name, 10)
        return super().read(size if size is not None else -1)


@pytest.fixture
def listener() -> Iterator[str]:
    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            wanted = int(self.headers.get("Content-Length", 0))
            if len(self.rfile.read(wanted)) == wanted:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class TestAFileThatVanishes:
    def test_one_cut_short_while_it_is_sent_is_an_error_of_ours(
        self, tmp_path: Path, listener: str
    ) -> None:
        path = tmp_path / "note.bin"
        path.write_bytes(bytes(3 << 20))
        refused = pytest.raises(UsageError, match="changed while sent")
        with NodeClient(listener) as node, _Shrinking(path) as stream, refused:
            node.post_parts(
                "/v1/intake",
                fields={"subject": "x"},
                files={"payload": ("note", stream, "application/octet-stream")},  # type: ignore[dict-item]
            )
