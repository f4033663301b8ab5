from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from automl_gpt.cards.errors import ToolError
from automl_gpt.tools.train.deep.byte_pairs import byte_pair_tokenizer
from automl_gpt.tools.train.deep.causal import CausalTrainer, PromptAndAnswer
from automl_gpt.tools.train.deep.generation import (
    IGNORED,
    LEAST_PROMPTS,
    Sequences,
    TextGenerator,
    batches,
    cut_with_end,
    padded,
)
from automl_gpt.tools.train.deep.seq2seq import Seq2SeqTrainer, SourceAndTarget
from automl_gpt.tools.train.protocol import FitData
from tests.tools.train.deep.translation import ANSWERS, GIVEN, SCRATCH, translation
from tests.tools.train.deep.word_problem import Log

END, SEPARATOR = 1, 2
LEARNING = {"seq2seq": {"learning_rate": 0.01, "epochs": 20}, "causal": {}}
BOTH = pytest.mark.parametrize("name", ["seq2seq", "causal"])


def trainer(name: str, *, scratch: bool) -> Any:
    if name == "seq2seq":
        return Seq2SeqTrainer("seq2seq_scratch" if scratch else "seq2seq")
    return CausalTrainer("causal_scratch" if scratch else "causal_lm")


@pytest.fixture(scope="module")
def made() -> dict[str, tuple[TextGenerator, Log]]:
    """One network of each kind, trained from nothing."""
    found: dict[str, tuple[TextGenerator, Log]] = {}
    for name in ("seq2seq", "causal"):
        log = Log()
        found[name] = trainer(name, scratch=True).fit(translation(), SCRATCH | LEARNING[name], log), log
    return found


