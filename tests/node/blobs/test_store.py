"""Blobs: small ones in the transaction, large ones synced, and nothing left of refused ones."""

import hashlib
import os

import pytest

from xinglin.hashes import Digest
from xinglin_node.blobs.files import FileStore, Spool
from xinglin_node.blobs.objects import ObjectStore
from xinglin_node.problems import NotFound, StorageRefused, TooLarge

LARGE = os.urandom(300_000)


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "blobs"), Spool(tmp_path / "blobs")


def keep(store, spool, data: bytes) -> Digest:
    digest = Digest.of(data)
    path, sink = spool.create()
    sink.write(data)
    spool.sync(sink)
    sink.close()
    store.keep(path, digest)
    return digest


class TestFileStore:
    def test_a_kept_blob_is_read_back_whole_and_in_parts(self, store) -> None:
        digest = keep(*store, LARGE)
        assert b"".join(store[0].read(digest, 0, len(LARGE))) == LARGE
        assert b"".join(store[0].read(digest, 100, 50)) == LARGE[100:150]

    def test_keeping_it_twice_is_harmless(self, store) -> None:
        assert keep(*store, LARGE) == keep(*store, LARGE)
        assert len(list(store[0].names())) == 1

    def test_i3_the_file_is_synced_before_its_name_and_the_folder_after(
        self, store, monkeypatch
    ) -> None:
        # A rename that reaches the disk before the bytes would name an empty blob.
        steps: list[str] = []
        real_fsync, real_replace = os.fsync, os.replace

        def fsync(handle: int) -> None:
            steps.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")
            real_fsync(handle)

        def replace(source: object, target: object) -> None:
            steps.append("rename")
            real_replace(source, target)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "replace", replace)
        keep(*store, LARGE)
        assert steps[0] == "file"
        assert steps[-2:] == ["rename", "folder"]

    def test_an_absent_blob_is_not_found_before_an_answer_begins(self, store) -> None:
        with pytest.raises(NotFound):
            store[0].read(Digest(bytes(32)), 0, 1)

    def test_a_blob_that_is_cut_short_on_disk_is_refused(self, store, tmp_path) -> None:
        digest = keep(*store, LARGE)
        name = digest.value.hex()
        path = tmp_path / "blobs" / name[:2] / name
        path.write_bytes(LARGE[:-1])
        with pytest.raises(StorageRefused, match="cut short"):
            list(store[0].read(digest, 0, len(LARGE)))

    def test_deleting_is_final_and_may_be_repeated(self, store) -> None:
        digest = keep(*store, LARGE)
        store[0].delete(digest)
        store[0].delete(digest)
        assert list(store[0].names()) == []

    def test_what_a_crash_left_on_the_way_in_is_removed_at_the_start(self, store, tmp_path) -> None:
        path, sink = store[1].create()
        sink.write(b"half")
        sink.close()
        Spool(tmp_path / "blobs")
        assert not path.exists()


class TestReceiving:
    @pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000])
    def test_the_digest_is_of_all_that_came_whatever_the_pieces(self, scene, size) -> None:
        data = os.urandom(size)
        receiving = scene.house.blobs.receive()
        for start in range(0, size, 7_001):
            receiving.feed(data[start : start + 7_001])
        received = receiving.finish()
        assert received.digest.value == hashlib.sha256(data).digest()
        assert (received.content is None) == (size > 65_536)
        assert received.size == size

    def test_over_the_limit_is_refused_at_once(self, tmp_path, run_node) -> None:
        with run_node(tmp_path / "node", max_record_bytes=70_000) as scene:
            receiving = scene.house.blobs.receive()
            receiving.feed(bytes(70_000))
            with pytest.raises(TooLarge):
                receiving.feed(b"x")
            spool = scene.house.settings.blob_folder / "incoming"
            assert list(spool.iterdir()) == []


class TestSweep:
    def test_a_blob_that_no_row_names_is_deleted_at_the_start(self, scene) -> None:
        # A crash between keeping the file and the transaction leaves such a one.
        scene = scene
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(physician.account, subject, enrolment, payload=bytes(100_000))
        assert scene.submit(physician, sealed).status_code == 201
        receiving = scene.house.blobs.receive()
        receiving.feed(LARGE)
        scene.house.blobs.keep(receiving.finish())
        assert scene.house.blobs.sweep() == 1
        assert scene.house.blobs.sweep() == 0
        fetched = scene.client.get(
            f"/v1/records/{sealed.record}/1/blob", headers=scene.sign_in(physician)
        )
        assert fetched.content == sealed.ciphertext


class TestObjectStore:
    def test_blobs_go_to_an_s3_compatible_service(self, tmp_path) -> None:
        server = pytest.importorskip("moto.server", reason="moto's server is not installed")
        boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
        running = server.ThreadedMotoServer(port=0)
        running.start()
        try:
            host, port = running.get_host_and_port()
            endpoint = f"http://{host}:{port}"
            client = boto3.client(
                "s3", endpoint_url=endpoint, region_name="us-east-1",
                aws_access_key_id="a", aws_secret_access_key="b",
            )  # fmt: skip
            client.create_bucket(Bucket="records")
            from xinglin_node.settings import NodeSettings

            settings = NodeSettings(
                folder=tmp_path, passphrase="x", network=tmp_path, member=1,
                public_url="http://h", s3_url="s3://records/blobs", s3_endpoint=endpoint,
                s3_access_key_id="a", s3_secret_access_key="b",
            )  # fmt: skip
            objects, spool = ObjectStore.from_settings(settings), Spool(tmp_path / "blobs")
            digest = keep(objects, spool, LARGE)
            assert b"".join(objects.read(digest, 10, 2_000)) == LARGE[10:2_010]
            assert list(objects.names()) == [digest]
            objects.delete(digest)
            with pytest.raises(NotFound):
                objects.read(digest, 0, 1)
        finally:
            running.stop()
