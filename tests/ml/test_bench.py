"""What the benchmark of reading prints: sizes, losses and times of what they say they are of."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xinglin_ml import silver
from xinglin_ml.annotation import Document, Span
from xinglin_ml.predict import LoadedModel, load_shipped, shipped_folder
from xinglin_ml.provenance import LEXICON, VOCABULARY

PATH = Path(__file__).parents[1] / "benchmarks" / "ml_bench.py"


@pytest.fixture(scope="module")
def bench() -> Any:
    specification = importlib.util.spec_from_file_location("ml_bench", PATH)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_shipped()


@pytest.fixture
def run(tmp_path: Path, model: LoadedModel) -> Path:
    """The folder of a run that says of itself what the shipped manifest says, without a graph."""
    folder = tmp_path / "cache" / "run"
    folder.mkdir(parents=True)
    (folder / "experiment.json").write_text(json.dumps(dict(model.manifest.training)))
    for name in (VOCABULARY, LEXICON):
        (folder / name).write_bytes((shipped_folder() / name).read_bytes())
    return folder


class TestSize:
    def test_every_byte_that_ships_counts_beside_the_limit(self, bench: Any) -> None:
        sizes = [p.stat().st_size for p in shipped_folder().iterdir()]
        assert len(sizes) == 6
        assert bench.size_megabytes(shipped_folder()) == sum(sizes) / 1e6 < bench.LIMIT_MEGABYTES


class TestLoad:
    def test_each_round_is_a_process_of_its_own_that_reads(
        self, bench: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended: list[Any] = []
        run = subprocess.run

        def record(words: Any, **given: Any) -> Any:
            ended.append(run(words, **given))
            return ended[-1]

        monkeypatch.setattr(subprocess, "run", record)
        assert bench.fresh_load_seconds(2) > 0
        assert [one.returncode for one in ended] == [0, 0]
        assert {one.args[0] for one in ended} == {sys.executable}

    def test_a_process_that_reads_nothing_is_no_time(
        self, bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "xinglin_ml.py").write_text("raise ImportError")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        with pytest.raises(subprocess.CalledProcessError):
            bench.fresh_load_seconds(1)


class TestLossOfEightBits:
    def loss(
        self, bench: Any, model: LoadedModel, cache: Path, given: Path | None = None
    ) -> dict[str, Any]:
        found: dict[str, Any] = bench.int8_loss(model, given, cache, cache)
        return found

    @pytest.fixture
    def scored(self, bench: Any, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
        """The graphs that are scored, in place of scoring them."""
        graphs: list[Path] = []

        def cost(reader: Any, whole: Path, data: Path) -> dict[str, float]:
            graphs.append(whole)
            return {"tcm_literature": 0.06}

        monkeypatch.setattr(bench, "int8_cost", cost)
        return graphs

    def test_without_the_model_in_float32_it_is_said_not_to_be_measured(
        self, bench: Any, model: LoadedModel, run: Path, scored: list[Path]
    ) -> None:
        (figure,) = self.loss(bench, model, run.parent).items()
        assert figure[0] == "int8_loss_points"
        assert figure[1].startswith("not measured: no float32 file")
        assert bench.shown(figure[1]) == figure[1]
        assert not scored

    def test_without_corpora_it_is_said_not_to_be_measured(
        self, bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XINGLIN_SHARED", str(tmp_path))
        monkeypatch.setattr(bench, "ours", lambda rounds: {"megabytes": 1.0})
        (found,) = bench.measure(5, 1, None).values()
        assert found["int8_loss_points"] == "not measured: no corpora to score on"

    def test_the_file_of_the_run_that_made_the_model_is_scored(
        self, bench: Any, model: LoadedModel, run: Path, scored: list[Path]
    ) -> None:
        (run / "model.float32.onnx").write_bytes(b"graph")
        assert self.loss(bench, model, run.parent) == {"int8_loss_points_tcm_literature": 0.06}
        assert scored == [run / "model.float32.onnx"]

    @pytest.mark.parametrize("name", ["experiment.json", VOCABULARY, LEXICON])
    def test_the_file_of_another_run_is_not(
        self, bench: Any, model: LoadedModel, run: Path, scored: list[Path], name: str
    ) -> None:
        # Another seed's weights in float32 would give a loss that eight bits did not cost.
        (run / "model.float32.onnx").write_bytes(b"graph")
        (run / name).write_bytes(b"{}")
        assert set(self.loss(bench, model, run.parent)) == {"int8_loss_points"}
        assert not scored

    def test_a_file_that_is_given_is_scored(
        self, bench: Any, model: LoadedModel, tmp_path: Path, scored: list[Path]
    ) -> None:
        self.loss(bench, model, tmp_path, tmp_path / "given.onnx")
        assert scored == [tmp_path / "given.onnx"]

    def test_it_is_made_where_only_the_state_of_the_run_was_kept(
        self,
        bench: Any,
        model: LoadedModel,
        run: Path,
        scored: list[Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        pytest.importorskip("torch")
        pytest.importorskip("onnx")
        # That the exporter writes a graph is a test of the exporter; it takes half a minute.
        monkeypatch.setattr("xinglin_ml.finished.tagger_of", lambda folder: folder)
        monkeypatch.setattr(
            "xinglin_ml.export.to_float_onnx",
            lambda made, path: path.write_bytes(made.name.encode()),
        )
        (run / "state.pt").write_bytes(b"state")
        assert self.loss(bench, model, run.parent) == {"int8_loss_points_tcm_literature": 0.06}
        (graph,) = scored
        assert graph.parent != run
        assert not graph.exists(), "what was made for the measurement is not left behind"


class TestDictionary:
    def test_the_automaton_is_built_once_and_not_in_the_timing(
        self, bench: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        built: list[float] = []
        timed: list[Callable[[], object]] = []
        make = silver.ahocorasick.Automaton

        def count() -> Any:
            built.append(1)
            return make()

        def time(work: Callable[[], object], rounds: int) -> float:
            timed.append(work)
            before = len(built)
            for _ in range(rounds):
                work()
            assert len(built) == before, "the peer pays for its automaton in each round"
            return 1.0

        monkeypatch.setattr(silver.ahocorasick, "Automaton", count)
        monkeypatch.setattr(bench, "median_seconds", time)
        gold = [Document("1", "胃脘隐痛", (Span(0, 4, "症状"),)), Document("2", "脉细弱", ())]
        found = bench.dictionary(gold, gold, 5)
        assert len(built) == len(timed) == 1
        assert found["strict_f1"] == 1.0