@pytest.fixture(scope="module")
def weights(made: dict[str, tuple[TextGenerator, Log]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same networks as folders of weights, whose makers wanted them to generate in another way."""
    folders: dict[str, str] = {}
    for name, (model, _) in made.items():
        folder = tmp_path_factory.mktemp(name)
        model.save(folder)
        (folder / "generation_config.json").write_text('{"num_beams": 3, "no_repeat_ngram_size": 1, "min_length": 9}')
        folders[name] = str(folder)
    return folders


# ------------------------------------------------------------------------------------------------- ids, masks, labels


def test_bytes_alone_give_back_any_text_and_spell_out_special_tokens() -> None:
    tokenizer = byte_pair_tokenizer(translation(), 256)
    form = SourceAndTarget(tokenizer, 100, 100)
    text = "<pad> 04 </s>  é 日本 a ."
    ids = form.ids([text], special=True)[0]
    assert len(tokenizer) == 259 and len(ids) == len(text.encode()) + 1 and ids[-1] == END
    assert not {0, END, SEPARATOR} & set(ids[:-1])
    assert form.decoded([[*ids, 0, 0]]) == [text]


def test_more_tokens_than_bytes_are_learnt_from_the_texts_the_same_each_time() -> None:
    one, two = byte_pair_tokenizer(translation(), 300), byte_pair_tokenizer(translation(), 300)
    assert one.get_vocab() == two.get_vocab() and 259 < len(one) <= 303
    assert len(one("the the")["input_ids"]) < len("the the")


def test_an_encoder_decoder_is_taught_the_answer_and_its_end_and_nothing_of_the_padding() -> None:
    form = SourceAndTarget(byte_pair_tokenizer(translation(), 256), 100, 100)
    pairs = [(form.prompts([a])[0], form.answers([b])[0]) for a, b in (("ab", "xyz"), ("abcd", "x"))]
    batch = form.collate(pairs)
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert batch["labels"][0].tolist() == [*form.ids(["xyz"], special=False)[0], END]
    assert batch["labels"][1].tolist() == [*form.ids(["x"], special=False)[0], END, IGNORED, IGNORED]


def llama_form() -> PromptAndAnswer:
    return PromptAndAnswer(byte_pair_tokenizer(translation(), 256), 100, 100, before=(), separator=(SEPARATOR,))


def test_a_decoder_is_taught_the_answer_and_its_end_but_not_the_prompt_and_not_the_padding() -> None:
    form = llama_form()
    a, b, c, x, y = (form.ids([letter], special=False)[0][0] for letter in "abcxy")
    pairs = [(form.prompts([p])[0], form.answers([t])[0]) for p, t in (("abc", "x"), ("a", "xy"))]
    batch = form.collate(pairs)
    assert batch["input_ids"].tolist() == [[a, b, c, SEPARATOR, x, END], [a, SEPARATOR, x, y, END, 0]]
    assert batch["attention_mask"].tolist() == [[1] * 6, [1] * 5 + [0]]
    o = IGNORED
    assert batch["labels"].tolist() == [[o, o, o, o, x, END], [o, o, x, y, END, o]]


def test_the_end_of_sequence_is_taught_also_where_it_serves_as_padding() -> None:
    form = llama_form()
    form.tokenizer.pad_token_id = END
    batch = form.collate([(form.prompts([p])[0], form.answers(["x"])[0]) for p in ("abc", "a")])
    assert batch["input_ids"][1].tolist()[-3:] == [END, END, END]
    assert batch["labels"][1].tolist()[-3:] == [END, IGNORED, IGNORED]


def test_the_loss_is_that_of_the_answers_tokens_alone(made: dict[str, tuple[TextGenerator, Log]]) -> None:
    model, form = made["causal"][0].model, made["causal"][0].form
    pairs = [(form.prompts([p])[0], form.answers([t])[0]) for p, t in (("of the red", "rot"), ("zzz", "other"))]
    batch = form.collate(pairs)
    with torch.no_grad():
        found = model(**batch)
    chances = found.logits.log_softmax(-1)
    by_hand = [
        -chances[row, len(prompt) + place - 1, token].item()
        for row, (prompt, answer) in enumerate(pairs)
        for place, token in enumerate(answer.tolist())
    ]
    assert found.loss.item() == pytest.approx(np.mean(by_hand), rel=1e-4)


@BOTH
def test_an_answer_that_is_cut_has_no_end(name: str) -> None:
    form = llama_form() if name == "causal" else SourceAndTarget(byte_pair_tokenizer(translation(), 256), 100, 4)
    form = replace(form, max_target_length=4)
    whole, cut = form.answers(["abc", "abcd"])[0], form.answers(["abc", "abcd"])[1]
    assert len(whole) == len(cut) == 4
    assert whole[-1] == END and END not in cut
    assert cut_with_end([5, END], END, 9) == [5, END]


def test_a_prompt_that_is_cut_keeps_its_end_of_sequence_or_separator() -> None:
    encoder = SourceAndTarget(byte_pair_tokenizer(translation(), 256), 4, 9).prompts(["abcdefgh", "ab"])
    decoder = replace(llama_form(), max_length=4).prompts(["abcdefgh"])
    assert len(encoder[0]) == 4 and encoder[0][-1] == END and len(encoder[1]) == 3
    assert len(decoder[0]) == 5 and decoder[0][-1] == SEPARATOR


def test_batches_hold_each_row_once_the_longest_first() -> None:
    lengths = np.random.default_rng(0).integers(1, 900, 700)
    found = batches(lengths)
    assert sorted(row for rows in found for row in rows) == list(range(700))
    tops = [lengths[rows].max() for rows in found]
    assert tops == sorted(tops, reverse=True) and len(found[0]) == LEAST_PROMPTS < len(found[-2])
    assert batches(np.empty(0, dtype=np.int64)) == []


def test_padding_on_the_left_ends_all_rows_in_the_same_column() -> None:
    sequences = Sequences([[5, 6, 7], [], [8]])
    ids, mask = padded([sequences[0], sequences[2]], 0, left=True)
    assert ids.tolist() == [[5, 6, 7], [0, 0, 8]] and mask.tolist() == [[1, 1, 1], [0, 0, 1]]
    assert len(sequences[1]) == 0 and len(sequences) == 3


# ---------------------------------------------------------------------------------------------------- trained networks


@BOTH
def test_a_network_from_nothing_learns_the_task(name: str, made: dict[str, tuple[TextGenerator, Log]]) -> None:
    model, log = made[name]
    data = translation()
    said = [record["text"] for record in model.predict(data.x_valid)]
    right = [record["texts"][0] for record in data.y_valid]
    assert np.mean([a == b for a, b in zip(said, right, strict=True)]) > 0.9
    assert log.rows[0][1] < log.rows[-1][1]
    assert dict(log.rows)[model.best_step] == pytest.approx(data.score_valid(model.predict(data.x_valid)), abs=1e-6)


@BOTH
def test_generation_ends_where_the_answer_ends(name: str, made: dict[str, tuple[TextGenerator, Log]]) -> None:
    model, form = made[name][0].model, made[name][0].form
    longest = max(len(ids) for ids in (form.answers([text])[0] for text in ANSWERS.values()))
    assert model.generation_config.max_new_tokens == longest
    short = form.generated(model, [form.prompts(["red"])[0]])[0].tolist()
    assert short == form.answers([ANSWERS["red"]])[0].tolist() and len(short) < longest


@BOTH
def test_an_answer_does_not_depend_on_what_else_is_in_the_batch(
    name: str, made: dict[str, tuple[TextGenerator, Log]]
) -> None:
    model, form = made[name][0].model, made[name][0].form
    red, longer = form.prompts(["red", "of the of the of the of the green"])
    alone = form.decoded(form.generated(model, [red]))
    assert form.decoded(form.generated(model, [red, longer]))[0] == alone[0] == ANSWERS["red"]


@BOTH
def test_the_same_seed_gives_the_same_log_and_answers(
    name: str, made: dict[str, tuple[TextGenerator, Log]], tmp_path: Path
) -> None:
    data, short = translation(rows=48), SCRATCH | {"epochs": 2}
    logs, models = [Log(), Log()], []
    for log in logs:
        models.append(trainer(name, scratch=True).fit(data, short, log))
    assert logs[0].rows == logs[1].rows
    one, two = (model.model.state_dict() for model in models)
    assert all(torch.equal(one[key], two[key]) for key in one)


@BOTH
def test_a_saved_generator_answers_the_same_and_holds_no_pickle(
    name: str, made: dict[str, tuple[TextGenerator, Log]], tmp_path: Path
) -> None:
    model, data = made[name][0], translation()
    model.save(tmp_path)
    loaded = trainer(name, scratch=True).load(tmp_path)
    assert list(loaded.predict(data.x_valid)) == list(model.predict(data.x_valid))
    assert loaded.best_step == model.best_step
    assert {f.suffix for f in tmp_path.rglob("*") if f.is_file()} <= {".json", ".safetensors"}
    assert len(loaded.predict(data.x_valid[:0])) == 0


# ------------------------------------------------------------------------------------------------------ given weights


def started(name: str, weights: dict[str, str], **changes: Any) -> tuple[TextGenerator, Log, FitData]:
    data, log = translation(rows=64, source=weights[name]), Log()
    return trainer(name, scratch=False).fit(data, GIVEN | changes, log), log, data


@BOTH
def test_given_weights_go_on_from_what_they_know(name: str, weights: dict[str, str]) -> None:
    _, log, _ = started(name, weights)
    assert log.rows[0][1] > 60


@BOTH
def test_how_the_weights_makers_generated_does_not_matter(name: str, weights: dict[str, str]) -> None:
    model, _, _ = started(name, weights)
    how = model.model.generation_config
    assert how.num_beams == 1 and not how.no_repeat_ngram_size and not how.min_length and not how.do_sample


@BOTH
def test_adapters_are_merged_so_that_the_saved_model_answers_the_same(
    name: str, weights: dict[str, str], tmp_path: Path
) -> None:
    model, _, data = started(name, weights, training="lora", lora_rank=4)
    before = trainer(name, scratch=False).load(Path(weights[name])).model.state_dict()
    after = model.model.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed and not any("embed" in key or "shared" in key or "lm_head" in key for key in changed)
    model.save(tmp_path)
    loaded = trainer(name, scratch=False).load(tmp_path)
    assert list(loaded.predict(data.x_valid)) == list(model.predict(data.x_valid))


def test_a_decoder_without_room_for_the_answer_is_told_and_one_with_little_cuts_the_prompt(
    weights: dict[str, str],
) -> None:
    told: list[str] = []
    data = translation(rows=16, source=weights["causal"], tell=told.append)
    places = SCRATCH["max_length"] + SCRATCH["max_target_length"] + 1
    with pytest.raises(ToolError, match="leaves no room"):
        trainer("causal", scratch=False).fit(data, GIVEN | {"max_target_length": places}, Log())
    model = trainer("causal", scratch=False).fit(data, GIVEN | {"max_length": places}, Log(stop=1))
    assert model.form.max_length < places - SCRATCH["max_target_length"] + 1
    assert any("max_length is" in text for text in told)


@BOTH
def test_answers_that_are_cut_are_told(name: str, weights: dict[str, str]) -> None:
    told: list[str] = []
    data = translation(rows=16, source=weights[name], tell=told.append)
    trainer(name, scratch=False).fit(data, GIVEN | {"max_target_length": 3}, Log(stop=1))
    assert any("answers are cut at max_target_length = 3 tokens" in text for text in told)


@BOTH
@pytest.mark.parametrize("scratch", [True, False])
def test_a_missing_hyperparameter_is_told_by_name_and_so_are_missing_rows(
    name: str, scratch: bool, weights: dict[str, str]
) -> None:
    data = translation(rows=16, source=weights[name])
    with pytest.raises(ToolError, match=r"hyperparameter '.*' is missing"):
        trainer(name, scratch=scratch).fit(data, {}, Log())
    empty = replace(data, x=data.x[:0], y=data.y[:0])
    with pytest.raises(ToolError, match="no training rows"):
        trainer(name, scratch=scratch).fit(empty, SCRATCH if scratch else GIVEN, Log())


@BOTH
def test_a_card_without_weights_is_told(name: str) -> None:
    with pytest.raises(ToolError, match="source"):
        trainer(name, scratch=False).fit(translation(rows=16), GIVEN, Log())
