"""Words as they are compared: in small letters, without accents; and which models they name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from automl_gpt.agent.words.vocabulary import FAMILIES


def fold_accents(text: str) -> str:
    """Return text in small letters without accents, so that one spelling of a word is enough."""
    parts = unicodedata.normalize("NFKD", text.casefold().replace("\u2019", "'"))
    return "".join(sign for sign in parts if not unicodedata.combining(sign))


def pattern_of(name: str) -> str:
    """Return a pattern for a name whose parts may be joined, or parted by a blank, a dash or an underscore."""
    return r"[ _-]?".join(map(re.escape, re.split(r"[ _-]", fold_accents(name))))


def named_models(piece: str, models: Sequence[str]) -> list[str]:
    """Return the models that a piece of text names, by their names or families, in that order."""
    found = [(match.start(), name) for name in models if (match := re.search(rf"\b{pattern_of(name)}s?\b", piece))]
    squeezed = {name: re.sub(r"\W|_", "", name.casefold()) for name in models}
    for pattern, hints in FAMILIES:
        match = pattern.search(piece)
        if match:
            found += [(match.start(), name) for name in models if any(hint in squeezed[name] for hint in hints)]
            piece = piece.replace(match.group(), " " * len(match.group()))
    return list(dict.fromkeys(name for _, name in sorted(found, key=lambda pair: pair[0])))
