"""`experience list | export | import | forget`, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from automl_gpt.agent.cli import app
from automl_gpt.cards.errors import UserError

LINES: tuple[dict[str, object], ...] = (
    {"format": "automl-gpt experience", "version": 1},
    {"kind": "data", "data": "f1", "name": "[red]loans", "about": "Loans.", "task": "binary",
     "meta": {"rows": 120, "columns": 4, "numeric": 3, "categorical": 1, "classes": 2}},
    {"kind": "trial", "data": "f1", "model": "linear", "hyperparameters": {"penalty": 1.0}, "metric": "roc_auc",
     "direction": "maximize", "value": 0.8},
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOML_GPT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AUTOML_GPT_STORE", raising=False)
    return tmp_path


def said(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["experience", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def refused(*arguments: str | Path) -> str:
    with pytest.raises(UserError) as told:
        CliRunner().invoke(app, ["experience", *map(str, arguments)], catch_exceptions=False)
    return str(told.value)


def test_experience_is_imported_once_listed_and_forgotten(home: Path) -> None:
    file = home / "team.jsonl"
    file.write_text("\n".join(map(json.dumps, LINES)), "utf-8")
    assert "1 new trials" in said("import", file)
    assert "0 new trials, 1 known already" in said("import", file)
    shown = said("list")
    assert "team" in shown and "[red]loans" in shown and "shipped" in shown
    assert "nothing was imported" not in refused("forget", "other") and "team" in refused("forget", "other")
    assert "1 imported trials forgotten" in said("forget", "team")
    assert "loans" not in said("list")


def test_wrong_requests_get_one_line_each(home: Path) -> None:
    assert "no experience to export" in refused("export", home / "mine.jsonl")
    assert "--since soon: is no date" in refused("export", home / "mine.jsonl", "--since", "soon")
    assert "can't be read" in refused("import", home / "none.jsonl")
    assert "nothing was imported" in refused("forget", "team")
