"""Language Model Cards: what a language model that may decide costs, and what it can take.

A price holds where it was read: at the provider's own server, or at the one that the card names.
"""

from __future__ import annotations

import re
from datetime import date
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from ruamel.yaml import YAML

from automl_gpt.cards.schema import Strict

OWN_SERVERS = {"openai": "api.openai.com"}
"""The server of each provider whose prices are shipped."""
_MILLION = 1_000_000
_PORTS = {"https": 443, "http": 80}


class LanguageModelCard(Strict):
    """A language model: its price in USD per million tokens, and the most that it takes and answers, in tokens.

    Cached input costs what other input does where no price is given for it. `tools` says whether it takes tool calls.
    """

    name: str = Field(max_length=200)
    description: str = ""
    input_usd: float = Field(ge=0, allow_inf_nan=False)
    output_usd: float = Field(ge=0, allow_inf_nan=False)
    cached_input_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    context: int | None = Field(default=None, gt=0)
    output: int | None = Field(default=None, gt=0)
    tools: bool | None = None
    as_of: date | None = Field(default=None, description="the day on which the price was read")
    source: str = Field(default="", description="where the price was read")
    base_url: str | None = Field(default=None, description="the price holds for this server alone")

    @field_validator("name")
    @classmethod
    def _names_a_provider(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*:[^\s\x00-\x1f]+", value):
            raise ValueError(f"must be PROVIDER:MODEL as given to --controller, like openai:gpt-4o-mini, not {value!r}")
        return value

    @field_validator("as_of", mode="before")
    @classmethod
    def _is_a_day(cls, value: object) -> object:
        """Take no number for seconds since 1970."""
        if value is None or isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError as error:
            raise ValueError(f"must be a day like 2025-08-07, not {value!r}") from error

    @field_validator("base_url")
    @classmethod
    def _has_a_host(cls, value: str | None) -> str | None:
        if value is not None and not _host(value)[0]:
            raise ValueError(f"must be the address of a server, like http://localhost:8000/v1, not {value!r}")
        return value

    @model_validator(mode="after")
    def _cached_is_no_dearer(self) -> LanguageModelCard:
        if self.cached_input_usd is not None and self.cached_input_usd > self.input_usd:
            raise ValueError(f"cached_input_usd {self.cached_input_usd:g} is above input_usd {self.input_usd:g}")
        return self

    @property
    def provider(self) -> str:
        """The part of the name before the colon."""
        return self.name.partition(":")[0]

    def cost(self, tokens_in: int, cached: int, tokens_out: int) -> float:
        """Return the USD of a call; `cached` are those of `tokens_in` that the server had at hand."""
        cached = min(max(cached, 0), tokens_in)
        cheap = self.input_usd if self.cached_input_usd is None else self.cached_input_usd
        return ((tokens_in - cached) * self.input_usd + cached * cheap + tokens_out * self.output_usd) / _MILLION

    def holds_at(self, endpoint: str | None) -> bool:
        """Say whether the price holds at a server (host, host:port or address; None: the provider's own)."""
        own = OWN_SERVERS.get(self.provider)
        here, there = own if endpoint is None else endpoint, self.base_url or own
        return here is not None and there is not None and same_server(here, there)

    def price(self) -> str:
        """Return the price in words, with its day."""
        day = f" ({self.as_of.isoformat()})" if self.as_of else ""
        return f"{self.input_usd:g} USD in, {self.output_usd:g} USD out per million tokens{day}"


def same_server(one: str, other: str) -> bool:
    """Say whether two addresses (host, host:port or URL) are of one server; a port that one leaves open is any."""
    (host, port), (host_2, port_2) = _host(one), _host(other)
    return bool(host) and host == host_2 and (port is None or port_2 is None or port == port_2)


def _host(address: str) -> tuple[str, int | None]:
    """Return host and port of an address, ("", None) where it has none; the usual port of a scheme counts as none."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        usual = _PORTS.get(parts.scheme, 443)
        return (parts.hostname or "").rstrip("."), None if parts.port == usual else parts.port
    except ValueError:
        return "", None


def card_stem(name: str) -> str:
    """Return the name of the file, without its ending, of a language model's card: `openai-gpt-4o-mini`."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)


def price_card_text(
    name: str, input_usd: float, output_usd: float, base_url: str | None = None, kept: dict[str, Any] | None = None
) -> str:
    """Write a card with a price that a person told today; `kept` are further keys of it."""
    told: dict[str, Any] = {"name": name, "input_usd": input_usd, "output_usd": output_usd}
    told |= {"as_of": date.today().isoformat(), "source": "told by the person"}
    told |= {"base_url": base_url} if base_url else {}
    out = StringIO()
    YAML().dump(told | (kept or {}), out)
    return out.getvalue()
