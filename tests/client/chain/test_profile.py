"""What a profile says, and the one function that answers whether a block is final."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin._chain.profile import (
    Contracts,
    DeployedContract,
    FeeRule,
    Finality,
    FinalityRule,
    NetworkProfile,
    ProfileMember,
    finalized_block,
)
from xinglin._network.profile import decode, encode, load, save
from xinglin.errors import InvalidEncoding, UsageError
from xinglin.names import Address, Member, NetworkId

ADDRESS = Address("0x52908400098527886E0F7030069857D2E4169EE7")

PLAIN = NetworkProfile(
    engine="clique",
    chain_id=7,
    genesis=bytes(range(32)),
    rpc=("http://a.example", "http://b.example"),
    block_period=2,
    finality=Finality(FinalityRule.DEPTH, 3),
    fee=FeeRule.ZERO,
    epoch_length=30_000,
    validators=(ADDRESS,),
)
WHOLE = PLAIN.with_deployment(
    NetworkId(bytes(16)),
    Contracts(*(DeployedContract(ADDRESS, bytes([n]) * 32, n) for n in range(1, 5))),
    members=(ProfileMember(Member(1), '中医院 "一"\\\n', "https://a.example"),),
)


class TestFinality:
    def test_what_is_in_a_block_is_final_at_once_where_finality_is_immediate(self) -> None:
        profile = replace(PLAIN, finality=Finality(FinalityRule.IMMEDIATE))
        assert finalized_block(profile, 9) == 9

    def test_a_depth_wants_that_many_blocks_on_top(self) -> None:
        assert finalized_block(PLAIN, 9) == 6

    def test_the_first_block_is_final_by_definition(self) -> None:
        assert finalized_block(PLAIN, 2) == 0

    def test_a_depth_of_zero_is_not_another_word_for_immediate(self) -> None:
        with pytest.raises(UsageError, match="at least 1 with depth"):
            Finality(FinalityRule.DEPTH, 0)
        with pytest.raises(UsageError, match="depth 0 with immediate"):
            Finality(FinalityRule.IMMEDIATE, 1)

    def test_no_module_asks_a_node_for_its_own_idea_of_final(self) -> None:
        # On Anvil the tags are fixed distances from the head, on Clique they are errors.
        package = Path(__file__).parents[3] / "client" / "xinglin"
        for path in package.rglob("*.py"):
            text = path.read_text("utf-8")
            assert '"finalized"' not in text, path
            assert '"safe"' not in text, path


class TestProfileFile:
    @pytest.mark.parametrize("profile", [PLAIN, WHOLE])
    def test_what_was_written_is_read(self, profile: NetworkProfile, tmp_path: Path) -> None:
        save(profile, tmp_path / "network.toml")
        assert load(tmp_path / "network.toml") == profile

    def test_writing_what_was_read_gives_the_same_bytes(self) -> None:
        assert encode(decode(encode(WHOLE))) == encode(WHOLE)

    @given(st.text())
    def test_any_name_survives(self, name: str) -> None:
        try:
            name.encode()
        except UnicodeEncodeError:
            return
        member = ProfileMember(Member(1), name, "")
        assert decode(encode(replace(WHOLE, members=(member,)))).members == (member,)

    @pytest.mark.parametrize(
        ("old", "new", "named"),
        [
            ('format = "xinglin.network/1"', 'format = "xinglin.network/2"', "format"),
            ("chain_id = 7", 'chain_id = "7"', "chain_id"),
            ("chain_id = 7", "chain_id = -7", "chain_id"),
            ("chain_id = 7", "chain_id = true", "chain_id"),
            ("chain_id = 7\n", "", "chain_id"),
            ("chain_id = 7", "chain_id = 7\nchainid = 7", "chainid"),
            ('genesis = "0x00', 'genesis = "0x', "genesis"),
            ('fee = "zero"', 'fee = "cheap"', "cheap"),
            ('rule = "depth"', 'rule = "soon"', "soon"),
            ("depth = 3", "depth = 0", "depth"),
            ("depth = 3", "depth = 3\nheight = 1", "height"),
            ("block_period = 2", "block_period = 0", "block period"),
            ("0x52908400098527886E0F7030069857D2E4169EE7", "0x" + "ab" * 20, "checksum"),
            ('rpc = ["http://a.example", "http://b.example"]', "rpc = []", "RPC address"),
            ('rpc = ["http://a.example", "http://b.example"]', "rpc = [1]", "rpc"),
            ('"http://b.example"', '"http://a.example/"', "each RPC address once"),
            ("[contracts.models]", "[contracts.model]", "models"),
            ("[[members]]", "[members]", "members"),
            ("chain_id = 7", "chain_id = 7\nchain_id = 7", "TOML"),
        ],
    )
    def test_a_file_with_one_thing_wrong_is_refused_and_the_thing_named(
        self, old: str, new: str, named: str
    ) -> None:
        text = encode(WHOLE).decode()
        assert old in text
        with pytest.raises(InvalidEncoding, match=named):
            decode(text.replace(old, new).encode())

    def test_bytes_that_are_no_text_are_refused(self) -> None:
        with pytest.raises(InvalidEncoding, match="TOML"):
            decode(b"\xff\xfe")

    def test_a_missing_file_says_where_it_was_expected(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"network\.toml"):
            load(tmp_path / "network.toml")

    def test_a_folder_without_permission_leaves_nothing_half_written(self, tmp_path: Path) -> None:
        place = tmp_path / "network.toml"
        place.mkdir()
        with pytest.raises(UsageError, match="cannot write"):
            save(PLAIN, place)
        assert list(tmp_path.iterdir()) == [place]

    @pytest.mark.parametrize("again", ["http://a.example", "http://a.example/", "http://A.example"])
    def test_i4_a_node_that_is_listed_twice_does_not_agree_with_itself(self, again: str) -> None:
        with pytest.raises(UsageError, match=r"expected each RPC address once, got .* 2 times"):
            replace(PLAIN, rpc=("http://a.example", "http://b.example", again))

    def test_a_network_without_contracts_says_how_to_deploy(self) -> None:
        with pytest.raises(UsageError, match="network deploy"):
            _ = PLAIN.deployed
