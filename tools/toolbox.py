"""The toolbox: one explicit tuple of all tools. What is not in it can't be called."""

from __future__ import annotations

from typing import Any

from automl_gpt.tools.base import Tool
from automl_gpt.tools.data.card import make_data_card
from automl_gpt.tools.data.tool_profile import profile_data
from automl_gpt.tools.deliver.predict import predict
from automl_gpt.tools.deliver.tool_export import export
from automl_gpt.tools.evaluate.compare import compare_logs
from automl_gpt.tools.evaluate.report import report
from automl_gpt.tools.tune.experience import similar_runs
from automl_gpt.tools.tune.forecasts.forecast import forecast_log
from automl_gpt.tools.tune.forecasts.trainings import forecast_training
from automl_gpt.tools.tune.search.suggest import suggest_hyperparameters
from automl_gpt.tools.tune.trials import show_trials

TOOLS: tuple[Tool[Any], ...] = (
    profile_data,
    similar_runs,
    suggest_hyperparameters,
    forecast_log,
    forecast_training,
    compare_logs,
    show_trials,
    make_data_card,
    predict,
    export,
    report,
)
TOOLBOX: dict[str, Tool[Any]] = {tool.name: tool for tool in TOOLS}
"""All tools by name."""
