"""Plugs a language model in by its name, PROVIDER:MODEL: any provider that LangChain has a package for.

Importing this is cheap; LangChain is imported when a model is opened.
"""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from automl_gpt.agent.llm.evidence import without_secrets
from automl_gpt.agent.llm.exchange import Abilities
from automl_gpt.agent.llm.providers import PROVIDERS, Provider, providers
from automl_gpt.agent.llm.transport import guarded_client, proxy_for
from automl_gpt.agent.llm.wire import Cap, LangChainModel
from automl_gpt.cards.errors import UserError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["check_name", "open_model", "providers"]

BUILTIN = "builtin"
OPENAI_HOST = "api.openai.com"
PLACEHOLDER_KEY = "no-key-needed"
"""Stands for the key of a server that is not OpenAI's: those on one's own machine need none, but the client does."""
THINKING_TOKENS = 4096
"""What a model that reasons may use before it answers; more, where that turns out to be too little."""
ADDRESS_FIELDS = ("api_base", "base_url", "api_url", "endpoint", "endpoint_url")


def check_name(name: str) -> None:
    """Raise UserError where no model can be plugged in by this name; `builtin` is right. Imports nothing."""
    if name.strip() != BUILTIN:
        _split(name)


def open_model(name: str, timeout: float = 60.0) -> LangChainModel:
    """Return the model called PROVIDER:MODEL, ready to be asked; UserError, with the mend, where it can't be.

    `timeout` are the most seconds between two signs of life of its server. Nothing is sent yet: whether the key and the
    model are right shows at the first request.
    """
    provider, model = _split(name)
    _check_key(provider)
    options: dict[str, Any] = {"max_retries": 0, "timeout": timeout, "cache": False, "output_version": "v0"}
    options["use_responses_api"] = False
    if provider == "openai":
        options |= _openai_options()
    # The fields of broken answers have wrong types; pydantic would say so on the screen.
    warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)
    chat = _chat(provider, model, options)
    endpoint = _endpoint(chat, provider)
    caps: tuple[Cap, ...] = ("field", "none")
    if provider == "openai":
        official: tuple[Cap, ...] = ("max_completion_tokens", "max_tokens", "none")
        caps = official if endpoint == OPENAI_HOST else ("max_tokens", "max_completion_tokens", "none")
    protocol = _watched(type(chat)) and not getattr(chat, "use_responses_api", False)
    return LangChainModel(chat, f"{provider}:{model}", endpoint, _abilities(chat), protocol, caps)


# ------------------------------------------------------------------------------------------------------------ the name


def _split(name: str) -> tuple[str, str]:
    provider, colon, model = (part.strip() for part in name.partition(":"))
    provider = provider.lower().replace("-", "_")
    if not colon or not model:
        raise UserError(f"controller '{name}': write PROVIDER:MODEL, such as openai:gpt-5-mini, or {BUILTIN}")
    if provider not in PROVIDERS:
        near = difflib.get_close_matches(provider, PROVIDERS, 1)
        hint = f"did you mean {near[0]}:{model}? " if near else ""
        known = ", ".join([BUILTIN, *providers()])
        own = f"a server of your own: openai:{name} and OPENAI_BASE_URL"
        raise UserError(f"controller '{name}': {hint}no provider '{provider}'; installed: {known}; {own}")
    if not PROVIDERS[provider].installed:
        package = PROVIDERS[provider].package
        raise UserError(f"controller '{name}': {provider} needs a package: pip install {package}")
    return provider, model


def _check_key(provider: str) -> None:
    variables = PROVIDERS[provider].keys
    if variables and not any(_key(variable) for variable in variables) and not (provider == "openai" and _elsewhere()):
        raise UserError(f"{provider} needs a key: set {' or '.join(variables)} in the environment")


def _key(variable: str) -> str:
    """Return the key in a variable; UserError where it is none that can be sent."""
    key = os.environ.get(variable, "").strip()
    if not all("!" <= c <= "~" for c in key):
        raise UserError(f"{variable} holds blanks or characters that no key has; set it again")
    return key


