"""`xinglin keys`: what it writes, what it shows, and what it never does."""

import json
import stat
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from xinglin import keys
from xinglin._cli import main
from xinglin._cli.keys import open_person
from xinglin.encoding import base64url, from_base64url
from xinglin.errors import KeyFileError
from xinglin.names import Member
from xinglin.note import LogKey

PASSPHRASE = "春风十里"
PHRASE = " ".join(["abandon"] * 23 + ["art"])


@pytest.fixture(autouse=True)
def _no_passphrase_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XINGLIN_PASSPHRASE", raising=False)


@pytest.fixture(autouse=True)
def _cheap_key_files(monkeypatch: pytest.MonkeyPatch) -> None:
    # The full cost takes half a second a file; that it is the default has a test of its own.
    cheap = partial(keys.write_key_file, log2_cost=14)
    monkeypatch.setattr("xinglin._cli.keys.write_key_file", cheap)


@pytest.fixture
def passphrase_file(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    return path


class Run:
    def __init__(self, capsys: pytest.CaptureFixture[str], passphrase_file: Path) -> None:
        self._capsys = capsys
        self._passphrase = ["--passphrase-file", str(passphrase_file)]

    def __call__(self, *arguments: object, code: int = 0, passphrase: bool = True) -> Any:
        words = ["keys", *map(str, arguments), *(self._passphrase if passphrase else [])]
        with pytest.raises(SystemExit) as ended:
            main(words)
        captured = self._capsys.readouterr()
        assert ended.value.code == code, captured.err
        self.err = captured.err
        self.out = captured.out
        return json.loads(captured.out) if "--json" in words and code == 0 else captured.out


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], passphrase_file: Path) -> Run:
    return Run(capsys, passphrase_file)


