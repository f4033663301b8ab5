"""The best and the worst examples of a model, for the report: texts, pictures, and what was said of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl_gpt.tools.corpus.check_pictures import rgb
from automl_gpt.tools.data.prepared import Prepared
from automl_gpt.tools.evaluate.answers_shown import answered
from automl_gpt.tools.evaluate.boxes_matched import OVERLAP, Matched, average_precision, match
from automl_gpt.tools.evaluate.gallery import EACH, MOST_COUNTED, Counted, Gallery, Rows, Seen, Shown, cut, each, ranked
from automl_gpt.tools.evaluate.pictures_drawn import data_uri, draw
from automl_gpt.tools.evaluate.words import figure, signed
from automl_gpt.tools.train.protocol import Prediction, Target

LOOKED_AT = 5_000
"""Of more validation rows with answers, so many are looked at."""
LONGEST_LABEL = 80
SIDES = 96, 160
"""Pixels of the longer side of a small picture: at least, at the most."""
LEAST_DRAWN = 240
"""Pixels of the longer side of a picture with boxes, at least: their names have to be readable."""


def gallery(prepared: Prepared, prediction: Prediction, said: Rows | None = None) -> Gallery:
    """Choose and describe at most six examples of each kind, from the predictions for `Prepared.out_of_fold()`.

    `said` are the codes of the classes that a classification says.
    """
    rows = prepared.out_of_fold()
    layout = prepared.layout
    places = np.arange(len(rows))
    if prediction.dtype == object and len(rows) > LOOKED_AT:
        places = np.linspace(0, len(rows) - 1, LOOKED_AT).astype(np.intp)
    labels = tuple(cut(str(label), LONGEST_LABEL) for label in layout.labels)
    seen = Seen(prepared.rows.x[rows[places]], prepared.rows.y[rows[places]], prediction[places], labels, prepared)
    if said is not None:
        return _classified(seen, said)
    if layout.task == "regression":
        return _valued(seen)
    return _boxed(seen) if layout.task == "detection" else answered(seen, layout.task)


# ------------------------------------------------------------------------------------------------- classes and values


def _classified(seen: Seen, said: Rows) -> Gallery:
    given = seen.p[np.arange(len(said)), said]
    sure = np.argsort(-given, kind="stable")
    right = said == seen.y

    def show(row: int) -> Shown:
        true = int(seen.y[row])
        lines = [*_texts(seen, row), ("actual", seen.labels[true])]
        lines.append(("predicted", f"{seen.labels[said[row]]}, probability {figure(float(given[row]))}"))
        if not right[row]:
            lines.append(("probability of the actual class", figure(float(seen.p[row, true]))))
        return Shown(tuple(lines), _picture(seen, row))

    best, worst = (each(show, sure[flags[sure]][:EACH]) for flags in (right, ~right))
    return Gallery(best, worst, "Right and most certain", "Wrong and most certain")


def _valued(seen: Seen) -> Gallery:
    residuals = seen.y - seen.p
    order = np.argsort(np.abs(residuals), kind="stable")

    def show(row: int) -> Shown:
        values = {"actual": figure(float(seen.y[row])), "predicted": figure(float(seen.p[row]))}
        told = (*_texts(seen, row), *values.items(), ("residual", signed(float(residuals[row]))))
        return Shown(told, _picture(seen, row))

    best, worst = _ends(order)
    return Gallery(each(show, best), each(show, worst), "Smallest residuals", "Largest residuals")


def _ends(order: Rows) -> tuple[Rows, Rows]:
    """Return the first rows of an order and the last ones, from the end; none is in both."""
    best = order[: min(EACH, (len(order) + 1) // 2)]
    return best, order[len(best) :][::-1][:EACH]


def _texts(seen: Seen, row: int) -> list[tuple[str, str]]:
    """Return the texts that were read, by the names of their columns."""
    names = seen.prepared.layout.encoder["columns"]
    return [(str(names[role]), cut(seen.one(row, role))) for role in ("text", "pair") if role in seen.x.roles]


def _picture(seen: Seen, row: int) -> str:
    """Return a picture as an address, smaller or (tiny ones) larger than it is; empty where there is none."""
    return data_uri(_sized(seen.one(row, "image"), *SIDES)) if "image" in seen.x.roles else ""


def _sized(picture: Any, least: int, most: int) -> Any:
    """Return an RGB picture whose longer side has at least and at most so many pixels."""
    from PIL import Image

    plain = rgb(picture)
    longest = max(plain.size)
    times = most / longest if longest > most else -(-least // longest)
    way = Image.Resampling.BILINEAR if times < 1 else Image.Resampling.NEAREST
    return plain.resize((max(1, round(plain.width * times)), max(1, round(plain.height * times))), way)


# -------------------------------------------------------------------------------------------------------------- boxes


def _boxed(seen: Seen) -> Gallery:
    matched = match(seen.y, seen.p)
    best, worst = ranked(matched.f1, matched.true + matched.found, perfect=1.0)

    def show(row: int) -> Shown:
        found, right, true = (int(counts[row]) for counts in (matched.found, matched.right, matched.true))
        told = ("boxes", f"{true} true, {found} found, {right} of them right"), ("F1", figure(float(matched.f1[row])))
        return Shown(told, data_uri(_drawn(seen, row, matched.least)))

    note = (
        "Found boxes are red, true ones blue. A found box is right where it has the class of a true one and at least "
        f"{OVERLAP:g} of the area of both together is common to them; scores below {matched.least:.2f} do not count."
    )
    pair = "Pictures with the best F1", "Pictures with the worst F1"
    return Gallery(each(show, best), each(show, worst), *pair, note, _by_class(seen, matched))


def _drawn(seen: Seen, row: int, least: float) -> Any:
    """Draw found and true boxes; a small picture is enlarged, and they with it."""
    picture = seen.one(row, "image")
    times = max(1, -(-LEAST_DRAWN // max(picture.size)))
    larger = picture if times == 1 else _sized(picture, LEAST_DRAWN, LEAST_DRAWN * times)
    found, true = (_times(record, times) for record in (seen.p[row], seen.y[row]))
    return draw(larger, found, seen.labels, true, least)


def _times(record: dict[str, Any], times: int) -> dict[str, Any]:
    return {**record, "boxes": [[side * times for side in box] for box in record["boxes"]]}


def _by_class(seen: Seen, matched: Matched) -> Counted:
    classes = len(seen.labels)
    true = _counts(seen.y, classes, 0.0)
    found = _counts(seen.p, classes, matched.least)
    shown = [int(code) for code in np.argsort(-true, kind="stable")[:MOST_COUNTED] if true[code]]
    precision = {code: figure(average_precision(seen.y, seen.p, code, classes)) for code in shown}
    rows = tuple((seen.labels[code], str(true[code]), str(found[code]), precision[code]) for code in shown)
    return Counted("Classes", ("class", "true boxes", "found", "AP50"), rows)


def _counts(records: Target | Prediction, classes: int, least: float) -> Rows:
    """Count the boxes of each class whose score is no lower."""
    codes = [
        code
        for record in records
        for code, score in zip(record["labels"], record.get("scores") or [1.0] * len(record["labels"]), strict=True)
        if score >= least
    ]
    return np.bincount(np.array(codes, dtype=np.intp), minlength=classes)
