"""Training: that it learns, that a killed run goes on, and what it writes of itself."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from xinglin.hashes import Digest  # noqa: E402  torch is asked for above
from xinglin_ml import train  # noqa: E402
from xinglin_ml.annotation import line_of  # noqa: E402
from xinglin_ml.configuration import load  # noqa: E402
from xinglin_ml.errors import ConfigurationError, WeightsError  # noqa: E402
from xinglin_ml.experiment import run  # noqa: E402
from xinglin_ml.finished import reader_of, tagger_of  # noqa: E402
from xinglin_ml.inputs import of_training  # noqa: E402
from xinglin_ml.optimiser import Average  # noqa: E402
from xinglin_ml.predict import load_model  # noqa: E402
from xinglin_ml.pretrain import Run, _prepared, rate_at  # noqa: E402
from xinglin_ml.recipe import Pretraining, Training  # noqa: E402
from xinglin_ml.states import save_whole  # noqa: E402
from xinglin_ml.teachers import chosen, mark, together  # noqa: E402
from xinglin_ml.train import Trainer  # noqa: E402

MEMBERS = {
    *("configuration", "recipe", "code", "seeds", "libraries", "data", "scored"),
    *("vocabulary", "pretrained", "initial", "teachers"),
}
"""What a run says of itself, and nothing else."""

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


def run_alone(configuration: Path, root: Path) -> Path:
    """Run without the export of the model, which takes longest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xinglin_ml.experiment.export", lambda *_, **__: None)
        return run(configuration, data=root, cache=root / "cache")


def require_equal_averages(one: Average, other: Average) -> None:
    """Ask the same of the averaged weights, which ship, as of the losses."""
    assert one.steps == other.steps
    assert one.weights.keys() == other.weights.keys()
    assert all(torch.equal(one.weights[k], other.weights[k]) for k in one.weights)


@pytest.fixture(scope="module")
def teachers(tiny: Path) -> list[Path]:
    paths: list[Path] = []
    for seed in (1, 2):
        text = TRAIN.replace("tiny-run", f"teacher-{seed}").replace("seed = 1", f"seed = {seed}")
        (tiny / "teacher.toml").write_text(text.replace("seed = 1", f"seed = {seed}"))
        paths.append(run_alone(tiny / "teacher.toml", tiny))
    return paths


