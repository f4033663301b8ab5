"""Plugging models in by name: what is refused at once, with which words, and what is known of a model."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import langchain.chat_models.base as langchain_base
import pytest

from automl_gpt.agent.llm import plug
from automl_gpt.agent.llm.exchange import Abilities, Failure, Query
from automl_gpt.agent.llm.plug import check_name, open_model
from automl_gpt.agent.llm.providers import PROVIDERS, Provider, key_variable, providers
from automl_gpt.agent.llm.transport import proxy_for
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.journal.events import Message
from tests.servers.openai_server import OpenAIServer, Reply

HELLO = Query("conversation", "tools", (Message(role="user", text="hello"),))


def refused(name: str) -> str:
    with pytest.raises(UserError) as caught:
        open_model(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_table_of_providers_is_langchains() -> None:
    theirs = {name: (module, model) for name, (module, model, _) in langchain_base._BUILTIN_PROVIDERS.items()}
    assert {name: (p.module, p.model_class) for name, p in PROVIDERS.items()} == theirs


def test_the_installed_providers_are_listed() -> None:
    assert "openai" in providers() and "azure_openai" in providers()
    assert providers() == sorted(name for name in PROVIDERS if PROVIDERS[name].installed)
    assert Provider("no_such_module.chat", "Chat").installed is False
    assert Provider("langchain_azure_ai.chat_models", "Chat").package == "langchain-azure-ai"


def test_a_name_is_checked_without_importing_what_is_heavy() -> None:
    code = (
        "import json, sys; from automl_gpt.agent.llm.plug import check_name, providers;"
        "check_name('openai:gpt-test'); check_name('builtin'); providers();"
        "print(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"langchain", "langchain_core", "langchain_openai", "openai", "httpx2", "langsmith", "pandas", "sqlalchemy"}
    assert set(json.loads(done.stdout)) & heavy == set()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gpt-5", "write PROVIDER:MODEL, such as openai:"),
        ("", "write PROVIDER:MODEL"),
        ("openai:", "write PROVIDER:MODEL"),
        ("opnai:gpt-5", "did you mean openai:gpt-5?"),
        ("llama3:8b", "a server of your own: openai:llama3:8b and OPENAI_BASE_URL"),
        ("llama3:8b", "installed: builtin, "),
    ],
)
def test_a_name_that_is_none_is_refused_with_the_mend(name: str, told: str) -> None:
    assert told in refused(name)
    with pytest.raises(UserError):
        check_name(name)


def test_a_provider_whose_package_is_absent_names_the_package() -> None:
    name = next(name for name, provider in PROVIDERS.items() if not provider.installed)
    assert refused(f"{name}:model").endswith(f"pip install {PROVIDERS[name].package}")


def test_a_missing_key_names_its_variable() -> None:
    assert refused("openai:gpt-test") == "openai needs a key: set OPENAI_API_KEY in the environment"
    check_name("openai:gpt-test")


@pytest.mark.parametrize("key", ["two words", "ключ", "line\nbreak"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    assert "OPENAI_API_KEY holds" in refused("openai:gpt-test") and key not in refused("openai:gpt-test")


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "ftp://x/v1", "http://", "http://x:99999/v1", "http://a b/v1", "//x", "http://[::1/v1"]
)
def test_a_base_url_that_is_no_url_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    told = refused("openai:gpt-test")
    assert told.startswith(f"OPENAI_BASE_URL '{url}' is no address") and "http://HOST:PORT/v1" in told


def test_a_password_in_a_base_url_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "htp://me:opensesame@host/v1")
    assert "opensesame" not in refused("openai:gpt-test")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://me:opensesame@host:8000/v1")
    assert open_model("openai:gpt-test").endpoint == "host:8000"


def test_a_server_of_ones_own_needs_no_key_and_is_sent_the_one_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer([Reply("fine")]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        for key in ("", " own-key\n"):
            monkeypatch.setenv("OPENAI_API_KEY", key)
            assert open_model("openai:gpt-test").send(HELLO, 20).answer().text == "fine"
        sent = [request.headers["authorization"] for request in server.wait_for(2)]
    assert sent == [f"Bearer {plug.PLACEHOLDER_KEY}", "Bearer own-key"]


def test_other_variables_send_requests_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_GATEWAY", "http://127.0.0.1:9/gateway")
    monkeypatch.setenv("LC_OUTPUT_VERSION", "responses/v1")
    with OpenAIServer([Reply("fine")]) as server:
        monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        model = open_model("openai:gpt-5-pro")
        answer = model.send(HELLO, 20).answer()
        (request,) = server.wait_for(1)
    assert (answer.text, answer.finish, request.path) == ("fine", "stop", "/v1/chat/completions")
    assert server.url.split("/")[2] == model.endpoint


def test_a_model_may_have_colons_and_slashes_in_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer([Reply("fine")]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        model = open_model(" OpenAI:org/llama3:8b ")
        answer = model.send(HELLO, 20).answer()
        (request,) = server.wait_for(1)
    assert (model.name, request["model"], answer.text) == ("openai:org/llama3:8b", "org/llama3:8b", "fine")


def test_openai_is_the_endpoint_where_nothing_else_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    model = open_model("openai:gpt-4o")
    assert (model.endpoint, model.manners.caps[0]) == ("api.openai.com", "max_completion_tokens")
    assert model.abilities.known and model.abilities.tools
    assert model.abilities.context == model.chat.profile["max_input_tokens"]  # pyright: ignore
    assert 0 < model.abilities.output <= model.abilities.context


def test_a_model_without_a_profile_gets_a_cautious_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    model = open_model("openai:my-own-model")
    assert (model.abilities, model.manners.caps[0]) == (Abilities(), "max_tokens")


@pytest.mark.parametrize(
    ("profile", "abilities"),
    [
        (None, Abilities()),
        ({"tool_calling": False}, Abilities(tools=False)),
        ({"max_input_tokens": 32000}, Abilities(context=32000, known=True)),
        ({"max_input_tokens": 1000, "max_output_tokens": 9000}, Abilities(context=1000, output=1000, known=True)),
    ],
)
def test_abilities_come_from_the_profile(profile: dict[str, Any] | None, abilities: Abilities) -> None:
    assert plug._abilities(type("Chat", (), {"profile": profile})()) == abilities  # pyright: ignore


def test_a_model_that_refuses_its_options_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "0123456789")
    told = refused("azure_openai:gpt-test")
    assert told.startswith("controller 'azure_openai:gpt-test' can't be plugged in: ") and "0123456789" not in told


def test_another_provider_of_openais_protocol_has_its_requests_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "http://127.0.0.1:9")
    model = open_model("azure-openai:gpt-test")
    with pytest.raises(Failure) as caught:
        model.send(HELLO, 20).answer()
    assert (model.name, model.endpoint, model.protocol) == ("azure_openai:gpt-test", "127.0.0.1:9", True)
    assert caught.value.kind == "refused"


def test_keys_are_named_for_the_providers_that_have_one() -> None:
    assert (key_variable("anthropic:claude"), key_variable("ollama:x"), key_variable("builtin")) == (
        "ANTHROPIC_API_KEY",
        "",
        "",
    )


def test_a_proxy_is_used_but_never_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert proxy_for("https://llm.example/v1") == "http://proxy.example:3128"
    assert proxy_for("https://localhost/v1") is proxy_for("http://llm.example/v1") is None
    monkeypatch.setenv("no_proxy", "llm.example")
    assert proxy_for("https://llm.example/v1") is None


def test_nothing_of_a_session_prints_on_the_screen() -> None:
    code = (
        "from automl_gpt.agent.llm.plug import open_model\n"
        "from automl_gpt.agent.llm.exchange import Failure\n"
        "from tests.agent.llm.test_plug import HELLO\n"
        "from tests.servers.openai_server import OpenAIServer, Reply\n"
        "import os\n"
        'odd = b\'data: {"choices": [{"index": "x", "delta": {"content": 7}, "finish_reason": 3}]}\\n\\n\'\n'
        "with OpenAIServer([Reply('fine'), Reply(raw=odd)]) as server:\n"
        "    os.environ['OPENAI_BASE_URL'] = server.url\n"
        "    model = open_model('openai:gpt-test')\n"
        "    for _ in range(2):\n"
        "        try:\n            model.send(HELLO, 20).answer()\n"
        "        except Failure:\n            pass\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_lowered_abilities_are_those_of_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer([Reply("fine")]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        model = open_model("openai:gpt-test")
        model.send(HELLO, 20).answer()
        model.abilities = replace(model.abilities, stream=False)
        model.send(HELLO, 20).answer()
        first, second = server.wait_for(2)
    assert (first["stream"], second.get("stream", False)) == (True, False)
