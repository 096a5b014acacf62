"""A token-classification model of Hugging Face in the place of ours, made and saved here."""

import hashlib
import json
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner

from xinglin import canonical
from xinglin._cli.inference import run_again
from xinglin.errors import InferenceError, Unreachable
from xinglin.hashes import Digest
from xinglin.inference import output_digest, spans_of
from xinglin.methods import installed, model_digest
from xinglin.names import Salt
from xinglin.statement import Inference
from xinglin_ml.annotation import Span
from xinglin_ml.commands import app
from xinglin_ml.errors import ConfigurationError, WeightsError
from xinglin_ml.method import MODEL_VARIABLE, open_method

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from xinglin_ml.huggingface import (  # noqa: E402  torch is asked for above
    WINDOW,
    HuggingFaceMethod,
    pieces_to_spans,
)

PLAIN = "text/plain;charset=utf-8"

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

    def test_the_environment_puts_it_in_the_place_of_ours(
        self, saved: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # A node and `inference rerun` ask the library for what is installed, and nothing else.
        ours = installed()["xinglin-ner"]
        monkeypatch.setenv(MODEL_VARIABLE, str(saved))
        theirs = installed()["xinglin-ner"]
        assert theirs.manifest == open_method(str(saved)).manifest
        assert model_digest(theirs) != model_digest(ours)
        text = "头痛三天，无发热"
        assert spans_of(theirs(text)) == spans_of(open_method(str(saved))(text))

    def test_its_inference_is_run_again_and_compared(self, saved: Path) -> None:
        """I7."""
        method = open_method(str(saved))
        text, salt = "头痛三天，无发热。咳嗽" * 5, Salt(bytes(32))
        assert method(text)
        digest = output_digest(spans_of(method(text)), salt)
        claimed = Inference(
            record=UUID("00000000-0000-4000-8000-000000000001"),
            version=1,
            manifest=Digest.of(b"record"),
            model=Digest.of(method.manifest),
            code=method.code,
            runtime=method.runtime,
            parameters=dict(method.parameters),
            output=digest,
            result=Digest.of(b"output"),
            claimed_at=1,
        )
        payload = text.encode()
        assert run_again(claimed, method, payload, salt, media_type=PLAIN)
        with pytest.raises(InferenceError, match="another output"):
            run_again(claimed, method, payload[3:], salt, media_type=PLAIN)

    def test_the_command_reads_with_it(self, saved: Path, tmp_path: Path) -> None:
        source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        source.write_text(json.dumps({"id": 7, "text": "头痛三天，无发热。咳嗽"}) + "\n")
        arguments = ["--input", str(source), "--output", str(target), "--model", str(saved)]
        done = CliRunner().invoke(app, ["predict", *arguments])
        assert done.exit_code == 0, done.output
        (line,) = map(json.loads, target.read_text().splitlines())
        assert line["id"] == 7
        assert {s["label"] for s in line["spans"]} <= {"症状", "疾病"}
        assert line["spans"]

    def test_its_manifest_is_written_to_be_registered(self, saved: Path, tmp_path: Path) -> None:
        target = tmp_path / "manifest.json"
        done = CliRunner().invoke(
            app, ["manifest", "--model", str(saved), "--output", str(target), "--json"]
        )
        assert done.exit_code == 0, done.output
        assert target.read_bytes() == open_method(str(saved)).manifest
        digest = "sha256:" + hashlib.sha256(target.read_bytes()).hexdigest()
        assert json.loads(done.stdout)["model"] == digest

    def test_the_same_files_elsewhere_are_the_same_model(
        self, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """I7: another folder, and a later patch of the libraries, change nothing of it."""
        here = open_method(str(saved))
        shutil.copytree(saved, tmp_path / "other")
        real = metadata.version
        monkeypatch.setattr(metadata, "version", lambda name: real(name) + ".post1")
        elsewhere = open_method(str(tmp_path / "other"))
        assert elsewhere.manifest == here.manifest
        assert elsewhere.runtime == here.runtime

    @pytest.mark.parametrize("library", ["torch", "transformers"])
    def test_another_minor_version_is_the_same_model_on_another_runtime(
        self, saved: Path, monkeypatch: pytest.MonkeyPatch, library: str
    ) -> None:
        here, real = open_method(str(saved)), metadata.version
        monkeypatch.setattr(
            metadata, "version", lambda name: "99.9.0" if name == library else real(name)
        )
        later = open_method(str(saved))
        assert later.manifest == here.manifest
        assert later.runtime != here.runtime
        assert f"{library} 99.9" in later.runtime

    def test_other_weights_are_another_model(self, saved: Path, tmp_path: Path) -> None:
        # In a folder of the same name, so that nothing but the weights can differ.
        other = tmp_path / saved.name
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


class TestEveryCharacter:
    """A model over bytes that finds a span at every piece: what has no span was not read."""

    @pytest.fixture
    def save(self, tmp_path: Path) -> Callable[..., HuggingFaceMethod]:
        def saved(positions: int, longest: int | None) -> HuggingFaceMethod:
            import torch
            from tokenizers import Tokenizer, models, pre_tokenizers

            pieces = ["<s>", "<pad>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
            bytewise = Tokenizer(models.BPE({p: n for n, p in enumerate(pieces)}, []))
            bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            given = {} if longest is None else {"model_max_length": longest}
            transformers.PreTrainedTokenizerFast(
                tokenizer_object=bytewise, pad_token="<pad>", **given
            ).save_pretrained(tmp_path)
            config = transformers.RobertaConfig(
                vocab_size=len(pieces),
                hidden_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=64,
                max_position_embeddings=positions,
                id2label=dict(enumerate(LABELS)),
                label2id={n: i for i, n in enumerate(LABELS)},
            )
            model = transformers.RobertaForTokenClassification(config)
            with torch.no_grad():
                model.classifier.bias[LABELS.index("B-症状")] = 100
            model.save_pretrained(tmp_path)
            return HuggingFaceMethod(str(tmp_path))

        return saved

    @pytest.mark.parametrize("longest", [128, None])
    @pytest.mark.parametrize("text", ["痛𠮷😀" * WINDOW, "痛" * (2 * WINDOW) + "。", "a" * 300])
    def test_no_text_is_dropped_however_many_pieces_it_becomes(
        self, save: Callable[..., HuggingFaceMethod], text: str, longest: int | None
    ) -> None:
        spans = save(130, longest)(text)
        assert {(s.start, s.end) for s in spans} == {(i, i + 1) for i in range(len(text))}

    @pytest.mark.parametrize("positions", [WINDOW, WINDOW + 1, WINDOW + 2])
    def test_positions_that_are_counted_from_two_suffice(
        self, save: Callable[..., HuggingFaceMethod], positions: int
    ) -> None:
        assert len(save(positions, None)("a" * WINDOW)) == WINDOW

    def test_a_lone_surrogate_is_one_unknown_character(
        self, save: Callable[..., HuggingFaceMethod]
    ) -> None:
        method = save(130, None)
        assert method("头\ud83d痛\udc00") == method("头\ufffd痛\ufffd")
        assert {s.start for s in method("头\ud83d痛\udc00")} == {0, 1, 2, 3}

    def test_a_model_too_small_for_a_character_is_refused(
        self, save: Callable[..., HuggingFaceMethod]
    ) -> None:
        with pytest.raises(WeightsError, match="2 positions"):
            save(4, None)("痛")

    def test_an_empty_text_has_no_spans(self, save: Callable[..., HuggingFaceMethod]) -> None:
        assert save(130, None)("") == []


class TestScheme:
    def test_a_scheme_of_ours_is_refused(self, saved: Path) -> None:
        # The labels of such a model are its own: under another name they would be misread.
        with pytest.raises(ConfigurationError, match="expected no scheme"):
            open_method(str(saved), scheme="diagnostic")

    def test_the_command_refuses_it_and_says_what_was_used(
        self, saved: Path, tmp_path: Path
    ) -> None:
        source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        source.write_text(json.dumps({"id": 7, "text": "头痛三天"}) + "\n")
        arguments = ["predict", "--input", str(source), "--output", str(target), "--json"]
        arguments += ["--model", str(saved)]
        refused = CliRunner().invoke(app, [*arguments, "--scheme", "medical_qa"])
        assert isinstance(refused.exception, ConfigurationError)
        assert not target.exists()
        done = CliRunner().invoke(app, arguments)
        assert json.loads(done.stdout)["scheme"] == "native"


class TestNames:
    """What is named and not there is said to be so, and nothing waits for a network that is not."""

    @pytest.fixture(autouse=True)
    def offline(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    @pytest.mark.parametrize("name", ["/nowhere/model", "./model", "a/b/c", "../x"])
    def test_a_path_without_a_folder_is_no_name(self, name: str) -> None:
        with pytest.raises(ConfigurationError, match="expected a folder"):
            HuggingFaceMethod(name)

    def test_a_hub_name_without_a_network_says_what_to_do(self) -> None:
        with pytest.raises(Unreachable, match=r"does not answer.*name the folder"):
            open_method("some-owner/some-model")

    def test_a_name_that_the_hub_does_not_know_is_wrong_usage(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import huggingface_hub
        from huggingface_hub.errors import HFValidationError

        def refuse(name: str) -> str:
            raise HFValidationError(name)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
        with pytest.raises(ConfigurationError, match="no such model"):
            open_method("some-owner/some-model")


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
