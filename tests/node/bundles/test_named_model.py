"""A node that is started with another model reads with it, and what it found runs again."""

import json
from pathlib import Path

import pytest

from xinglin.methods import installed, model_digest
from xinglin_ml.method import MODEL_VARIABLE

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

LABELS = ["O", "B-症状", "I-症状"]


def as_(name: str) -> tuple[str, ...]:
    return ("--keys", f"{name}.key", "--appointment", f"{name}.json")


ALICE = ("--keys", "alice.key", "--file", "patient.json")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A tiny random model of Hugging Face over single characters, in a folder."""
    import torch

    folder = tmp_path / "model"
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"头痛三天无发热，。咳嗽"]
    (folder / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, num_labels=len(LABELS), id2label=dict(enumerate(LABELS)),
        label2id={name: number for number, name in enumerate(LABELS)},
    )  # fmt: skip
    transformers.BertForTokenClassification(config).save_pretrained(folder)
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


class TestI7InferenceIsAccountable:
    def test_a_folder_that_the_environment_names_reads_and_runs_again(
        self, life, run, people, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(MODEL_VARIABLE, str(saved))
        life.house.parts.pop("methods", None)
        model = model_digest(installed()["xinglin-ner"])
        life.approve(model)
        number = run("subject", "register", *as_("desk"), "--out", "patient.json")["subject"]
        run("subject", "sign", "patient.json", "--keys", "alice.key", "--out", "signed.json")
        run("subject", "enrol", "patient.json", "--signed", "signed.json", *as_("desk"))
        (tmp_path / "note.txt").write_text("头痛三天，无发热。咳嗽" * 3)

        taken = run("record", "submit", "note.txt", *as_("doctor"), "--subject", number, "--intake")

        found = taken["inference"]
        assert found["model"] == model.text
        life.wait_for(
            lambda: all(one["state"] == "final" for one in run("record", "list", *ALICE)["records"])
        )
        run("inference", "bundle", found["index"], *ALICE, "--out", "one.xinglin.json")
        told = run("verify", "one.xinglin.json", "--type", "inference", "--approved-model")
        assert json.loads(told["statement"])["predicate"]["code"].startswith("xinglin_ml ")
        run("record", "open", found["result"], *ALICE, "--out", "output.json")
        assert json.loads((tmp_path / "output.json").read_text())["spans"]
        again = ("inference", "rerun", "one.xinglin.json", "--record", "note.txt", "--result",
                 "output.json")  # fmt: skip
        assert run(*again)["same"] is True

        # Where nobody names it, the model of the inference is not the one that is installed.
        monkeypatch.delenv(MODEL_VARIABLE)
        assert model.text in run(*again, code=1)["message"]
