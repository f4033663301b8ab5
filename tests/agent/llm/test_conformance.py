"""LangChain's own suite for chat models, against the test server, through the model object that the product uses.

Seven cases skip themselves: five of pictures, PDF and audio (the product sends text alone, and they would download
them), one of Anthropic's own blocks (the protocol is OpenAI's), one that times a recording of a real service.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests

from automl_gpt.agent.llm.plug import open_model
from tests.servers.openai_server import MODEL, OpenAIServer, Received, Reply
from tests.servers.reply import said

JOKE = {"setup": "Why did the cat sit on the computer?", "punchline": "To keep an eye on the mouse."}
WORDS = {**JOKE, "location": "San Francisco, CA", "answer_style": "Pirate", "description": "a technology company"}
CACHED = "What did I ask before?"
USAGE = {
    "prompt_tokens": 40,
    "completion_tokens": 4,
    "total_tokens": 44,
    "prompt_tokens_details": {"cached_tokens": 32},
}


def converse(request: Received) -> Reply:
    """Answer as a model would that understands the few things the suite asks for."""
    check(request)
    last = request["messages"][-1]
    if tool := chosen(request):
        return Reply(calls=[(tool["name"], filled(tool["parameters"], said(last)))])
    if "response_format" in request:
        assert request["response_format"]["type"] in ("json_schema", "json_object")
        return Reply(json.dumps(JOKE))
    if said(last) == CACHED:
        return Reply("You asked that.", usage=USAGE)
    return Reply("It is sunny, and all is well." if last["role"] == "tool" else "Hello, I am fine. How are you?")


def check(request: Received) -> None:
    """Refuse what a real server would: unknown roles, and results of calls that nobody made."""
    called: set[str] = set()
    for message in request["messages"]:
        assert message["role"] in ("system", "user", "assistant", "tool")
        called |= {call["id"] for call in message.get("tool_calls") or []}
        assert message["role"] != "tool" or message["tool_call_id"] in called
    for tool in request.get("tools", []):
        assert tool["type"] == "function" and tool["function"]["parameters"]["type"] == "object"


def chosen(request: Received) -> dict[str, Any] | None:
    """The tool to call: the one that the request forces, or else one after a person's words."""
    tools = {tool["function"]["name"]: tool["function"] for tool in request.get("tools", [])}
    match request.get("tool_choice", "auto"):
        case {"function": {"name": name}}:
            return tools[name]
        case "required" | "any":
            return next(iter(tools.values()))
        case "auto" if request["messages"][-1]["role"] == "user":
            return next(iter(tools.values()), None)
        case _:
            return None


def filled(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Arguments for a schema: numbers and quoted names from the text, other words by their names."""
    numbers, names = re.findall(r"-?\d+", text), re.findall("'([^']+)'", text)
    values: dict[str, Any] = {}
    for name, kind in schema.get("properties", {}).items():
        if kind.get("type") == "integer":
            values[name] = int(numbers.pop(0)) if numbers else 3
        else:
            values[name] = names.pop(0) if name == "customer_name" else WORDS[name]
    return values


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(converse) as server:
        yield server
        assert server.requests


# The suite asks with schemas of pydantic 1 too, and LangChain says that it sends them as tools.
@pytest.mark.filterwarnings("ignore:Received a Pydantic BaseModel V1 schema")
class TestTheProductsModel(ChatModelIntegrationTests):
    """The suite; what the properties switch on is what the server's protocol has."""

    @pytest.fixture(autouse=True)
    def plugged(self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> BaseChatModel:
        """Plug the test server in as a person would."""
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "test")
        self.chat = open_model(f"openai:{MODEL}").chat
        return self.chat

    @pytest.fixture
    def model(self, request: Any) -> BaseChatModel:
        """The product's own object; of the version of its messages that a case asks for."""
        return self.chat.model_copy(update=getattr(request, "param", None) or {})

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return type(self.chat)

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """All that the product gives the class, for the one case that makes an object itself."""
        return {name: getattr(self.chat, name) for name in self.chat.model_fields_set}

    @property
    def has_tool_calling(self) -> bool:
        return True

    @property
    def has_tool_choice(self) -> bool:
        return True

    @property
    def has_structured_output(self) -> bool:
        return True

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "another-model"

    @property
    def supported_usage_metadata_details(self) -> dict[Literal["invoke", "stream"], list[Any]]:
        return {"invoke": ["cache_read_input"], "stream": ["cache_read_input"]}

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        """Ask what the server says it had in its cache."""
        if not stream:
            return self.chat.invoke(CACHED)
        first, *chunks = self.chat.stream(CACHED)
        return sum(chunks, start=first)
