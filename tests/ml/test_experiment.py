"""Experiments: their configuration files, the code they name, and what their scores count."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("torch")

from xinglin_ml import train
from xinglin_ml.annotation import Document, Span
from xinglin_ml.configuration import load
from xinglin_ml.errors import ConfigurationError
from xinglin_ml.examples import CorpusUse, Source
from xinglin_ml.experiment import metrics
from xinglin_ml.inputs import PRETRAINING_CODE, TRAINING_CODE
from xinglin_ml.method import code_digest
from xinglin_ml.recipe import Pretraining, Training
from xinglin_ml.train import Trainer

CONFIGS = Path(__file__).parents[2] / "ml" / "xinglin_ml" / "configs"


class TestScores:
    def test_labels_that_a_corpus_cannot_mark_are_no_errors(self) -> None:
        class Says:
            def read(self, texts: list[str], scheme: str) -> list[list[Span]]:
                return [[Span(0, 2, "症状"), Span(2, 4, "诊断"), Span(4, 6, "预防")] for _ in texts]

        document = Document("1", "头痛血瘀戒烟", (Span(0, 2, "症状"),))
        parts = {
            name: Source(CorpusUse(name, ("diagnostic",)), {"diagnostic": [document]})
            for name in ("medical_qa", "tcm_literature", "own_outpatient")
        }
        trainer = SimpleNamespace(
            reader=Says, sources=[], held_out=parts, config=SimpleNamespace(score=())
        )
        found = cast("dict[str, Any]", metrics(cast(Trainer, trainer)))
        precision = {k.split("/")[0]: v["strict"]["precision"] for k, v in found.items()}
        assert precision == {"medical_qa": 1.0, "tcm_literature": 0.5, "own_outpatient": 0.3333}


class TestCode:
    @pytest.mark.parametrize(
        ("module", "code"), [("train", TRAINING_CODE), ("pretrain", PRETRAINING_CODE)]
    )
    def test_every_module_that_decides_the_weights_is_digested(
        self, module: str, code: tuple[str, ...]
    ) -> None:
        text = Path(str(train.__file__)).with_name(f"{module}.py").read_text()
        imported = set(re.findall(r"^from xinglin_ml\.([a-z_.]+) import", text, re.M))
        aside = {"configuration", "errors", "inputs", "reading", "states"}
        files = {f"{name.replace('.', '/')}.py" for name in {module, *imported} - aside}
        assert len(files) > 4
        assert files <= set(code)
        assert code_digest(code) != code_digest(code[1:])


class TestConfiguration:
    @pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda p: p.stem)
    def test_every_experiment_is_read(self, path: Path) -> None:
        kind = Pretraining if path.stem.startswith("pretrain") else Training
        config, _ = load(path, kind)
        assert config.name == path.stem

    def test_settings_are_chosen_without_a_look_at_dev_or_test(self) -> None:
        config, _ = load(CONFIGS / "choose.toml", Training)
        assert config.validate
        assert config.score == ()

    @pytest.mark.parametrize(
        "change", [("seed = 1", ""), ("seed = 1", "seed = 1\nsed = 2"), ("seed = 1", 'seed = "1"')]
    )
    def test_a_field_missing_unknown_or_of_another_type_is_refused(
        self, tmp_path: Path, change: tuple[str, str]
    ) -> None:
        path = tmp_path / "c.toml"
        path.write_text((CONFIGS / "small-1.toml").read_text().replace(*change))
        with pytest.raises(ConfigurationError):
            load(path, Training)
