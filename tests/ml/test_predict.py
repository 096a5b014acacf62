"""The shipped model: what it reads, that it reads it alike everywhere, and its files."""

import hashlib
import json
import shutil
import subprocess
import sys
import weakref
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from xinglin import canonical
from xinglin_ml.annotation import Span
from xinglin_ml.errors import ConfigurationError, ManifestError, WeightsError
from xinglin_ml.evaluate import score
from xinglin_ml.examples import CorpusUse, read
from xinglin_ml.method import Method, NamedMethod, open_method
from xinglin_ml.method import load as shipped_method
from xinglin_ml.predict import LoadedModel, load_model, load_shipped, shipped_folder
from xinglin_ml.provenance import MANIFEST, ModelManifest
from xinglin_ml.schema import SCHEMES
from xinglin_ml.windows import windows

NOTE = "胃脘隐痛两月，舌淡，脉细弱。证属脾胃虚寒，治以温中健脾，予黄芪建中汤加减。"

TEXTS = [
    NOTE,
    "",
    "。",
    "头痛",
    NOTE * 9,
    "患者女，４５岁，反復頭痛😀\x00伴噁心𠮷嘔吐",
    "a" * 700,
    "\n\n",
    *(NOTE[i:] + "无发热，咳嗽痰黄" * (i % 5) for i in range(1, 25)),
]


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_model(shipped_folder())


def keys(found: list[list[Span]]) -> list[list[tuple[int, int, str]]]:
    return [[s.key for s in spans] for spans in found]


class TestReading:
    def test_a_note_is_read(self, model: LoadedModel) -> None:
        (spans,) = model.reader.read([NOTE], "diagnostic")
        found = {(NOTE[s.start : s.end], s.label) for s in spans}
        assert {("脉细弱", "症状"), ("脾胃虚寒", "诊断"), ("温中健脾", "治疗")} <= found

    @pytest.mark.parametrize("scheme", sorted(SCHEMES))
    def test_every_span_is_inside_its_text_ordered_flat_and_of_the_scheme(
        self, model: LoadedModel, scheme: str
    ) -> None:
        for text, spans in zip(TEXTS, model.reader.read(TEXTS, scheme), strict=True):
            end = 0
            for span in spans:
                assert end <= span.start < span.end <= len(text)
                assert span.label in SCHEMES[scheme].labels
                assert span.score is not None
                assert 0 <= span.score <= 1
                end = span.end

    def test_traditional_script_and_full_width_digits_give_the_same_offsets(
        self, model: LoadedModel
    ) -> None:
        simplified = "反复头痛3天，伴恶心呕吐，舌红，脉弦数"
        traditional = "反復頭痛３天，伴惡心嘔吐，舌紅，脈弦數"
        found = model.reader.read([simplified, traditional], "diagnostic")
        assert keys(found)[0] == keys(found)[1] != []


class TestSameEverywhere:
    """I7: an inference can be run again and gives the same spans."""

    def test_alone_and_in_a_batch_a_text_is_read_alike(self, model: LoadedModel) -> None:
        together = model.reader.read(TEXTS[:32], "diagnostic")
        alone = [model.reader.read([t], "diagnostic")[0] for t in TEXTS[:32]]
        assert together == alone

    def test_one_thread_and_two_read_alike(self, model: LoadedModel) -> None:
        two = load_model(shipped_folder(), threads=2)
        assert two.reader.read(TEXTS, "diagnostic") == model.reader.read(TEXTS, "diagnostic")

    def test_the_length_of_a_neighbour_changes_nothing(self, model: LoadedModel) -> None:
        # Padding a batch to its longest text would let a neighbour move a score.
        scores = [model.reader._score(NOTE) for _ in range(2)]
        assert all((scores[0][n] == scores[1][n]).all() for n in scores[0])
        short = model.reader.read([NOTE, "痛"], "diagnostic")[0]
        assert short == model.reader.read([NOTE, NOTE * 20], "diagnostic")[0]