class TestPretraining:
    def test_a_killed_run_goes_on_as_if_nothing_had_been(self, tiny: Path) -> None:
        config, _ = load(tiny / "pretrain.toml", Pretraining)
        folder = tiny / "cache" / config.name
        prepared = _prepared(config, tiny, folder)
        straight, broken = (Run(config, prepared, folder) for _ in range(2))
        straight.resume()
        assert straight.step == straight.average.steps == 4
        kept = torch.load(folder / "state.pt", weights_only=True)["average"]
        assert all(torch.equal(straight.average.weights[k], kept[k]) for k in kept)
        losses = [straight.train_one() for _ in range(3)]
        broken.resume()
        assert [broken.train_one() for _ in range(3)] == losses
        require_equal_averages(broken.average, straight.average)

    def test_neither_corpora_nor_state_of_another_run_are_taken(
        self, tiny: Path, tmp_path: Path
    ) -> None:
        config, _ = load(tiny / "pretrain.toml", Pretraining)
        folder = tiny / "cache" / config.name
        with pytest.raises(
            ConfigurationError, match=r"another experiment \(recipe, seeds changed\)"
        ):
            _prepared(replace(config, seed=2), tiny, folder)
        shutil.copytree(tiny / "ner", tmp_path / "ner")
        shutil.copytree(tiny / "pretrain", tmp_path / "pretrain")
        file = tmp_path / "ner" / "tcm_literature.train.jsonl"
        file.write_text(file.read_text().replace("川芎", "白芷", 1))
        with pytest.raises(ConfigurationError, match=r"another experiment \(data changed\)"):
            _prepared(config, tmp_path, folder)
        prepared = _prepared(config, tiny, folder)
        other = Run(config, replace(prepared, made_from={"data": {}}), folder)
        with pytest.raises(ConfigurationError, match="another experiment"):
            other.resume()

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
        assert set(experiment) == MEMBERS
        assert set(experiment["data"]) == {"ner/tcm_literature.train.jsonl"}
        assert set(experiment["scored"]) == {"ner/tcm_literature.dev.jsonl"}
        assert experiment["seeds"] == [1]
        pretrained = experiment["pretrained"]
        state = (tiny / "cache" / "tiny" / "state.pt").read_bytes()
        assert (pretrained["name"], pretrained["steps"]) == ("tiny", 4)
        assert pretrained["digest"] == Digest.of(state).text
        assert "pretrain/modern.jsonl.xz" in pretrained["made_from"]["data"]
        assert (folder / "curve.png").stat().st_size > 1000

        text = "头痛三天，川芎治之"
        model = load_model(folder / "model")
        assert model.manifest.training == experiment
        spans = model.reader.read([text], "tcm_literature")[0]
        assert [s.key for s in spans] == [(0, 2, "临床表现"), (5, 7, "中药")]

    def test_a_killed_run_goes_on_as_if_nothing_had_been(self, tiny: Path) -> None:
        (tiny / "again.toml").write_text(TRAIN.replace("tiny-run", "again"))
        config, _ = load(tiny / "again.toml", Training)
        first = Trainer(config, tiny, tiny / "cache")
        batches = first._epoch(0)
        first.train_one(batches[0])
        save_whole(first.state(), first.folder / "state.pt")
        losses = [first.train_one(b) for b in batches[1:3]]
        curve = first.folder / "curve.jsonl"
        curve.write_text('{"step": 1}\n{"step": 2}\n{"st')
        second = Trainer(config, tiny, tiny / "cache")
        assert second.step == 1
        assert curve.read_text() == '{"step": 1}\n'  # It writes the others again.
        assert [second.train_one(b) for b in batches[1:3]] == losses
        require_equal_averages(second.average, first.average)

    @pytest.mark.parametrize(
        ("changed", "named"),
        [
            (("epochs = 40", "epochs = 2"), "recipe"),
            (("seed = 1", "seed = 2"), "recipe, seeds"),
            (("head_rate = 1e-2", "head_rate = 2e-2"), "recipe"),
        ],
    )
    def test_the_state_of_another_experiment_is_refused(
        self, tiny: Path, changed: tuple[str, str], named: str
    ) -> None:
        text = TRAIN.replace("tiny-run", "other")
        self._begun(tiny, text)
        (tiny / "other.toml").write_text(text.replace(*changed))
        config, _ = load(tiny / "other.toml", Training)
        with pytest.raises(ConfigurationError, match=rf"another experiment \({named} changed\)"):
            Trainer(config, tiny, tiny / "cache")

    def test_a_run_does_not_go_on_over_changed_data(self, tiny: Path, tmp_path: Path) -> None:
        trainer = self._begun(tiny, TRAIN.replace("tiny-run", "other"))
        shutil.copytree(tiny / "ner", tmp_path / "ner")
        file = tmp_path / "ner" / "tcm_literature.train.jsonl"
        file.write_text(file.read_text().replace("川芎", "白芷", 1))
        with pytest.raises(ConfigurationError, match=r"another experiment \(data changed\)"):
            Trainer(trainer.config, tmp_path, tiny / "cache")

    def test_a_state_from_before_it_said_what_it_was_made_from_is_gone_on_with(
        self, tiny: Path
    ) -> None:
        trainer = self._begun(tiny, TRAIN.replace("tiny-run", "older"))
        state = {k: v for k, v in trainer.state().items() if k != "made_from"}
        save_whole(state | {"step": 3}, trainer.folder / "state.pt")
        assert Trainer(trainer.config, tiny, tiny / "cache").step == 3
        tagger_of(trainer.folder)

    def test_what_is_held_out_to_choose_settings_trains_nothing(
        self, tiny: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(train, "VALIDATION_PARTS", 2)
        text = TRAIN.replace("tiny-run", "choosing").replace("validate = false", "validate = true")
        (tiny / "choosing.toml").write_text(text)
        config, _ = load(tiny / "choosing.toml", Training)
        trainer = Trainer(config, tiny, tiny / "cache")
        kept, aside = trainer.sources[0], trainer.held_out["tcm_literature"]
        for head in ("tcm_literature", "diagnostic"):
            ids = [{d.id for d in source.by_head[head]} for source in (kept, aside)]
            assert not ids[0] & ids[1]
            assert len(ids[0] | ids[1]) == 18
            assert ids[1] == {f"a{i}" for i in range(7, 14)}
        assert len(trainer.windows) == 11

    def _begun(self, tiny: Path, text: str) -> Trainer:
        (tiny / "other.toml").write_text(text)
        config, _ = load(tiny / "other.toml", Training)
        shutil.rmtree(tiny / "cache" / config.name, ignore_errors=True)
        trainer = Trainer(config, tiny, tiny / "cache")
        save_whole(trainer.state(), trainer.folder / "state.pt")
        return trainer


class TestInputs:
    def test_every_file_that_is_used_is_named_and_no_other(self, tiny: Path) -> None:
        text = 'names = ["prevention"]\nfrom_scratch = true\n' + TRAIN.replace(
            "[[corpora]]",
            '[[corpora]]\nname = "own_prevention"\nheads = ["diagnostic"]\n[[corpora]]',
        )
        (tiny / "inputs.toml").write_text(text)
        config, _ = load(tiny / "inputs.toml", Training)
        made = of_training(config, tiny, tiny / "cache", {"step": 4})
        assert {*made, "configuration"} == MEMBERS
        assert isinstance(made["data"], dict)
        assert set(made["data"]) == {
            "ner/tcm_literature.train.jsonl",
            "own/prevention.txt",
            "names/prevention.txt",
        }
        assert made["pretrained"] is None
        led = replace(config, initial="tiny", teachers=("tiny",))
        more = of_training(led, tiny, tiny / "cache", {"step": 4})
        state = Digest.of((tiny / "cache" / "tiny" / "state.pt").read_bytes()).text
        assert more["initial"] == {"name": "tiny", "digest": state}
        assert more["teachers"] == {"tiny": state}


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
            folder = run_alone(tiny / "led.toml", tiny)
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
