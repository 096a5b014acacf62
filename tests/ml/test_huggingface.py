"""A token-classification model of Hugging Face in the place of ours, made and saved here."""

import hashlib
from pathlib import Path

import pytest

from xinglin import canonical
from xinglin_ml.annotation import Span
from xinglin_ml.errors import WeightsError
from xinglin_ml.method import open_method

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from xinglin_ml.huggingface import pieces_to_spans  # noqa: E402  torch is asked for above

LABELS = ["O", "B-症状", "I-症状", "B-疾病", "I-疾病"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model over single characters, as a user might have one."""
    import torch

    folder = tmp_path_factory.mktemp("hf")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"头痛三天无发热，。咳嗽"]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"))
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        num_labels=len(LABELS),
        id2label=dict(enumerate(LABELS)),
        label2id={n: i for i, n in enumerate(LABELS)},
    )
    transformers.BertForTokenClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class TestHuggingFaceMethod:
    def test_it_is_a_method_like_ours(self, saved: Path) -> None:
        method = open_method(str(saved))
        assert canonical.encode(canonical.decode(method.manifest)) == method.manifest
        text = "头痛三天，无发热。咳嗽" * 60
        spans = list(method(text))
        assert all(0 <= s.start < s.end <= len(text) for s in spans)
        assert {s.label for s in spans} <= {"症状", "疾病"}
        assert method.batch(["头痛", text])[1] == spans

    def test_other_weights_are_another_model(self, saved: Path, tmp_path: Path) -> None:
        import shutil

        other = tmp_path / "other"
        shutil.copytree(saved, other)
        weights = other / "model.safetensors"
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        weights.write_bytes(bytes(data))
        digests = {hashlib.sha256(open_method(str(f)).manifest).hexdigest() for f in (saved, other)}
        assert len(digests) == 2

    def test_a_folder_without_a_model_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError):
            open_method(str(tmp_path))


class TestPiecesToSpans:
    @pytest.mark.parametrize(
        ("tags", "expected"),
        [
            (["B-a", "I-a", "O", "B-a"], [(0, 2, "a"), (3, 4, "a")]),
            (["B-a", "B-a"], [(0, 1, "a"), (1, 2, "a")]),
            (["I-a", "I-b"], [(0, 1, "a"), (1, 2, "b")]),
            (["S-a", "E-a"], [(0, 1, "a"), (1, 2, "a")]),
            (["a", "a", "O"], [(0, 2, "a")]),
            (["O", "O"], []),
        ],
    )
    def test_each_way_of_writing_tags_is_read(
        self, tags: list[str], expected: list[tuple[int, int, str]]
    ) -> None:
        spans: list[Span] = pieces_to_spans((t, 0.5, i, i + 1) for i, t in enumerate(tags))
        assert [s.key for s in spans] == expected
