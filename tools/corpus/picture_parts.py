"""From stored pictures and their answers to the usable rows of one part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.schema import DataCard, Sources
from automl_gpt.tools.corpus.check_pictures import Checked, Stored, check_pictures, left_out
from automl_gpt.tools.corpus.raw import RawPart, only
from automl_gpt.tools.data.report import Finding

_CHUNK = 1000


def picture_part(
    pictures: Sequence[Stored],
    answers: list[Any],
    names: list[str],
    findings: list[Finding],
    checked: Sequence[Checked] | None = None,
    beside: Mapping[str, list[Any] | None] | None = None,
) -> RawPart:
    """Return the rows whose pictures can be used; what can't is told in `findings`.

    `checked` spares a second look; `beside` are the values of group, weight and time, where there are. Raises UserError
    where no picture is left.
    """
    checked = check_pictures(pictures) if checked is None else checked
    told = left_out(checked, names)
    kept = np.array([i for i, one in enumerate(checked) if one.problem is None], dtype=np.intp)
    if not len(kept):
        raise UserError(f"no picture can be used: {told[0].text}" if told else "there are no pictures")
    findings += told
    dataset = picture_dataset([pictures[i] for i in kept])
    more = {name: only(values, kept) for name, values in (beside or {}).items()}
    return RawPart(dataset, only(answers, kept), only(names, kept), **more)


def picture_dataset(pictures: Sequence[Stored]) -> Any:
    """Return a `datasets.Dataset` with the column `image`, decoded when it is read; paths stay paths until stored."""
    import pyarrow as pa
    from datasets import Image

    chunks: list[Any] = []
    for start in range(0, len(pictures), _CHUNK):
        some = pictures[start : start + _CHUNK]
        data = pa.array([p if isinstance(p, bytes) else None for p in some], pa.binary())
        paths = pa.array([p if isinstance(p, str) else None for p in some], pa.string())
        chunks.append(pa.StructArray.from_arrays([data, paths], ["bytes", "path"]))
    return as_pictures(pa.chunked_array(chunks, Image.pa_type))


def as_pictures(column: Any) -> Any:
    """Return an Arrow column of {bytes, path} as a `datasets.Dataset` with the column `image`."""
    import pyarrow as pa
    from datasets import Dataset, DatasetInfo, Features, Image

    features = Features({"image": Image()})
    table = pa.Table.from_arrays([column], names=["image"])
    return Dataset(table, info=DatasetInfo(features=features), fingerprint=_fingerprint(column))


def _fingerprint(column: Any) -> str:
    """Hash the bytes at once: left to itself, `datasets` serialises the whole table for it."""
    import xxhash

    digest = xxhash.xxh64()
    for chunk in column.chunks:
        digest.update(f"{chunk.offset} {len(chunk)} ".encode())
        for buffer in chunk.buffers():
            if buffer is not None:
                digest.update(buffer)
    return digest.hexdigest()


def source_paths(card: DataCard) -> dict[str, str]:
    """Return what the card's source names, by part: train alone where it is one path."""
    if isinstance(card.source, str):
        return {"train": card.source}
    named: Sources = card.source
    return {part: path for part in ("train", "valid", "test") if (path := getattr(named, part)) is not None}


def no_columns(card: DataCard, what: str) -> None:
    """Raise UserError where the card names columns of a source that has none."""
    for field in ("group", "weight", "time"):
        if getattr(card, field):
            raise UserError(f"card: {field}: {what} have no columns; name a table with a column of paths as source")
