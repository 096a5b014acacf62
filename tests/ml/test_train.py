"""Training: that it learns, that a killed run goes on, and what it writes of itself."""

import json
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from xinglin_ml.annotation import line_of  # noqa: E402  torch is asked for above
from xinglin_ml.configuration import load  # noqa: E402
from xinglin_ml.errors import ConfigurationError, WeightsError  # noqa: E402
from xinglin_ml.experiment import run  # noqa: E402
from xinglin_ml.export import export  # noqa: E402
from xinglin_ml.finished import reader_of, tagger_of  # noqa: E402
from xinglin_ml.predict import load_model  # noqa: E402
from xinglin_ml.pretrain import Pretraining, Run, _prepared, rate_at, save_whole  # noqa: E402
from xinglin_ml.teachers import chosen, mark, together  # noqa: E402
from xinglin_ml.train import Trainer, Training  # noqa: E402

CONFIGS = Path(__file__).parents[2] / "ml" / "xinglin_ml" / "configs"

PRETRAIN = """
kind = "pretrain"
name = "tiny"
seed = 1
[data]
modern = ["pretrain/modern.jsonl.xz"]
classical = ["pretrain/classical.jsonl.xz"]
train = ["ner/tcm_literature.train.jsonl"]
shares = { modern = 0.5, train = 0.25, classical = 0.25 }
characters = 200
bigrams = 50
held_out = 0.1
[shape]
width = 16
layers = 1
heads = 2
hidden = 32
bigram_width = 8
[masking]
share = 0.2
cohesion = 1.0
longest_word = 3
[optimiser]
sentences = 4
length = 16
tokens = 640
warm_up = 2
decay = 0.2
matrix_rate = 0.02
other_rate = 0.01
weight_decay = 0.0
average = 0.9
"""

TRAIN = """
kind = "train"
name = "tiny-run"
seed = 1
pretrained = "tiny"
epochs = 40
tokens = 128
encoder_rate = 3e-3
head_rate = 1e-2
validate = false
warm_up = 2
folds = 2
score = ["tcm_literature/dev/tcm_literature"]
[[corpora]]
name = "tcm_literature"
heads = ["tcm_literature", "diagnostic"]
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corpora of a few lines, written here, and a pre-training run over them."""
    import lzma

    root = tmp_path_factory.mktemp("tiny")
    (root / "ner").mkdir()
    (root / "pretrain").mkdir()
    lines = [
        {
            "id": f"a{i}",
            "text": f"{s}三天，{t}治之",
            "spans": [
                {"start": 0, "end": 2, "label": "临床表现"},
                {"start": 5, "end": 7, "label": "中药"},
            ],
        }
        for i, (s, t) in enumerate([("头痛", "川芎"), ("咳嗽", "杏仁"), ("便秘", "大黄")] * 6)
    ]
    for split in ("train", "dev"):
        (root / "ner" / f"tcm_literature.{split}.jsonl").write_text(
            "".join(json.dumps(x, ensure_ascii=False) + "\n" for x in lines)
        )
    for name in ("modern", "classical"):
        with lzma.open(root / "pretrain" / f"{name}.jsonl.xz", "wt") as sink:
            for x in lines * 3:
                sink.write(json.dumps({"text": x["text"] + "。"}) + "\n")
    (root / "pretrain.toml").write_text(PRETRAIN)
    (root / "train.toml").write_text(TRAIN)
    config, _ = load(root / "pretrain.toml", Pretraining)
    folder = root / "cache" / config.name
    folder.mkdir(parents=True)
    pretraining = Run(config, _prepared(config, root, folder), folder)
    for _ in range(4):
        pretraining.train_one()
    save_whole(pretraining.state(), folder / "state.pt")
    return root


@pytest.fixture(scope="module")
def teachers(tiny: Path) -> list[Path]:
    paths: list[Path] = []
    for seed in (1, 2):
        text = TRAIN.replace("tiny-run", f"teacher-{seed}").replace("seed = 1", f"seed = {seed}")
        (tiny / "teacher.toml").write_text(text.replace("seed = 1", f"seed = {seed}"))
        paths.append(run(tiny / "teacher.toml", data=tiny, cache=tiny / "cache"))
    return paths


