"""Exported networks answer other programs just as `predict` answers a person."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from automl_gpt.cards.errors import ToolError, UserError
from automl_gpt.cards.library import model_cards
from automl_gpt.cards.schema import DataCard
from automl_gpt.tools.base import Context
from automl_gpt.tools.deliver import network as networks
from automl_gpt.tools.deliver.bundle import Manifest, hashes, load_bundle
from automl_gpt.tools.deliver.tool_export import export, export_network
from tests.tools.finished_examples import examples_run, review_card, reviews, squad, tagged
from tests.tools.finished_run import FinishedRun

SMALL: dict[str, Any] = {"hidden_size": 64, "layers": 1, "vocabulary": 200, "learning_rate": 0.005}


def settings(model: str, **more: Any) -> dict[str, Any]:
    return {**model_cards()[model].default(), "epochs": 6, "batch_size": 8, **more}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="module")
def moods(place: Path) -> FinishedRun:
    card = review_card(place / "reviews", license="CC-BY-4.0", name="Moods of reviews")
    return examples_run(place / "moods", card, ("text_scratch", settings("text_scratch", **SMALL, max_length=32)))


@pytest.fixture(scope="module")
def greys(place: Path) -> FinishedRun:
    """Grey pictures, dark or bright, so that the network has one channel."""
    for name, light in (("bright", 190), ("dark", 40)):
        (place / "grey" / name).mkdir(parents=True)
        for i in range(16):
            pixels = np.random.default_rng(i).integers(light - 30, light + 30, (20, 24)).astype(np.uint8)
            Image.fromarray(pixels).save(place / "grey" / name / f"{i}.png")
    card = DataCard(modality="image", source=str(place / "grey"))
    more = {"width": 8, "blocks": 1, "stages": 2, "image_size": 32, "learning_rate": 0.01}
    return examples_run(place / "greys", card, ("resnet_small", settings("resnet_small", **more)))


def front_matter(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---")[1])


class Journal:
    """Knows one run."""

    def __init__(self, run: FinishedRun) -> None:
        self.run = run

    def find(self, name: str) -> str:
        if name != self.run.state.run:
            raise UserError("no such run")
        return name

    def state(self, _: str) -> Any:
        return self.run.state


def test_a_pipeline_of_transformers_says_the_same_labels_of_texts(moods: FinishedRun, tmp_path: Path) -> None:
    from transformers import pipeline

    done = export_network(moods.folder / "model", tmp_path / "out", "hf")
    assert done.notes == ()
    fresh = reviews(20, seed=9)
    ours = load_bundle(moods.folder).predict(fresh)
    theirs: Any = pipeline("text-classification", model=str(done.out))(fresh["review"].tolist(), truncation=True)
    assert set(ours["prediction"]) == {"good", "bad"}
    assert [one["label"] for one in theirs] == ours["prediction"].tolist()
    best = ours[["probability_bad", "probability_good"]].max(axis=1).to_numpy()
    assert np.array([one["score"] for one in theirs]) == pytest.approx(best, abs=1e-5)
    names = {path.name for path in done.out.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= names
    assert "about.json" not in names


def test_the_model_card_tells_hub_and_people_what_is_known(moods: FinishedRun, tmp_path: Path) -> None:
    known: Any = Journal(moods)
    told = front_matter(export_network(moods.folder / "model", tmp_path / "known", "hf", known).out)
    assert (told["pipeline_tag"], told["library_name"]) == ("text-classification", "transformers")
    assert told["license"] == "apache-2.0"
    [index] = told["model-index"]
    scores = {one["dataset"]["split"]: one["metrics"][0]["value"] for one in index["results"]}
    assert moods.state.test is not None
    assert scores["test"] == pytest.approx(moods.state.test.value, abs=1e-6)
    assert scores["validation"] == pytest.approx(moods.state.trials[1].value, abs=1e-6)
    assert index["results"][0]["dataset"]["name"] == "Moods of reviews"
    alone = front_matter(export_network(moods.folder / "model", tmp_path / "alone", "hf").out)
    assert "model-index" not in alone
    assert "license" not in alone


def test_weights_of_the_hub_are_named_and_other_licences_go_by_their_name(
    moods: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_so = {"source": "hub:someone/small-bert", "license": "My Own: 1"}
    card = model_cards()["text_scratch"].model_copy(update=told_so)
    changed = moods.state.started.model_copy(update={"model_cards": (card,)})
    monkeypatch.setattr(moods.state, "started", changed)
    known: Any = Journal(moods)
    told = front_matter(export_network(moods.folder / "model", tmp_path / "out", "hf", known).out)
    assert told["base_model"] == "someone/small-bert"
    assert (told["license"], told["license_name"]) == ("other", "my-own-1")


def test_a_network_of_grey_pictures_takes_colour_and_says_the_same(greys: FinishedRun, tmp_path: Path) -> None:
    from transformers import pipeline

    done = export_network(greys.folder / "model", tmp_path / "out", "hf")
    assert json.loads((done.out / "config.json").read_text())["num_channels"] == 3
    files = sorted((Path(str(greys.state.data_card.source))).rglob("*.png"))
    ours = load_bundle(greys.folder).predict(pd.DataFrame({"image": list(map(str, files))}))
    theirs: Any = pipeline("image-classification", model=str(done.out))(list(map(str, files)))
    assert [one[0]["label"] for one in theirs] == ours["prediction"].tolist()
    assert len(set(ours["prediction"])) == 2
    best = ours[["probability_bright", "probability_dark"]].max(axis=1).to_numpy()
    assert np.array([one[0]["score"] for one in theirs]) == pytest.approx(best, abs=1e-4)


def test_values_come_out_in_the_targets_own_unit(place: Path, tmp_path: Path) -> None:
    from transformers import pipeline

    card = review_card(tmp_path, "points", task="regression")
    run = examples_run(
        tmp_path / "run", card, ("text_scratch", settings("text_scratch", max_length=32, **SMALL)), metric="rmse"
    )
    out = export_network(run.folder / "model", tmp_path / "out", "hf").out
    texts = reviews(10, seed=5)
    ours = load_bundle(run.folder).predict(texts)["prediction"].to_numpy()
    theirs: Any = pipeline("text-classification", model=str(out))(texts["review"].tolist())
    assert np.ptp(ours) > 0.1
    assert np.array([one["score"] for one in theirs]) == pytest.approx(ours, abs=1e-4)


def test_places_of_other_picture_sizes_are_put_into_the_weights() -> None:
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    config = ViTConfig(
        image_size=16, patch_size=8, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    model: Any = ViTForImageClassification(config).eval()
    torch.nn.init.normal_(model.vit.embeddings.position_embeddings)
    larger, arguments = networks._at_side(model, 32)
    pictures = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        wanted = model(pixel_values=pictures, interpolate_pos_encoding=True).logits
        assert torch.allclose(larger(pixel_values=pictures).logits, wanted, atol=1e-5)
    assert arguments == {}
    assert larger.config.image_size == 32


def test_of_an_ensemble_the_heaviest_network_is_exported_and_that_is_told(moods: FinishedRun, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(moods.folder, tmp_path / "run"))
    shutil.copytree(folder / "model/members/0001", folder / "model/members/0002")
    manifest = Manifest.model_validate_json((folder / "model/bundle.json").read_bytes())
    [member] = manifest.members
    two = (member.model_copy(update={"weight": 0.3}), member.model_copy(update={"trial": 2, "weight": 0.7}))
    changed = manifest.model_copy(update={"members": two, "files": hashes(folder / "model")})
    (folder / "model/bundle.json").write_text(changed.model_dump_json())
    known: Any = Journal(moods)
    done = export_network(folder / "model", tmp_path / "out", "hf", known)
    assert done.trial == 2
    assert "mixes 2 trials; this is the network of trial 2 (text_scratch) alone" in done.notes[0]
    assert "The delivered model mixes 2 trials" in (done.out / "README.md").read_text()
    assert "model-index" not in front_matter(done.out)


def test_a_model_without_a_network_and_a_taken_folder_are_refused_in_one_line(
    moods: FinishedRun, tmp_path: Path
) -> None:
    run = examples_run(
        tmp_path / "run", review_card(tmp_path / "r"), ("tfidf_linear", model_cards()["tfidf_linear"].default())
    )
    with pytest.raises(UserError, match=r"no network is in this model \(tfidf_linear\).*copy the folder itself"):
        export_network(run.folder / "model", tmp_path / "out", "hf")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    for wrong, told in (("full", "holds something already"), ("full/mine.txt", "is no folder"), ("no/out", "make it")):
        with pytest.raises(UserError, match=told) as caught:
            export_network(moods.folder / "model", tmp_path / wrong, "hf")
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    (tmp_path / "empty").mkdir()
    assert (export_network(moods.folder / "model", tmp_path / "empty", "hf").out / "config.json").is_file()


def test_the_tool_writes_into_the_runs_folder_alone_for_a_model(moods: FinishedRun, tmp_path: Path) -> None:
    journal: Any = Journal(moods)
    journal.run_folder = lambda _: moods.folder
    context = Context(tmp_path, journal=journal, run=moods.state.run, named=())
    with pytest.raises(ToolError, match="may not be written"):
        export.call({"model": moods.state.run, "out": "../out"}, context)
    done: Any = export.call({"model": moods.state.run, "out": "out"}, context)
    assert Path(done.out) == tmp_path / "out"
    assert (tmp_path / "out" / "model.safetensors").is_file()
    assert not export.inspects


# --------------------------------------------------------------------------------------------------------------- onnx


def answers(folder: Path, inputs: dict[str, Any]) -> list[Any]:
    """What an ONNX runtime answers."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    return session.run(None, {one.name: inputs[one.name] for one in session.get_inputs()})


