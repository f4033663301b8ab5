"""A real server with a real, tiny language model of this machine: `transformers serve`, and a model made on the spot.

The model's weights are random, so it talks nonsense; what it is asked, and how, is as with any other local model.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

NEEDED = ("torch", "transformers", "tokenizers", "accelerate", "fastapi", "uvicorn")
START_SECONDS = 120.0
END, START = "<|im_end|>", "<|im_start|>"
ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = """
{%- if tools %}<|im_start|>system
Tools: {{ tools | tojson }}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content or "" }}
{%- for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def missing() -> list[str]:
    """Return the packages that the server needs and that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def tiny_chat_model(folder: Path, vocabulary: int = 1024, context: int = 16384, seed: int = 0) -> Path:
    """Write a chat model of a tenth of a million random weights into a folder, with its tokenizer and chat template.

    Any text can be written in its bytes; the pieces of words are learnt from the product's own prompts. One token in
    64 ends an answer, so that nonsense is short.
    """
    import torch
    from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM

    tokenizer = _tokenizer(vocabulary)
    end: int = tokenizer.convert_tokens_to_ids(END)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        eos_token_id=end,
        pad_token_id=end,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: Any = Qwen2ForCausalLM(config)
    ends = [end, *range(256, len(tokenizer), 64)]
    model.generation_config = GenerationConfig(do_sample=True, max_new_tokens=256, eos_token_id=ends, pad_token_id=end)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(vocabulary: int) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=[START, END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    files = [*(ROOT / "prompt_templates").glob("*.j2"), *(ROOT / "cards" / "models").glob("*.yaml")]
    tokenizer.train_from_iterator([file.read_text(encoding="utf-8") for file in sorted(files)], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=END,
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


@contextlib.contextmanager
def serve(folder: Path, seed: int = 0) -> Generator[str]:
    """Serve the model in a folder, and give the base address; the server and its children end with the context.

    The model is called as its folder is: it is served from the folder above. Nothing is fetched. RuntimeError with the
    server's last words where it does not come up.
    """
    port, log = _free_port(), folder / "serve.log"
    command = [_program(), "serve", folder.name, "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as words:
        process = subprocess.Popen(
            [*command, "--default-seed", str(seed)],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            env=_offline(folder),
            cwd=folder.parent,
            start_new_session=True,
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        _end(process)


def point_to(url: str, monkeypatch: pytest.MonkeyPatch, model: str = "tiny") -> str:
    """Point the environment to a server, as a person would, and return the controller's name.

    `model` is the name of the folder that it serves: it refuses any other.
    """
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return f"openai:{model}"


def _program() -> str:
    beside = Path(sys.executable).with_name("transformers")
    found = str(beside) if beside.exists() else shutil.which("transformers")
    if found is None:
        raise RuntimeError("the program `transformers` is not installed")
    return found


def _offline(folder: Path) -> dict[str, str]:
    # The list of models is read from the hub's cache, which has to exist.
    cache = folder / "hub"
    cache.mkdir(exist_ok=True)
    own = {"HF_HOME": str(folder), "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith(("_proxy", "_token", "_api_key"))}
    return {**kept, **own, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": ""}


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends and process.poll() is None:
        with contextlib.suppress(OSError), opener.open(url, timeout=5):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the server did not come up:\n{log.read_text(errors='replace')[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return