class TestPretraining:
    def test_a_killed_run_goes_on_as_if_nothing_had_been(self, tiny: Path) -> None:
        config, _ = load(tiny / "pretrain.toml", Pretraining)
        folder = tiny / "cache" / config.name
        prepared = _prepared(config, tiny, folder)
        straight, broken = (Run(config, prepared, folder) for _ in range(2))
        straight.resume()
        assert straight.step == 4
        losses = [straight.train_one() for _ in range(3)]
        broken.resume()
        assert [broken.train_one() for _ in range(3)] == losses

    def test_the_rate_rises_stays_and_falls_to_nothing(self, tiny: Path) -> None:
        config, _ = load(tiny / "pretrain.toml", Pretraining)
        rates = [rate_at(s, 100, config.optimiser) for s in (0, 1, 50, 90, 100)]
        assert rates == [0.5, 1.0, 1.0, 0.5, 0.0]


class TestTraining:
    @pytest.mark.filterwarnings("default")  # The exporter of torch warns about itself.
    def test_a_run_learns_is_exported_and_says_what_it_was_made_from(self, tiny: Path) -> None:
        folder = run(tiny / "train.toml", data=tiny, cache=tiny / "cache")
        metrics = json.loads((folder / "metrics.json").read_text())
        one = metrics["tcm_literature/dev/tcm_literature"]
        assert one["strict"]["f1"] > 0.9
        assert one["strict_flat"] == one["seqeval_flat"]
        experiment = json.loads((folder / "experiment.json").read_text())
        assert experiment["configuration"].startswith("sha256:")
        assert "tcm_literature.train.jsonl" in experiment["data"]
        assert experiment["seeds"] == [1]
        assert (folder / "curve.png").stat().st_size > 1000

        export(folder, tiny / "shipped", name="tiny", version=1, card=None)
        text = "头痛三天，川芎治之"
        spans = load_model(tiny / "shipped").reader.read([text], "tcm_literature")[0]
        assert [s.key for s in spans] == [(0, 2, "临床表现"), (5, 7, "中药")]

    def test_a_killed_run_goes_on_as_if_nothing_had_been(self, tiny: Path) -> None:
        (tiny / "again.toml").write_text(TRAIN.replace("tiny-run", "again"))
        config, _ = load(tiny / "again.toml", Training)
        first = Trainer(config, tiny, tiny / "cache")
        batches = first._epoch(0)
        first.train_one(batches[0])
        save_whole(first.state(), first.folder / "state.pt")
        losses = [first.train_one(b) for b in batches[1:3]]
        second = Trainer(config, tiny, tiny / "cache")
        assert second.step == 1
        assert [second.train_one(b) for b in batches[1:3]] == losses

    def test_the_state_of_another_experiment_is_refused(self, tiny: Path) -> None:
        (tiny / "again.toml").write_text(
            TRAIN.replace("tiny-run", "again").replace("epochs = 40", "epochs = 2")
        )
        config, _ = load(tiny / "again.toml", Training)
        with pytest.raises(ConfigurationError, match="another experiment"):
            Trainer(config, tiny, tiny / "cache")


