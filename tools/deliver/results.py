"""Predictions in the forms that other programs read: SQuAD's answers, COCO's results, pictures with their boxes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.corpus.check_pictures import rgb
from automl_gpt.tools.deliver.bundle import Manifest
from automl_gpt.tools.deliver.given import Given
from automl_gpt.tools.deliver.inputs import chunks
from automl_gpt.tools.evaluate.pictures_drawn import draw


def as_json(manifest: Manifest, given: Given, predictions: Any) -> str | None:
    """Return the content of the JSON file that the task's own programs read; None where there is no such form.

    Of questions with ids that is the text of each answer by id (SQuAD), of pictures a list of boxes with image_id,
    category_id, bbox and score (COCO). Pictures and categories without ids are counted from 1.
    """
    if manifest.task == "question-answering" and "id" in given.names:
        said = [text or "" for text in predictions["prediction"]]
        return json.dumps(dict(zip(given.names["id"], said, strict=True)), ensure_ascii=False, indent=1)
    if manifest.task == "detection":
        return json.dumps(_coco(manifest, given, list(predictions["prediction"])), ensure_ascii=False, indent=1)
    return None


def _coco(manifest: Manifest, given: Given, predictions: Sequence[Any]) -> list[dict[str, Any]]:
    ids = given.names.get("id", range(1, len(predictions) + 1))
    files = given.names.get("file")
    codes = {str(label): code + 1 for code, label in enumerate(manifest.labels)} | given.categories
    results: list[dict[str, Any]] = []
    for row, (key, boxes) in enumerate(zip(ids, predictions, strict=True)):
        for box in boxes or ():
            found = {"category_id": codes[box["label"]], "bbox": box["box"], "score": box["score"]}
            results.append({"image_id": key} | ({"file_name": files[row]} if files else {}) | found)
    return results


def draw_boxes(manifest: Manifest, given: Given, predictions: Any, folder: Path) -> int:
    """Draw the boxes that were found into copies of the pictures, FOLDER/NAME.jpg; return how many were drawn.

    UserError where the model finds no boxes, or the folder can't be written.
    """

    if manifest.task != "detection":
        raise UserError(f"pictures with boxes are for models of detection; this one is for {manifest.task}")
    drawn, begin = 0, 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for chunk in chunks(given.frame, manifest.columns, given.base):
            for place, row in enumerate(chunk.usable):
                picture = rgb(chunk.examples.batch([place], "image")[0])
                record = _record(predictions["prediction"][begin + row], manifest)
                draw(picture, record, [str(label) for label in manifest.labels]).save(
                    folder / _name(given, begin + int(row))
                )
                drawn += 1
            begin += chunk.count
    except OSError as error:
        raise UserError(f"{folder}: the pictures can't be written ({error.strerror or error})") from error
    return drawn


def _record(boxes: list[dict[str, Any]], manifest: Manifest) -> dict[str, Any]:
    codes = {str(label): code for code, label in enumerate(manifest.labels)}
    return {
        "boxes": [box["box"] for box in boxes],
        "labels": [codes[box["label"]] for box in boxes],
        "scores": [box["score"] for box in boxes],
    }


def _name(given: Given, row: int) -> str:
    """Return a file name for a row that no other row has."""
    files = given.names.get("file")
    stem = Path(files[row]).with_suffix("").as_posix().replace("/", "_").lstrip(".") if files else "row"
    return f"{row + 1:05d}_{stem}.jpg"
