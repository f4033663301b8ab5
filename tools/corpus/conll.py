"""Files of CoNLL: a word and its columns on each line, the tag last, a blank line between sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.corpus.rows import Source, in_memory, need_file
from automl_gpt.tools.data.sniff import open_bytes

SUFFIXES = (".conll", ".bio", ".iob", ".iob2", ".txt")


def is_conll(path: Path) -> bool:
    """Say whether a file is called as those of CoNLL are."""
    return next((s for s in reversed(path.suffixes) if s.lower() != ".gz"), "").lower() in SUFFIXES


def open_conll(path: Path) -> Source:
    """Read sentences as rows with lists of `tokens` and `tags`; a sentence is called by the line that it starts on.

    A word without a tag leaves its sentence with fewer tags than words. UserError where no line has a tag.
    """
    import pyarrow as pa

    need_file(path)
    tokens: list[list[str]] = []
    tags: list[list[str]] = []
    lines: list[int] = []
    for number, sentence in _sentences(path):
        lines.append(number)
        tokens.append([cells[0] for cells in sentence])
        tags.append([cells[-1] for cells in sentence if len(cells) > 1])
    if not any(tags):
        raise UserError(f"{path}: no line holds a word and its tag, divided by a tab or blanks")
    strings = pa.list_(pa.large_string())
    table = pa.table({"tokens": pa.array(tokens, strings), "tags": pa.array(tags, strings)})
    return in_memory(path.name, table, unit="line", numbers=np.array(lines, dtype=np.int64))


def _sentences(path: Path) -> Iterator[tuple[int, list[list[str]]]]:
    sentence: list[list[str]] = []
    start = 1
    for number, line in enumerate(_lines(path), 1):
        cells = _cells(line)
        if not cells or (not sentence and _is_comment(line)):
            if sentence:
                yield start, sentence
            sentence = []
            continue
        if not sentence:
            start = number
        sentence.append(cells)
    if sentence:
        yield start, sentence


def _lines(path: Path) -> Iterator[str]:
    try:
        with open_bytes(path) as file:
            for number, line in enumerate(file, 1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8: save it as UTF-8") from error
    except (OSError, EOFError) as error:
        raise UserError(f"{path}: can't be read: {error}") from error


def _cells(line: str) -> list[str]:
    cells = [cell.strip() for cell in line.split("\t")] if "\t" in line else line.split()
    return cells if any(cells) and cells[0] != "-DOCSTART-" else []


def _is_comment(line: str) -> bool:
    """Say whether a line before a sentence is one of metadata, such as `# text = ...`, rather than the word #."""
    return line.startswith("#") and "\t" not in line and ("=" in line or ":" in line)
