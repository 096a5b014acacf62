"""The demo, as a newcomer runs it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from xinglin._network import process
from xinglin._network.anvil import find_anvil
from xinglin.errors import UsageError

SHARED = Path(os.environ.get("XINGLIN_SHARED", Path(__file__).parents[3] / "shared"))
DEMO = [sys.executable, "-m", "xinglin", "demo"]


@pytest.fixture(autouse=True, scope="module")
def _anvil() -> None:
    try:
        find_anvil()
    except UsageError as error:
        pytest.skip(str(error))


def run(folder: Path, *arguments: str, timeout: int = 400) -> dict[str, Any]:
    done = subprocess.run(
        [*DEMO, "--folder", str(folder), "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def finished(command: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def processes_of(folder: Path) -> list[str]:
    """Every process that names the folder on its command line, or works in it as Anvil does."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                place = os.readlink(entry / "cwd")
            except OSError:
                continue
            if str(folder) in line or Path(place).is_relative_to(folder):
                found.append(line)
    return found


class TestTheStory:
    def test_every_attack_is_refused_and_named(self, tmp_path: Path) -> None:
        told = run(tmp_path / "demo")
        rows = {row["what"]: row["outcome"] for row in told["rows"]}
        attacks = [row for row in told["rows"] if row["chapter"] == "attacks"]
        assert len(attacks) == 9
        assert all(row["outcome"].startswith("refused: ") for row in attacks)
        assert "CheckpointSizeNotGrowing" in rows["the hospital anchors a size that does not grow"]
        assert (
            "CheckpointInconsistent"
            in rows["the hospital anchors a larger tree with leaf 3 changed"]
        )
        assert "ConsentAlreadyGiven" in rows["a consent is replayed after it was revoked"]
        assert rows["the physician asks once more, at once"] == "refused: stopped"
        assert rows["the physician asks for another purpose"] == "refused: purpose"
        assert "not-found" in rows["the physician asks for a note that was not granted"]
        assert rows["the researcher asks for commercial research"] == "refused: research"
        assert rows["notes read by the model, each inference logged"] == "40"
        assert rows["the patient checks that the list is whole"].startswith("whole")
        assert sum("the auditor verifies" in what for what in rows) == 3
        assert processes_of(tmp_path) == []


class TestOwnRecords:
    def test_a_jsonl_of_case_records_is_taken(self, tmp_path: Path) -> None:
        source = SHARED / "data" / "records" / "case_records.jsonl"
        if not source.exists():
            pytest.skip("the case records are not beside the project")
        lines = source.read_text("utf-8").splitlines()[:12]
        (tmp_path / "cases.jsonl").write_text("\n".join(lines), "utf-8")
        told = run(tmp_path / "demo", "--records", str(tmp_path / "cases.jsonl"))
        rows = {row["what"]: row["outcome"] for row in told["rows"]}
        assert rows["subjects enrolled at the desk"].startswith("12: 0 with an account")
        assert rows["records sealed and logged"].startswith("12, ")
        assert rows["notes read by the model, each inference logged"] == "12"

    def test_a_folder_with_a_binary_file_skips_its_inference_and_says_so(
        self, tmp_path: Path
    ) -> None:
        records = tmp_path / "records"
        records.mkdir()
        (records / "note.txt").write_text("主诉：头痛三天。", "utf-8")
        (records / "scan.bin").write_bytes(os.urandom(3 * 2**20))
        told = run(tmp_path / "demo", "--records", str(records))
        rows = {row["what"]: row["outcome"] for row in told["rows"]}
        assert rows["records sealed and logged"] == "2, 3 MiB in all"
        assert rows["notes read by the model, each inference logged"] == "1"
        assert rows["inference skipped"].startswith("1: no method reads")

    @pytest.mark.parametrize(
        ("name", "content", "expected"),
        [
            ("empty.txt", b"", "empty file"),
            ("bad.jsonl", b'{"text": "a"}\n{"note": 1}\n', "line 2"),
            ("bad2.jsonl", b"\xff\xfe\n", "line 1"),
            ("nothing.jsonl", b"\n\n", "at least one record"),
        ],
    )
    def test_a_file_that_is_no_record_is_refused_before_anything_starts(
        self, tmp_path: Path, name: str, content: bytes, expected: str
    ) -> None:
        (tmp_path / name).write_bytes(content)
        done = subprocess.run(
            [*DEMO, "--folder", str(tmp_path / "demo"), "--records", str(tmp_path / name)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert expected in done.stderr
        assert not (tmp_path / "demo").exists()

    def test_a_missing_file_is_refused(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [*DEMO, "--folder", str(tmp_path / "demo"), "--records", str(tmp_path / "none")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert "expected a file or a folder" in done.stderr


class TestEndings:
    @pytest.mark.parametrize("running", ["chain/anvil", "node-a/process"])
    def test_ctrl_c_leaves_no_process_behind(self, tmp_path: Path, running: str) -> None:
        folder = tmp_path / "demo"
        demo = subprocess.Popen(
            [*DEMO, "--folder", str(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # A terminal's Ctrl-C is for the whole group, children of the demo too.
            start_new_session=True,
            # A runner in the background ignores SIGINT, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        ends = time.monotonic() + 120
        while process.find(folder / running) is None:
            assert demo.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.1)
        # Else a search that finds nothing would find nothing here.
        assert len(processes_of(folder)) >= 2
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(timeout=60) != 0
        assert processes_of(folder) == []

    def test_a_folder_that_is_not_a_demos_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("years of work")
        other = process.start(tmp_path / "network", ["sleep", "600"])
        done = subprocess.run(
            [*DEMO, "--folder", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert (tmp_path / "thesis.txt").exists()
        # Nor is anything stopped that no demo started.
        assert other.alive
        process.stop(other)

    def test_what_was_kept_can_be_tried_and_is_stopped_by_the_next(self, tmp_path: Path) -> None:
        folder = tmp_path / "demo"
        (tmp_path / "note.txt").write_text("主诉：头痛三天。", "utf-8")
        demo = [*DEMO, "--folder", str(folder), "--records", str(tmp_path / "note.txt")]
        try:
            told = finished([*demo, "--keep"])
            kept = [process.find(path.parent) for path in folder.rglob(process.PID_FILE)]
            assert len(kept) == 3
            assert all(one is not None and one.alive for one in kept)
            self.check_what_is_printed(told.stdout)
            assert "stopped 3 processes" in finished(demo).stderr
            assert all(one is not None and not one.alive for one in kept)
            assert processes_of(folder) == []
        finally:
            for path in folder.rglob(process.PID_FILE):
                found = process.find(path.parent)
                if found is not None:
                    process.stop(found)

    @staticmethod
    def check_what_is_printed(text: str) -> None:
        """URLs that answer, accounts, and three commands that work as they stand."""
        for url in re.findall(r"docs (http://\S+)", text):
            assert httpx.get(url).status_code == 200
        assert len(re.findall(r"0x[0-9a-fA-F]{40}", text)) == 7  # four contracts, three officers
        commands = [shlex.split(line) for line in text.partition("try:\n")[2].splitlines()]
        assert [command[0] for command in commands] == ["xinglin", "curl", "xinglin"]
        assert httpx.get(commands[1][1]).json()["sequencing"]
        for command in (commands[0], commands[2]):
            finished([sys.executable, "-m", *command])
