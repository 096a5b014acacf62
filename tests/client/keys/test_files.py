"""Key files: one passphrase, one owner, one encoding."""

import json
import os
import stat
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from xinglin import canonical, keys
from xinglin.canonical import JsonValue
from xinglin.errors import KeyFileError, UsageError

SECRET: dict[str, JsonValue] = {"kind": "person", "phrase": "杏 林"}
PASSPHRASE = "春风十里"
CHEAP = 14


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "alice.key"
    keys.write_key_file(file, SECRET, PASSPHRASE, log2_cost=CHEAP)
    return file


def rewrite(path: Path, change: Any) -> None:
    value = json.loads(path.read_bytes())
    change(value)
    path.write_bytes(canonical.encode(value))


class TestKeyFile:
    def test_a_secret_comes_back(self, path: Path) -> None:
        assert keys.read_key_file(path, PASSPHRASE) == SECRET

    def test_nothing_of_the_secret_is_in_the_file(self, path: Path) -> None:
        data = path.read_bytes()
        for trace in ("person", "phrase", "杏", "林"):
            assert trace.encode() not in data

    def test_only_the_owner_may_read_it(self, path: Path) -> None:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_a_file_that_is_there_is_never_overwritten(self, path: Path) -> None:
        before = path.read_bytes()
        with pytest.raises(KeyFileError, match="exists"):
            keys.write_key_file(path, {"kind": "other"}, PASSPHRASE, log2_cost=CHEAP)
        assert path.read_bytes() == before

    def test_the_default_cost_is_that_of_the_specification(self, tmp_path: Path) -> None:
        keys.write_key_file(tmp_path / "k", SECRET, PASSPHRASE)
        kdf = json.loads((tmp_path / "k").read_bytes())["kdf"]
        assert (kdf["name"], kdf["n"], kdf["r"], kdf["p"]) == ("scrypt", 2**17, 8, 1)

    def test_one_passphrase_in_two_normal_forms_is_one(self, tmp_path: Path) -> None:
        # Keyboards differ in how they compose é; people do not.
        composed = unicodedata.normalize("NFC", "café")
        decomposed = unicodedata.normalize("NFD", "café")
        assert composed != decomposed
        keys.write_key_file(tmp_path / "k", SECRET, decomposed, log2_cost=CHEAP)
        assert keys.read_key_file(tmp_path / "k", composed) == SECRET


class TestRefusals:
    @pytest.mark.parametrize("wrong", ["春风", PASSPHRASE + " ", "x"])
    def test_a_wrong_passphrase_is_refused(self, path: Path, wrong: str) -> None:
        with pytest.raises(KeyFileError, match="passphrase") as refusal:
            keys.read_key_file(path, wrong)
        assert wrong not in str(refusal.value) or wrong == "x"

    def test_an_empty_passphrase_is_refused(self, path: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="empty"):
            keys.read_key_file(path, "")
        with pytest.raises(UsageError, match="empty"):
            keys.write_key_file(tmp_path / "k", SECRET, "")
        assert not (tmp_path / "k").exists()

    def test_a_flipped_byte_is_refused(self, path: Path) -> None:
        def flip(value: dict[str, Any]) -> None:
            text = value["ciphertext"]
            value["ciphertext"] = text[:90] + ("A" if text[90] != "A" else "B") + text[91:]

        rewrite(path, flip)
        with pytest.raises(KeyFileError):
            keys.read_key_file(path, PASSPHRASE)

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("n", 2**13),
            ("n", 2**21),
            ("n", 2**40),
            ("n", 2**14 + 1),
            ("n", 2**15),
            ("n", 0),
            ("n", True),
            ("n", "16384"),
            ("r", 1),
            ("p", 2),
            ("name", "pbkdf2"),
            ("salt", "AA"),
            ("salt", "*"),
            ("extra", 1),
        ],
    )
    def test_another_key_derivation_is_refused(
        self, path: Path, member: str, value: JsonValue
    ) -> None:
        # A cost of 2^40 would stall whoever opens the file; 2^13 is no protection.
        rewrite(path, lambda document: document["kdf"].update({member: value}))
        with pytest.raises(KeyFileError):
            keys.read_key_file(path, PASSPHRASE)

    @pytest.mark.parametrize("change", [{"format": "xinglin.keyfile/2"}, {"more": 1}])
    def test_another_format_and_unknown_members_are_refused(
        self, path: Path, change: dict[str, JsonValue]
    ) -> None:
        rewrite(path, lambda document: document.update(change))
        with pytest.raises(KeyFileError):
            keys.read_key_file(path, PASSPHRASE)

    @pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"not json", b"\xff", b'{"a":1}\n'])
    def test_what_is_no_key_file_is_refused(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "k").write_bytes(data)
        with pytest.raises(KeyFileError):
            keys.read_key_file(tmp_path / "k", PASSPHRASE)

    def test_another_layout_of_the_same_json_is_refused(self, path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_bytes()), indent=1))
        with pytest.raises(KeyFileError, match="canonical"):
            keys.read_key_file(path, PASSPHRASE)

    def test_a_missing_file_and_a_missing_folder_say_so(self, tmp_path: Path) -> None:
        with pytest.raises(KeyFileError, match="cannot read"):
            keys.read_key_file(tmp_path / "none", PASSPHRASE)
        with pytest.raises(KeyFileError, match="cannot write"):
            keys.write_key_file(tmp_path / "no" / "k", SECRET, PASSPHRASE, log2_cost=CHEAP)

    @pytest.mark.parametrize("cost", [0, 13, 21])
    def test_a_cost_outside_the_range_is_refused(self, tmp_path: Path, cost: int) -> None:
        with pytest.raises(UsageError):
            keys.write_key_file(tmp_path / "k", SECRET, PASSPHRASE, log2_cost=cost)

    def test_nothing_is_left_where_writing_failed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(KeyFileError, match="No space"):
            keys.write_key_file(tmp_path / "k", SECRET, PASSPHRASE, log2_cost=CHEAP)
        assert list(tmp_path.iterdir()) == []
