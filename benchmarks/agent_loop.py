"""A peer of controller.py: LangChain's `create_agent` loop, asked for the same tool calls by the same schemas.

    python agent_loop.py FILE

FILE is JSON: `url`, `system` and `user` (the messages that it begins with), `tools` (the schemas, by name), `results`
(what each call returns, in order). Every tool checks its arguments, as ours do, and returns the next result.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import BaseTool, StructuredTool
from langchain_openai import ChatOpenAI

from automl_gpt.agent.decisions import DECISIONS
from automl_gpt.tools.toolbox import TOOLBOX


def tool(schema: dict[str, Any], results: Iterator[str]) -> BaseTool:
    """Make a tool of a schema as it stands in a request."""
    name = schema["name"]
    model = next((model for decision, model in DECISIONS.items() if decision == name), None)

    def call(**arguments: Any) -> str:
        (model or TOOLBOX[name].arguments).model_validate(arguments)
        return next(results)

    return StructuredTool(name=name, description=schema["description"], args_schema=schema["parameters"], func=call)


def main() -> None:
    """Let the agent run until it answers in words."""
    given = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    results = iter(given["results"])
    model = ChatOpenAI(model="test-model", base_url=given["url"], api_key="test", max_retries=0)  # type: ignore[arg-type]
    agent = create_agent(model, [tool(schema, results) for schema in given["tools"]], system_prompt=given["system"])
    agent.invoke({"messages": [HumanMessage(given["user"])]}, {"recursion_limit": 10_000})


if __name__ == "__main__":
    main()