class TestTeachers:
    def test_one_teacher_says_what_its_run_says(self, teachers: list[Path]) -> None:
        alone, texts = together(teachers[:1]), ["头痛三天，川芎治之", "便秘三天，大黄治之"]
        model = reader_of(tagger_of(teachers[0]), alone.vocabulary, alone.lexicon)
        assert alone.read(texts, "tcm_literature") == model.read(texts, "tcm_literature")

    def test_texts_are_chosen_alike_whatever_their_order(self) -> None:
        texts = [f"第{n}句" for n in range(50)]
        some = list(chosen(texts, 30))
        assert some == list(chosen(texts[::-1], 30))
        assert 30 <= sum(map(len, some)) < 34

    def test_what_two_mark_trains_a_third_and_is_not_in_its_lexicon(
        self, tiny: Path, teachers: list[Path]
    ) -> None:
        shutil.rmtree(tiny / "cache" / "silver", ignore_errors=True)
        with pytest.raises(ConfigurationError, match="no marked texts"):
            self._taught(tiny)
        (tiny / "cache" / "silver").mkdir()
        texts = ["头痛三天，大黄治之", "腰酸三天，杜仲治之"]
        marked = list(mark(together(teachers), texts))
        assert [d.text for s, d in marked if s == "diagnostic"] == texts
        for scheme in ("tcm_literature", "diagnostic"):
            lines = "".join(f"{line_of(d)}\n" for s, d in marked if s == scheme)
            (tiny / "cache" / "silver" / f"{scheme}.jsonl").write_text(lines)
        assert any(d.surface(s) == "腰酸" for _, d in marked for s in d.spans)
        trainer = self._taught(tiny)
        assert len(trainer.windows) == 18 + 2
        assert "头痛" in trainer.lexicon.full.terms
        assert "腰酸" not in trainer.lexicon.full.terms

    def test_teachers_of_other_lexicons_are_refused(
        self, tmp_path: Path, teachers: list[Path]
    ) -> None:
        other = tmp_path / "other"
        shutil.copytree(teachers[1], other)
        (other / "lexicon.json").write_bytes(b"{}")
        with pytest.raises(WeightsError, match="lexicon"):
            together([teachers[0], other])

    def test_a_learner_follows_its_teachers_where_nothing_was_annotated(
        self, tiny: Path, teachers: list[Path]
    ) -> None:
        both = 'heads = ["tcm_literature", "diagnostic"]'
        assert both in TRAIN
        text = TRAIN.replace(both, 'heads = ["tcm_literature"]')
        (tiny / "cache" / "silver").mkdir(exist_ok=True)
        blank = {"id": "silver-0", "text": "今天很好", "spans": []}
        for scheme in ("tcm_literature", "diagnostic"):
            line = json.dumps(blank, ensure_ascii=False)
            (tiny / "cache" / "silver" / f"{scheme}.jsonl").write_text(f"{line}\n")
        silver = f'[[corpora]]\nname = "silver"\n{both}\n'
        found = []
        for name, more in (("alone", ""), ("led", 'teachers = ["teacher-1", "teacher-2"]\n')):
            config = more + text.replace("tiny-run", name) + silver
            (tiny / "led.toml").write_text(config)
            folder = run(tiny / "led.toml", data=tiny, cache=tiny / "cache")
            reader = together([folder])
            found.append([s.key for s in reader.read(["头痛三天，川芎治之"], "diagnostic")[0]])
        assert found == [[], [(0, 2, "症状"), (5, 7, "治疗")]]
        experiment = json.loads((folder / "experiment.json").read_text())
        assert sorted(experiment["teachers"]) == ["teacher-1", "teacher-2"]

    def test_teachers_of_another_lexicon_teach_nobody(
        self, tiny: Path, teachers: list[Path]
    ) -> None:
        text = 'teachers = ["teacher-1"]\n' + TRAIN.replace("tiny-run", "other-names")
        names = 'names = ["herb"]\n'
        (tiny / "other.toml").write_text(names + text)
        config, _ = load(tiny / "other.toml", Training)
        with pytest.raises(WeightsError, match="lexicon"):
            Trainer(config, tiny, tiny / "cache")

    def _taught(self, tiny: Path) -> Trainer:
        silver = '[[corpora]]\nname = "silver"\nheads = ["tcm_literature", "diagnostic"]\n'
        (tiny / "taught.toml").write_text(TRAIN.replace("tiny-run", "taught") + silver)
        return Trainer(load(tiny / "taught.toml", Training)[0], tiny, tiny / "cache")


class TestConfiguration:
    @pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda p: p.stem)
    def test_every_experiment_is_read(self, path: Path) -> None:
        kind = Pretraining if path.stem.startswith("pretrain") else Training
        config, _ = load(path, kind)
        assert config.name == path.stem

    @pytest.mark.parametrize(
        "change", [("seed = 1", ""), ("seed = 1", "seed = 1\nsed = 2"), ("seed = 1", 'seed = "1"')]
    )
    def test_a_field_missing_unknown_or_of_another_type_is_refused(
        self, tmp_path: Path, change: tuple[str, str]
    ) -> None:
        path = tmp_path / "c.toml"
        path.write_text(TRAIN.replace(*change))
        with pytest.raises(ConfigurationError):
            load(path, Training)