def test_an_onnx_runtime_says_the_same_of_texts_of_any_number_and_length(moods: FinishedRun, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    out = export_network(moods.folder / "model", tmp_path / "out", "onnx").out
    tokenizer: Any = AutoTokenizer.from_pretrained(out)
    bundle = load_bundle(moods.folder)
    for texts in (["a lovely film"], reviews(11, seed=3)["review"].tolist()):
        [logits] = answers(out, dict(tokenizer(texts, truncation=True, padding=True, return_tensors="np")))
        said = bundle.predict(pd.DataFrame({"review": texts}))
        assert [bundle.labels[code] for code in logits.argmax(axis=1)] == said["prediction"].tolist()
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        assert shares[:, 1] == pytest.approx(said["probability_good"].to_numpy(), abs=1e-4)
    told = (out / "README.md").read_text()
    assert "rows of the validation data" in told
    assert "model.safetensors" not in {path.name for path in out.iterdir()}


def test_an_onnx_runtime_says_the_same_of_pictures(greys: FinishedRun, tmp_path: Path) -> None:
    from transformers import AutoImageProcessor

    model = Path(shutil.copytree(greys.folder / "model", tmp_path / "model"))
    out = export_network(model, tmp_path / "out", "onnx").out
    files = sorted((Path(str(greys.state.data_card.source))).rglob("*.png"))[10:25]
    processor: Any = AutoImageProcessor.from_pretrained(out)
    [logits] = answers(out, dict(processor([Image.open(file) for file in files], return_tensors="np")))
    bundle = load_bundle(greys.folder)
    said = bundle.predict(pd.DataFrame({"image": list(map(str, files))}))["prediction"].tolist()
    assert [bundle.labels[code] for code in logits.argmax(axis=1)] == said
    assert "made-up rows" in (out / "README.md").read_text()


def code_of(folder: Path) -> str:
    """The code on the page of an exported network."""
    return (folder / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]


@pytest.mark.parametrize("model", ["seq2seq_scratch", "causal_scratch"])
def test_the_code_on_the_page_generates_what_predict_does(tmp_path: Path, model: str) -> None:
    reviews().to_csv(tmp_path / "r.csv", index=False)
    inputs: Any = {"review": {"role": "text"}}
    source: dict[str, Any] = {"source": str(tmp_path / "r.csv"), "target": "mood", "inputs": inputs}
    card = DataCard(modality="text", task="text-generation", **source)
    run = examples_run(tmp_path / "run", card, (model, settings(model, **SMALL)))
    out = export_network(run.folder / "model", tmp_path / "out", "hf").out
    fresh = reviews(3, seed=4)
    for text, wanted in zip(fresh["review"], load_bundle(run.folder).predict(fresh)["prediction"], strict=True):
        found: dict[str, Any] = {"folder": str(out), "text": text}
        exec(code_of(out), found)
        assert "".join(found["answer"]) == wanted


@pytest.mark.parametrize("task", ["question-answering", "token-classification"])
def test_spans_and_tags_are_exported_too(tmp_path: Path, task: Any) -> None:
    from transformers import AutoTokenizer

    name = {"question-answering": "qa_scratch", "token-classification": "token_scratch"}[task]
    source = squad(tmp_path, 16) if task == "question-answering" else tagged(tmp_path, 24)
    target = None if task == "question-answering" else "tags"
    card = DataCard(modality="text", task=task, source=str(source), target=target)
    run = examples_run(tmp_path / "run", card, (name, settings(name, max_length=64, **SMALL)))
    out = export_network(run.folder / "model", tmp_path / "out", "onnx").out
    tokenizer: Any = AutoTokenizer.from_pretrained(out)
    found = answers(out, dict(tokenizer(["one"] * 3, ["and two"] * 3, return_tensors="np")))
    assert [one.shape[0] for one in found] == [3] * (2 if task == "question-answering" else 1)
    if task == "question-answering":
        page = code_of(export_network(run.folder / "model", tmp_path / "page", "hf").out)
        asked = {"question": "Where does Ada number 3 live?", "context": "Number 3 is Ada, who lives in Oslo."}
        own: dict[str, Any] = {"folder": str(tmp_path / "page"), **asked}
        exec(page, own)
        assert own["answer"] == load_bundle(run.folder).predict(pd.DataFrame([asked]))["prediction"][0]


def test_what_onnx_is_not_for_and_what_it_lacks_is_told_in_one_line(
    moods: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = DataCard(modality="text", task="retrieval", source=str(squad(tmp_path, 12)))
    run = examples_run(
        tmp_path / "run", card, ("bi_encoder_scratch", settings("bi_encoder_scratch", max_length=32, **SMALL))
    )
    with pytest.raises(UserError, match=r"ONNX is not supported for retrieval.*--format hf"):
        export_network(run.folder / "model", tmp_path / "out", "onnx")
    told = front_matter(export_network(run.folder / "model", tmp_path / "out", "hf").out)
    assert told["pipeline_tag"] == "sentence-similarity"
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "automl_gpt.tools.deliver.onnx.find_spec", lambda name: None if name == "onnxscript" else real(name)
    )
    with pytest.raises(UserError, match=r"pip install 'automl-gpt\[onnx\]'"):
        export_network(moods.folder / "model", tmp_path / "other", "onnx")


def test_without_the_deep_packages_the_line_says_how_to_get_them(
    moods: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'automl-gpt\[deep\]'"):
        export_network(moods.folder / "model", tmp_path / "out", "hf")


def test_an_onnx_model_that_answers_otherwise_is_not_kept(
    moods: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl_gpt.tools.deliver.onnx._export", lambda *_: None)
    monkeypatch.setattr("automl_gpt.tools.deliver.onnx._apart", lambda *_: 0.5)
    with pytest.raises(UserError, match=r"differs from the network by 0\.5"):
        export_network(moods.folder / "model", tmp_path / "out", "onnx")
    assert list(tmp_path.iterdir()) == []
