"""The validators on record beside those that seal, asked by commands on a chain that has both."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from xinglin._cli import main
from xinglin._network.clique import Clique, find_geth
from xinglin._network.engine import NetworkOptions
from xinglin._network.topology import read_topology
from xinglin.canonical import encode
from xinglin.encoding import base64url, hex0x
from xinglin.errors import UsageError
from xinglin.keys import Account, HpkeIdentity, write_key_file

pytestmark = [pytest.mark.slow, pytest.mark.chain]

PASSPHRASE = "correct horse"

SECONDS = 60.0
"""For a vote that was cast to be in a block, and the block to be final."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended, and what it printed."""

    code: int
    shown: Any
    said: str
    """On standard error."""


Command = Callable[..., Outcome]


@dataclass(frozen=True, slots=True)
class Chain:
    """A folder with one validator's chain, and the key files of three founding hospitals."""

    folder: Path
    govern: tuple[Path, ...]

    def validator(self, number: int) -> str:
        found = read_topology(self.folder)[number - 1].address
        assert found is not None
        return found


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command with --json."""

    def run(*words: str) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--json"])
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        shown = json.loads(printed.out) if printed.out else None
        return Outcome(ended.value.code, shown, printed.err)

    return run


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chain]:
    try:
        find_geth()
    except UsageError as error:
        pytest.skip(str(error))
    folder = tmp_path / "chain"
    monkeypatch.setenv("XINGLIN_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("XINGLIN_NETWORK", str(folder / "network.toml"))
    engine = Clique()
    profile = engine.up(folder, NetworkOptions(validators=1))
    try:
        accounts = [Account.generate() for _ in range(3)]
        # The first runs the validator; of the others nobody is on record yet.
        validators = (profile.validators[0], None, None)
        words: list[str] = []
        for number, (account, validator) in enumerate(zip(accounts, validators, strict=True), 1):
            described: dict[str, Any] = {
                "format": "xinglin.institution/1",
                "name": f"Hospital {number}",
                "role": "hospital",
                "url": "",
                "logKey": hex0x(bytes([number]) * 32),
                "encryptionKey": base64url(HpkeIdentity.generate().recipient.public_key),
                "validator": validator,
                "accounts": [{"address": account.address, "powers": ["govern"]}],
            }
            (tmp_path / f"{number}.json").write_bytes(encode(described))
            words += ["-i", str(tmp_path / f"{number}.json")]
            secret = {"kind": "account", "key": base64url(account.key)}
            write_key_file(tmp_path / f"{number}.key", secret, PASSPHRASE, log2_cost=14)
        with pytest.raises(SystemExit, match="0"):
            main(["network", "deploy", *words, "--change-delay", "1", "--json"])
        yield Chain(folder, tuple(tmp_path / f"{number}.key" for number in (1, 2, 3)))
    finally:
        engine.down(folder)


def listed(command: Command, until: Callable[[Any], bool]) -> Outcome:
    """What `network validator list` says once it is so."""
    ends = time.monotonic() + SECONDS
    while True:
        found = command("network", "validator", "list")
        if found.shown is not None and until(found.shown):
            return found
        assert time.monotonic() < ends, found
        time.sleep(0.5)


def assert_status(command: Command, *, record: list[str], sealing: list[str]) -> None:
    """`network status` shows the same, and is no alarm: a vote that goes on is no fault."""
    found = command("network", "status")
    assert found.code == 0, found.said
    shown = found.shown["validators"]
    assert (shown["onlyOnRecord"], shown["onlySealing"]) == (record, sealing)


class TestRecordAndReality:
    def test_who_was_voted_in_or_out_and_is_not_so_on_record_is_named_until_it_is(
        self, chain: Chain, command: Command, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first = chain.validator(1)
        agreed = listed(command, lambda shown: True)
        assert (agreed.code, agreed.said) == (0, "")
        assert [one["validator"] for one in agreed.shown["onRecord"]] == [first]
        assert agreed.shown["maySeal"] == [first]
        assert_status(command, record=[], sealing=[])

        # Voted in, on nobody's record.
        assert command("network", "node", "add", "--data", str(chain.folder)).code == 0
        second = chain.validator(2)
        vote = ("network", "validator", "propose", second, "--data", str(chain.folder))
        assert command(*vote).code == 0
        differs = listed(command, lambda shown: second in shown["maySeal"])
        assert differs.code == 1
        assert json.loads(differs.said) == {
            "error": "ChainError",
            "message": f"record and reality differ; may seal and on no record: {second}",
        }
        assert differs.shown["onlySealing"] == [second]
        assert_status(command, record=[], sealing=[second])
        with pytest.raises(SystemExit, match="0"):
            main(["network", "status"])
        assert "they differ" in capsys.readouterr().out, "people read it as well"

        # The second hospital has it put on record.
        key = ("--key", str(chain.govern[1]))
        asked = command("member", "change", "validator", second, *key)
        assert asked.code == 0, asked.said
        time.sleep(2)
        applied = command("member", "change", "apply", str(asked.shown["change"]), *key)
        assert applied.code == 0, applied.said
        agreed = listed(command, lambda shown: len(shown["onRecord"]) == 2)
        assert (agreed.code, agreed.said) == (0, "")
        assert_status(command, record=[], sealing=[])

        # Voted out by both, still on record.
        for node in ("node1", "node2"):
            assert command(*vote, "--remove", "--node", node).code == 0
        differs = listed(command, lambda shown: second not in shown["maySeal"])
        assert differs.code == 1
        assert json.loads(differs.said)["message"] == (
            "record and reality differ; on record and may not seal: "
            f"{second} (Hospital 2, member 2)"
        )
        assert_status(command, record=[second], sealing=[])
