"""Admitting nodes to a network of Besu nodes: two files, changed whole, read again at once."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.client.network.conftest import SILENT, Besu

from xinglin._network import peers
from xinglin._network.besu import unlock_key, write_key
from xinglin.errors import Unreachable, UsageError

ONE = f"enode://{'1' * 128}@172.28.5.11:30303"
TWO = f"enode://{'2' * 128}@172.28.5.12:30303"
NEW = f"enode://{'3' * 128}@10.0.0.7:30303"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    (tmp_path / "permissions").mkdir()
    (tmp_path / peers.NODES_FILE).write_text(f"nodes-allowlist={json.dumps([ONE, TWO])}\n")
    (tmp_path / peers.STATIC_NODES_FILE).write_text(json.dumps([ONE]))
    return tmp_path


class TestAdmitting:
    def test_a_newcomer_may_connect_and_is_dialled_and_the_nodes_are_told(
        self, network: Path, besu: Besu
    ) -> None:
        peers.admit(network, NEW, reload=[besu.url])
        assert peers.listed(network) == [ONE, TWO, NEW]
        assert json.loads((network / peers.STATIC_NODES_FILE).read_text()) == [ONE, NEW]
        assert besu.asked == [("perm_reloadPermissionsFromFile", [])]

    def test_a_node_that_moved_is_listed_once(self, network: Path) -> None:
        moved = TWO.replace("172.28.5.12", "10.0.0.9")
        peers.admit(network, moved)
        assert peers.listed(network) == [ONE, moved]

    def test_dismissed_it_is_in_neither_file(self, network: Path) -> None:
        peers.dismiss(network, ONE)
        assert peers.listed(network) == [TWO]
        assert json.loads((network / peers.STATIC_NODES_FILE).read_text()) == []

    def test_one_that_is_not_listed_cannot_be_dismissed(self, network: Path) -> None:
        with pytest.raises(UsageError, match="listed"):
            peers.dismiss(network, NEW)

    @pytest.mark.parametrize(
        "wrong",
        [
            "enode://12@10.0.0.7:30303",
            NEW.replace("30303", "99999"),
            NEW.replace("10.0.0.7", "node.example"),
            NEW + '"]\nnodes-allowlist=["',
            "",
        ],
        ids=["short key", "port", "a name", "quotes", "empty"],
    )
    def test_nothing_else_than_an_address_gets_into_the_files(
        self, network: Path, wrong: str
    ) -> None:
        before = (network / peers.NODES_FILE).read_bytes()
        with pytest.raises(UsageError, match="enode"):
            peers.admit(network, wrong)
        assert (network / peers.NODES_FILE).read_bytes() == before

    def test_a_node_that_does_not_answer_is_named_and_the_files_stand(self, network: Path) -> None:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
            peers.admit(network, NEW, reload=[SILENT])
        assert NEW in peers.listed(network)

    @pytest.mark.parametrize("change", [peers.admit, peers.dismiss])
    def test_one_that_does_not_answer_keeps_the_news_from_no_other(
        self, network: Path, besu: Besu, change: Callable[..., None]
    ) -> None:
        # With one validator of four down the others go on, and so does their list.
        with pytest.raises(Unreachable, match=r"1 of 3.*127\.0\.0\.1:9"):
            change(network, TWO, reload=[SILENT, besu.url, f"{besu.url}/"])
        assert besu.asked == [("perm_reloadPermissionsFromFile", [])] * 2

    def test_a_file_of_another_shape_is_refused(self, network: Path) -> None:
        (network / peers.NODES_FILE).write_text("nodes-allowlist=[1]\n")
        with pytest.raises(UsageError, match="list of nodes"):
            peers.listed(network)


class TestKeyOfOneMore:
    def test_it_is_encrypted_and_opens_to_the_address_beside_it(self, tmp_path: Path) -> None:
        folder = tmp_path / "validator5"
        address = write_key(folder, "passphrase")
        assert (folder / "address").read_text().strip() == address
        assert len((folder / "node-id").read_text().strip()) == 128
        assert unlock_key(folder / "key.json", tmp_path / "key", "passphrase") == address
        with pytest.raises(UsageError):
            write_key(folder, "passphrase")

    def test_without_a_passphrase_there_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="passphrase"):
            write_key(tmp_path / "v", "")
        assert not (tmp_path / "v").exists()
