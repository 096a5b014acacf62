"""The log as everyone reads it (C2SP tlog-tiles): enough to rebuild and check the whole tree."""

import secrets

import pytest

from xinglin import checkpoint, merkle
from xinglin._tiles import tile_path
from xinglin.names import LeafHash, Salt
from xinglin_node.log.unit import PendingEntry


def grow(scene, count: int) -> None:
    pending = PendingEntry(
        attestation=b"{}", salt=Salt(secrets.token_bytes(32)), kind="access", subject=None
    )
    scene.house.writer.submit(lambda w: [w.append(pending) for _ in range(count)]).result()


class TestTiles:
    def test_a_monitor_rebuilds_the_checkpoint_from_entries_alone(self, scene) -> None:
        grow(scene, 600)
        house = scene.house
        note = scene.client.get("/log/checkpoint").content
        head = checkpoint.read(note, house.origin, house.keys.log.public)
        assert head.size == 600
        entries: list[bytes] = []
        for number, suffix in ((0, ""), (1, ""), (2, ".p/88")):
            body = scene.client.get(f"/log/tile/entries/{tile_path(number)}{suffix}").content
            while body:
                assert body[:2] == b"\x00\x40"
                entries.append(body[2:66])
                body = body[66:]
        leaves = [merkle.leaf_hash(entry) for entry in entries]
        assert merkle.root_of(leaves) == head.root
        first = scene.client.get("/log/tile/0/000").content
        assert first == b"".join(leaves[:256])
        second = scene.client.get("/log/tile/1/000.p/2").content
        assert second == b"".join(
            merkle.root_of([LeafHash(leaf) for leaf in leaves[start : start + 256]])
            for start in (0, 256)
        )

    def test_an_earlier_width_of_a_tile_is_still_served(self, scene) -> None:
        scene = scene
        grow(scene, 10)
        early = scene.client.get("/log/tile/0/000.p/7").content
        grow(scene, 300)
        assert scene.client.get("/log/tile/0/000.p/7").content == early
        assert scene.client.get("/log/tile/0/000").content.startswith(early)

    @pytest.mark.parametrize(
        "path",
        [
            "0/000", "0/000.p/11", "0/000.p/0", "0/000.p/256", "0/000.p/010", "0/0", "0/x000/000",
            "0/001", "1/000.p/1", "9/000", "entries/000", "entries/000.p/11", "x/000",
            "0/000.p/1/", "0/../../etc",
        ],
    )  # fmt: skip
    def test_what_is_not_a_tile_of_this_log_is_not_found(self, scene, path) -> None:
        grow(scene, 10)
        assert scene.client.get(f"/log/tile/{path}").status_code in (400, 404)

    @pytest.mark.parametrize(
        ("number", "path"),
        [(0, "000"), (67, "067"), (1_000, "x001/000"), (1_234_067, "x001/x234/067")],
    )
    def test_numbers_are_written_in_groups_of_three(self, number, path) -> None:
        assert tile_path(number) == path

    def test_i1_tiles_hold_nothing_but_entries(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        name = "欧阳明月"
        sealed = scene.seal(physician.account, subject, enrolment, payload=name.encode())
        assert scene.submit(physician, sealed).status_code == 201
        size = scene.house.writer.head.size
        body = scene.client.get(f"/log/tile/entries/000.p/{size}").content
        assert len(body) == 66 * size
        for hidden in (
            name.encode(),
            sealed.manifest.value,
            subject.bytes,
            sealed.record.bytes,
        ):
            assert hidden not in body


class TestHealth:
    def test_about_status_and_health_are_for_everyone(self, scene) -> None:
        grow(scene, 3)
        assert scene.client.get("/healthz").json()["ok"] is True
        assert scene.client.get("/readyz").status_code == 200
        about = scene.client.get("/v1/about").json()
        assert (about["member"], about["origin"]) == (1, scene.house.origin)
        status = scene.client.get("/v1/status").json()
        assert status["sequenced"]["size"] == 3
        assert status["final"] == {"size": 0, "at": None}
        assert status["view"]["number"] == 10

    def test_a_halted_node_is_not_ready_and_says_why(self, scene) -> None:
        from xinglin_node.problems import StorageRefused

        scene.house.writer.halt(StorageRefused("9 entries", "a log of 3"))
        answer = scene.client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["expected 9 entries, got a log of 3"]
        status = scene.client.get("/v1/status").json()
        assert (status["sequencing"], status["halted"]) == (
            False,
            "expected 9 entries, got a log of 3",
        )
