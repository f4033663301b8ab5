"""The providers that LangChain speaks to: the package of each, and the variable that holds its key."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class Provider:
    """Where a provider's chat model is defined.

    `keys` are environment variables of which one must be set; empty: it needs no key, or finds its credentials itself.
    """

    module: str
    model_class: str
    keys: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """What pip installs for it."""
        return self.module.partition(".")[0].replace("_", "-")

    @property
    def installed(self) -> bool:
        """Whether its package can be imported; nothing is imported to find out."""
        return find_spec(self.module.partition(".")[0]) is not None


PROVIDERS: dict[str, Provider] = {
    "anthropic": Provider("langchain_anthropic", "ChatAnthropic", ("ANTHROPIC_API_KEY",)),
    "anthropic_bedrock": Provider("langchain_aws", "ChatAnthropicBedrock"),
    "azure_ai": Provider("langchain_azure_ai.chat_models", "AzureAIOpenAIApiChatModel"),
    "azure_openai": Provider("langchain_openai", "AzureChatOpenAI"),
    "baseten": Provider("langchain_baseten", "ChatBaseten", ("BASETEN_API_KEY",)),
    "bedrock": Provider("langchain_aws", "ChatBedrock"),
    "bedrock_converse": Provider("langchain_aws", "ChatBedrockConverse"),
    "bedrock_mantle_anthropic": Provider("langchain_aws", "ChatAnthropicMantle"),
    "bedrock_mantle_openai": Provider("langchain_aws", "ChatOpenAIMantle"),
    "cohere": Provider("langchain_cohere", "ChatCohere", ("COHERE_API_KEY", "CO_API_KEY")),
    "deepseek": Provider("langchain_deepseek", "ChatDeepSeek", ("DEEPSEEK_API_KEY",)),
    "fireworks": Provider("langchain_fireworks", "ChatFireworks", ("FIREWORKS_API_KEY",)),
    "google_anthropic_vertex": Provider("langchain_google_vertexai.model_garden", "ChatAnthropicVertex"),
    "google_genai": Provider("langchain_google_genai", "ChatGoogleGenerativeAI", ("GOOGLE_API_KEY", "GEMINI_API_KEY")),
    "google_vertexai": Provider("langchain_google_vertexai", "ChatVertexAI"),
    "groq": Provider("langchain_groq", "ChatGroq", ("GROQ_API_KEY",)),
    "huggingface": Provider("langchain_huggingface", "ChatHuggingFace"),
    "ibm": Provider("langchain_ibm", "ChatWatsonx"),
    "langsmith": Provider("langchain_openai", "ChatOpenAI", ("LANGSMITH_GATEWAY_API_KEY", "LANGSMITH_API_KEY")),
    "litellm": Provider("langchain_litellm", "ChatLiteLLM"),
    "meta": Provider("langchain_meta", "ChatMetaModel"),
    "mistralai": Provider("langchain_mistralai", "ChatMistralAI", ("MISTRAL_API_KEY",)),
    "nvidia": Provider("langchain_nvidia_ai_endpoints", "ChatNVIDIA"),
    "ollama": Provider("langchain_ollama", "ChatOllama"),
    "openai": Provider("langchain_openai", "ChatOpenAI", ("OPENAI_API_KEY",)),
    "openrouter": Provider("langchain_openrouter", "ChatOpenRouter", ("OPENROUTER_API_KEY",)),
    "perplexity": Provider("langchain_perplexity", "ChatPerplexity", ("PPLX_API_KEY", "PERPLEXITY_API_KEY")),
    "together": Provider("langchain_together", "ChatTogether", ("TOGETHER_API_KEY",)),
    "upstage": Provider("langchain_upstage", "ChatUpstage", ("UPSTAGE_API_KEY",)),
    "xai": Provider("langchain_xai", "ChatXAI", ("XAI_API_KEY",)),
}
"""Those of `langchain.chat_models.init_chat_model`, written down so that a name is checked without importing LangChain;
a test compares the two."""


def providers() -> list[str]:
    """Return the providers whose package is installed, in alphabetical order."""
    return [name for name, provider in PROVIDERS.items() if provider.installed]


def key_variable(model_name: str) -> str:
    """Return the variable that holds the key for PROVIDER:MODEL; empty where we know of none."""
    provider = PROVIDERS.get(model_name.partition(":")[0])
    return provider.keys[0] if provider and provider.keys else ""