class TestNew:
    def test_the_phrase_shown_is_the_phrase_kept(self, run: Run, tmp_path: Path) -> None:
        shown = run("new", tmp_path / "a.key", "--json")
        assert len(shown["phrase"].split(" ")) == 24
        secret = keys.read_key_file(tmp_path / "a.key", PASSPHRASE)
        assert secret == {"kind": "person", "phrase": shown["phrase"]}
        assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600

    def test_as_text_the_words_are_numbered(self, run: Run, tmp_path: Path) -> None:
        text = run("new", tmp_path / "a.key")
        phrase = keys.read_key_file(tmp_path / "a.key", PASSPHRASE)["phrase"]
        assert isinstance(phrase, str)
        for number, word in enumerate(phrase.split(" "), start=1):
            assert f"{number}. {word}" in text

    def test_a_key_file_is_never_overwritten(self, run: Run, tmp_path: Path) -> None:
        run("new", tmp_path / "a.key")
        before = (tmp_path / "a.key").read_bytes()
        run("new", tmp_path / "a.key", code=1)
        assert "exists" in run.err
        assert (tmp_path / "a.key").read_bytes() == before

    def test_without_a_passphrase_and_a_terminal_it_is_wrong_usage(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
        run("new", tmp_path / "a.key", code=2, passphrase=False)
        assert "XINGLIN_PASSPHRASE" in run.err
        assert not (tmp_path / "a.key").exists()

    def test_the_passphrase_may_come_from_the_environment(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XINGLIN_PASSPHRASE", "another")
        run("new", tmp_path / "a.key", passphrase=False)
        assert keys.read_key_file(tmp_path / "a.key", "another")["kind"] == "person"

    def test_no_option_takes_a_secret_on_the_command_line(self, run: Run, tmp_path: Path) -> None:
        for option in ("--passphrase", "--phrase", "--share", "--seed"):
            run("new", tmp_path / "a.key", option, "x", code=2)
            run("recover", tmp_path / "a.key", option, "x", code=2)
            assert not (tmp_path / "a.key").exists()

    def test_two_typed_passphrases_must_agree(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        typed = iter(["one", "two"])
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
        run("new", tmp_path / "a.key", code=2, passphrase=False)
        assert "differ" in run.err


class TestShow:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "alice.key"
        keys.write_key_file(path, {"kind": "person", "phrase": PHRASE}, PASSPHRASE, log2_cost=14)
        return path

    def test_a_person_s_public_half_is_shown_and_nothing_else(self, run: Run, file: Path) -> None:
        shown = run("show", file, "--member", 7, "--member", 8, "--grants", 2, "--json")
        person = keys.PersonKeys.from_phrase(PHRASE)
        first = shown["members"][0]
        assert first["account"] == person.enrolled_account(Member(7)).address
        assert from_base64url(first["publicKey"]) == (
            person.encryption_identity(Member(7)).recipient.public_key
        )
        assert first["grantAccounts"] == [
            person.grant_account(Member(7), k).address for k in range(2)
        ]
        assert shown["members"][1]["member"] == 8
        for secret in (
            "abandon",
            person.enrolled_account(Member(7)).key.hex(),
            base64url(person.encryption_identity(Member(7)).seed),
        ):
            assert secret not in run.out + run.err

    def test_as_text_too(self, run: Run, file: Path) -> None:
        text = run("show", file, "--member", 7)
        assert keys.PersonKeys.from_phrase(PHRASE).enrolled_account(Member(7)).address in text

    def test_a_person_without_a_member_is_wrong_usage(self, run: Run, file: Path) -> None:
        run("show", file, code=2)
        assert "--member" in run.err

    def test_a_wrong_passphrase_is_refused(
        self, run: Run, file: Path, passphrase_file: Path
    ) -> None:
        passphrase_file.write_text("wrong")
        run("show", file, "--member", 7, code=1)
        assert "passphrase" in run.err

    @pytest.mark.parametrize(
        ("secret", "member"),
        [
            ({"kind": "account", "key": base64url(b"\x07" * 32)}, "account"),
            ({"kind": "encryption", "seed": base64url(b"\x07" * 32)}, "keyDigest"),
            ({"kind": "log", "seed": base64url(b"\x07" * 32)}, "logKey"),
        ],
    )
    def test_single_keys_are_shown_by_their_public_half(
        self, run: Run, tmp_path: Path, secret: Any, member: str
    ) -> None:
        keys.write_key_file(tmp_path / "k", secret, PASSPHRASE, log2_cost=14)
        shown = run("show", tmp_path / "k", "--json")
        expected = {
            "account": keys.Account.from_key(b"\x07" * 32).address,
            "keyDigest": "0x" + keys.HpkeIdentity.from_seed(b"\x07" * 32).key_digest.hex(),
            "logKey": "0x" + LogKey.from_seed(b"\x07" * 32).public.hex(),
        }
        assert shown[member] == expected[member]
        assert base64url(b"\x07" * 32) not in run.out

    def test_a_file_of_another_kind_is_refused(self, run: Run, tmp_path: Path) -> None:
        keys.write_key_file(tmp_path / "k", {"kind": "cat"}, PASSPHRASE, log2_cost=14)
        run("show", tmp_path / "k", code=1)


class TestRecover:
    def test_the_words_give_the_same_keys(
        self, run: Run, tmp_path: Path, passphrase_file: Path
    ) -> None:
        (tmp_path / "words").write_text(f"  {PHRASE.replace(' ', '  ')}\n")
        run("recover", tmp_path / "again.key", "--phrase-file", tmp_path / "words")
        person = open_person(tmp_path / "again.key", passphrase_file)
        expected = keys.PersonKeys.from_phrase(PHRASE).enrolled_account(Member(1))
        assert person.enrolled_account(Member(1)) == expected

    def test_wrong_words_write_nothing_and_are_not_repeated(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "words").write_text(PHRASE.replace("art", "able"))
        run("recover", tmp_path / "again.key", "--phrase-file", tmp_path / "words", code=1)
        assert "abandon" not in run.err
        assert not (tmp_path / "again.key").exists()

    def test_shares_give_the_recovery_recipient_back(self, run: Run, tmp_path: Path) -> None:
        recovery = keys.HpkeIdentity.generate()
        shares = keys.split_recovery(recovery.seed, 2, 3)
        (tmp_path / "one").write_text(shares[0] + "\n")
        (tmp_path / "two").write_text("\n" + shares[2])
        options = ["--share-file", tmp_path / "one", "--share-file", tmp_path / "two"]
        shown = run("recover", tmp_path / "r.key", *options, "--json")
        assert shown["keyDigest"] == "0x" + recovery.key_digest.hex()
        secret = keys.read_key_file(tmp_path / "r.key", PASSPHRASE)
        assert secret == {"kind": "encryption", "seed": base64url(recovery.seed)}

    def test_too_few_shares_write_nothing(self, run: Run, tmp_path: Path) -> None:
        shares = keys.split_recovery(bytes(32), 2, 3)
        (tmp_path / "one").write_text(shares[0])
        run("recover", tmp_path / "r.key", "--share-file", tmp_path / "one", code=1)
        assert not (tmp_path / "r.key").exists()

    def test_words_and_shares_together_are_wrong_usage(self, run: Run, tmp_path: Path) -> None:
        run("recover", tmp_path / "r", "--shares", "--phrase-file", tmp_path / "w", code=2)
        assert not (tmp_path / "r").exists()

    def test_shares_may_be_typed(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shares = keys.split_recovery(bytes(range(32)), 2, 3)
        typed = iter([shares[1], shares[0], ""])
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
        run("recover", tmp_path / "r.key", "--shares")
        secret = keys.read_key_file(tmp_path / "r.key", PASSPHRASE)
        assert secret["seed"] == base64url(bytes(range(32)))

    def test_a_recovery_key_is_no_person(self, tmp_path: Path, passphrase_file: Path) -> None:
        secret: Any = {"kind": "encryption", "seed": base64url(bytes(32))}
        keys.write_key_file(tmp_path / "r", secret, PASSPHRASE, log2_cost=14)
        with pytest.raises(KeyFileError, match="person"):
            open_person(tmp_path / "r", passphrase_file)


class TestHelp:
    @pytest.mark.parametrize("command", ["new", "show", "recover"])
    def test_every_command_teaches_by_an_example(self, run: Run, command: str) -> None:
        assert f"xinglin keys {command}" in run(command, "--help", passphrase=False)