class TestLongTexts:
    def test_scores_of_few_windows_are_held_and_the_spans_are_those_of_the_parts(
        self, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # All at once they are 524 bytes a character: half a gigabyte for a million of them.
        alive, most = 0, 0
        whole = model.reader.scorer

        def gone() -> None:
            nonlocal alive
            alive -= 1

        def scorer(*given: Any) -> Any:
            nonlocal alive, most
            scores = whole(*given)
            alive += 1
            most = max(most, alive)
            weakref.finalize(next(iter(scores.values())), gone)
            return scores

        part = NOTE * 9  # whole sentences: the cuts are the same in company
        text = part * 4
        apart = [
            replace(s, start=s.start + n * len(part), end=s.end + n * len(part))
            for n in range(4)
            for s in model.reader.read([part], "diagnostic")[0]
        ]
        monkeypatch.setattr("xinglin_ml.reading.READ_TOGETHER", 4)
        found = replace(model.reader, scorer=scorer).read([text], "diagnostic")[0]
        assert len(windows(text)) > 12
        assert most == 4
        assert [s.key for s in found] == [s.key for s in apart] != []


class TestMethod:
    def test_the_entry_point_gives_a_method(self) -> None:
        (point,) = [p for p in entry_points(group="xinglin.methods") if p.name == "xinglin-ner"]
        method: NamedMethod = point.load()()
        assert canonical.encode(canonical.decode(method.manifest)) == method.manifest
        assert method.parameters["scheme"] == "diagnostic"
        assert method.runtime.startswith("onnxruntime ")
        assert method.code
        assert [s.key for s in method(NOTE)] == keys(method.batch([NOTE, NOTE]))[1]

    def test_the_digest_of_the_manifest_is_that_of_the_file(self) -> None:
        data = (shipped_folder() / MANIFEST).read_bytes()
        assert hashlib.sha256(data).digest() == hashlib.sha256(shipped_method().manifest).digest()

    def test_a_scheme_that_the_model_has_not_is_refused(self, model: LoadedModel) -> None:
        with pytest.raises(ConfigurationError, match="diagnostic"):
            Method(model, "package_insert")

    def test_reading_imports_no_torch(self) -> None:
        program = (
            "import sys; from xinglin_ml.method import load; load()('头痛');"
            "sys.exit('torch' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


class TestScores:
    FLOOR = 0.721
    """Strict F1 of an untuned character CRF, which was published with the corpus."""

    def test_the_model_that_ships_is_above_the_floor_in_the_native_labels(
        self, model: LoadedModel, shared: Path
    ) -> None:
        name = "tcm_literature"
        dev = read(CorpusUse(name, (name,)), shared / "data", "dev").by_head[name]
        predicted = model.reader.read([one.text for one in dev], name)
        assert score([one.spans for one in dev], predicted).f1 > self.FLOOR


class TestFiles:
    def test_the_model_that_ships_is_small(self) -> None:
        total = sum(p.stat().st_size for p in shipped_folder().iterdir())
        assert total <= 16 * 2**20

    def test_the_manifest_is_read_as_it_was_written(self) -> None:
        data = (shipped_folder() / MANIFEST).read_bytes()
        assert ModelManifest.from_bytes(data).to_bytes() == data

    @pytest.mark.parametrize("name", ["model.onnx", "lexicon.json", "vocabulary.json"])
    def test_an_altered_file_is_refused(self, tmp_path: Path, name: str) -> None:
        folder = tmp_path / "model"
        shutil.copytree(shipped_folder(), folder)
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(bytes(data))
        with pytest.raises(WeightsError, match=name):
            load_model(folder)

    def test_a_missing_file_is_refused(self, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        shutil.copytree(shipped_folder(), folder)
        (folder / "lexicon.json").unlink()
        with pytest.raises(WeightsError, match="missing"):
            load_model(folder)

    @pytest.mark.parametrize(
        "name", ["model.onnx", "vocabulary.json", "lexicon.json", "decoding.json"]
    )
    def test_a_file_that_reads_and_is_in_no_manifest_is_refused(
        self, tmp_path: Path, name: str
    ) -> None:
        """I7: the digest that hospitals approve binds all that decides the spans."""
        folder = tmp_path / "model"
        shutil.copytree(shipped_folder(), folder)
        manifest = json.loads((folder / MANIFEST).read_bytes())
        del manifest["files"][name]
        (folder / MANIFEST).write_bytes(canonical.encode(manifest))
        with pytest.raises(WeightsError, match=f"{name} is not in the manifest"):
            load_model(folder)
        (folder / name).unlink()
        with pytest.raises(WeightsError, match=f"expected {name} in the manifest"):
            load_model(folder)

    def test_a_file_beside_the_listed_ones_is_refused(self, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        shutil.copytree(shipped_folder(), folder)
        (folder / "weights.bin").write_bytes(b"1")
        with pytest.raises(WeightsError, match=r"weights\.bin is not in the manifest"):
            load_model(folder)

    def test_weights_that_are_not_installed_are_asked_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "xinglin_weights", None)
        with pytest.raises(WeightsError, match="pip install"):
            load_shipped()

    def test_a_model_that_does_not_ship_is_named(self) -> None:
        with pytest.raises(WeightsError, match="no model xinglin-large"):
            load_shipped("xinglin-large")

    def test_a_name_that_leaves_the_folder_is_refused(self, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        shutil.copytree(shipped_folder(), folder)
        manifest = json.loads((folder / MANIFEST).read_bytes())
        manifest["files"]["../outside"] = manifest["files"].pop("model.onnx")
        (folder / MANIFEST).write_bytes(canonical.encode(manifest))
        with pytest.raises(WeightsError, match="plain names"):
            load_model(folder)

    @pytest.mark.parametrize("data", [b"", b"{}", b'{"format":"xinglin.model/1"}', b'{"a": 1}'])
    def test_another_manifest_is_refused(self, data: bytes) -> None:
        with pytest.raises(ManifestError):
            ModelManifest.from_bytes(data)

    def test_open_method_takes_a_folder(self, tmp_path: Path) -> None:
        folder = tmp_path / "mine"
        shutil.copytree(shipped_folder(), folder)
        assert open_method(str(folder), scheme="medical_qa")("头痛怎么办")