# ----------------------------------------------------------------------------------------------------------- the model


def _openai_options() -> dict[str, Any]:
    # Each is given, so that no other variable of the environment sends requests elsewhere or in another protocol.
    return {
        "base_url": _base_url(),
        "api_key": _key("OPENAI_API_KEY") or PLACEHOLDER_KEY,
        "stream_usage": True,
    }


def _base_url() -> str:
    """Return the address of the server of OpenAI's protocol; UserError where it is none."""
    variable = next((v for v in ("OPENAI_BASE_URL", "OPENAI_API_BASE") if os.environ.get(v, "").strip()), "")
    url = os.environ[variable].strip() if variable else f"https://{OPENAI_HOST}/v1"
    if not _is_url(url):
        shown = without_secrets(url)[:80]
        raise UserError(f"{variable} '{shown}' is no address: write http://HOST:PORT/v1 or https://HOST/v1")
    return url


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and " " not in url
    except ValueError:
        return False


def _elsewhere() -> bool:
    return urlsplit(_base_url()).hostname != OPENAI_HOST


def _chat(provider: str, model: str, options: Mapping[str, Any]) -> BaseChatModel:
    try:
        from langchain.chat_models import init_chat_model

        model_class = _class(PROVIDERS[provider])
        taken = {key: value for key, value in options.items() if key in _fields(model_class)}
        if _watched(model_class):
            url = str(options.get("base_url") or "https://")
            proxy = os.environ.get("OPENAI_PROXY") or proxy_for(url)
            # Without options of its own for sockets, the library leaves the choice of a proxy to our client.
            client = guarded_client(options["timeout"], proxy)
            taken |= {"http_client": client, "http_socket_options": (), "openai_proxy": None}
        elif "client_kwargs" in _fields(model_class):
            taken["client_kwargs"] = {"timeout": options["timeout"]}
        return init_chat_model(model, model_provider=provider, **taken)
    except Exception as error:
        said = without_secrets(str(error))[:160] or type(error).__name__
        raise UserError(f"controller '{provider}:{model}' can't be plugged in: {said}") from error


def _class(provider: Provider) -> type[BaseChatModel]:
    return getattr(import_module(provider.module), provider.model_class)


def _fields(model_class: type[BaseChatModel]) -> set[str]:
    """The names under which a model takes its options."""
    fields = model_class.model_fields
    return set(fields) | {str(field.alias) for field in fields.values() if field.alias}


def _watched(model_class: type[BaseChatModel]) -> bool:
    """Whether it speaks through openai's client, which takes an HTTP client of ours."""
    return {"root_client", "http_client", "http_socket_options"} <= set(model_class.model_fields)


def _abilities(chat: BaseChatModel) -> Abilities:
    """Return what LangChain's profile says of the model; where there is none, a cautious guess."""
    profile: Mapping[str, Any] = getattr(chat, "profile", None) or {}
    context, cautious = profile.get("max_input_tokens"), Abilities()
    tools = profile.get("tool_calling") is not False
    if not context:
        return Abilities(tools=tools)
    output = min(profile.get("max_output_tokens") or cautious.output, context)
    thinking = THINKING_TOKENS if profile.get("reasoning_output") else 0
    return Abilities(context=int(context), output=int(output), tools=tools, known=True, thinking=thinking)


def _endpoint(chat: BaseChatModel, provider: str) -> str:
    """Return the host, with a port where one is named, that requests go to; the provider's name where it hides it."""
    named = [getattr(chat, name, None) for name in type(chat).model_fields if name.endswith(ADDRESS_FIELDS)]
    for address in (*named, _local(provider)):
        parts = urlsplit(str(address or ""))
        if parts.hostname:
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            return f"{host}:{parts.port}" if parts.port else host
    return provider


def _local(provider: str) -> str:
    host = os.environ.get("OLLAMA_HOST") or "127.0.0.1:11434"
    return "" if provider != "ollama" else host if "//" in host else f"http://{host}"
