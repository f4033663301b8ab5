"""What is taken out of texts as a secret, what is not, and that none reaches the disk through the journal."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl_gpt.agent.person import open_history
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.redact import redact
from automl_gpt.tools.journal.store import open_journal

# Put together here, so that no tool that looks for secrets takes this file for a leak.
LETTERS = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0fG"
KEYS = {
    "openai": "sk-" + LETTERS,
    "openai project": "sk-proj-" + LETTERS + "_x-" + LETTERS,
    "anthropic": "sk-ant-api03-" + LETTERS,
    "github": "ghp_" + LETTERS,
    "github app": "ghs_" + LETTERS,
    "github fine": "github_pat_" + LETTERS[:22] + "_" + LETTERS,
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "google": "AIza" + LETTERS + "abc-_",
    "slack": "xoxb-" + "123456789012-" + LETTERS,
    "hugging face": "hf_" + LETTERS,
    "gitlab": "glpat-" + LETTERS[:20],
    "groq": "gsk_" + LETTERS,
    "jwt": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + LETTERS,
}
PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + f"{LETTERS}+/=\n" * 3 + "-----END RSA PRIVATE KEY-----"
HARD = 'p"a\\ss/wörd &1\nmore'


@pytest.fixture(autouse=True)
def _no_secrets_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if any(part in name.upper() for part in ("KEY", "TOKEN", "SECRET", "PASSW", "CREDENTIAL")):
            monkeypatch.delenv(name)


# --------------------------------------------------------------------------------------------------- the environment


@pytest.mark.parametrize(
    "name", ["OPENAI_API_KEY", "mytoken", "APP_SECRET_2", "PGPASSWORD", "DB_PASSWD", "MY_CREDENTIALS", "KEY"]
)
def test_the_value_of_a_variable_that_names_a_secret_goes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "Correct7Horse")
    assert redact("I use Correct7Horse, x=Correct7Horse.") == "I use [redacted], x=[redacted]."


def test_a_secret_goes_in_every_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", HARD)
    twice = json.dumps({"result": json.dumps({"said": HARD})})
    for text in (HARD, json.dumps(HARD), json.dumps(HARD, ensure_ascii=False), quote(HARD), quote_plus(HARD)):
        assert redact(f"<{text}>").replace('"', "") == "<[redacted]>"
    assert json.loads(json.loads(redact(twice))["result"]) == {"said": "[redacted]"}


def test_variables_are_read_at_the_time_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    assert redact("first0000 second111") == "first0000 second111"
    monkeypatch.setenv("A_TOKEN", "first0000")
    assert redact("first0000 second111") == "[redacted] second111"
    monkeypatch.setenv("A_TOKEN", "second111")
    assert redact("first0000 second111") == "first0000 [redacted]"
    monkeypatch.delenv("A_TOKEN")
    assert redact("first0000 second111") == "first0000 second111"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_KEY", "sh0rt"), ("MAX_TOKENS", "100000000"), ("TOKEN_LIMIT", "12345678.5"), ("SORT_KEY", "customer_id"),
        ("OPENAI_API_KEY", "not-needed"), ("TOKENIZERS_PARALLELISM", "deferred1"), ("XDG_KEYBOARD", "pc105-de-x"),
        ("SSH_KEY_PATH", "data/train.csv/1"), ("HOME", "Correct7Horse"),
    ],
)  # fmt: skip
def test_what_is_short_a_number_a_name_or_a_place_is_no_secret(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert redact(f'{{"a": "{value}"}}') == f'{{"a": "{value}"}}'


def test_a_folder_that_is_there_is_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", str(tmp_path))
    assert redact(f"{tmp_path}/iris.csv") == f"{tmp_path}/iris.csv"


def test_a_password_that_is_a_word_goes_as_a_whole_word_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "swordfish")
    assert redact("swordfish, swordfish_count, swordfishes") == "[redacted], swordfish_count, swordfishes"
    assert json.loads(redact(json.dumps("a\nswordfish"))) == "a\n[redacted]"


# ------------------------------------------------------------------------------------------------- well-known forms


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("around", ["{}", "key {}.", '{{"a":"{}"}}', '"line\\n{}\\n"', "key%3D{}&", "({})", "\t{}\n"])
def test_well_known_keys_go(kind: str, around: str) -> None:
    assert redact(around.format(KEYS[kind])) == around.format("[redacted]")


def test_a_private_key_goes_as_a_whole_in_prose_and_in_json() -> None:
    assert redact(f"so:\n{PEM}\nend.") == "so:\n[redacted]\nend."
    assert json.loads(redact(json.dumps([PEM, "x"]))) == ["[redacted]", "x"]
    assert json.loads(redact(json.dumps([PEM[:60], "x"]))) == ["[redacted]", "x"]
    assert json.loads(json.loads(redact(json.dumps(json.dumps([PEM, "x"]))))) == ["[redacted]", "x"]


def test_a_bearer_token_goes() -> None:
    assert redact(f"Authorization: Bearer {LETTERS}") == "Authorization: Bearer [redacted]"
    assert redact("the bearer of internationalization") == "the bearer of internationalization"


def test_who_logs_in_goes_from_an_address_and_the_rest_stays() -> None:
    assert redact("postgresql://bob:s3cr3t@db.example:5432/x") == "postgresql://[redacted]@db.example:5432/x"
    assert redact("redis://:p@ss@h/0 and http://h:80/a@b") == "redis://[redacted]@h/0 and http://h:80/a@b"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("api_key=abc123def", "api_key=[redacted]"),
        ("the API key: abc123def, yes", "the API key: [redacted], yes"),
        ("my password: hunter2!", "my password: [redacted]"),
        ("host=x password=correcthorse user=y", "host=x password=[redacted] user=y"),
        ('{"api_key": "abc123def", "b": 1}', '{"api_key": "[redacted]", "b": 1}'),
        ("{'client_secret': 'abc123def'}", "{'client_secret': '[redacted]'}"),
        (r'"say {\"password\": \"abc123def\"}"', r'"say {\"password\": \"[redacted]\"}"'),
        (f"?access_token={LETTERS}&x=1", "?access_token=[redacted]&x=1"),
    ],
)
def test_assigned_secrets_go(text: str, left: str) -> None:
    assert redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "token_count, password_length, api_key_age and secret_santa are columns",
        '{"token_count": 12, "password_length": "int64", "password": "text", "token": "categorical", "secret": 0.5}',
        '{"name":"password","type":"number","distinct":9}', '["my password:","by"]', '{"text":"password:","by":"x"}',
        "password: required; secret: float64, passwd: object, api key: none",
        "the password: 0.021345 and the token: 50257, tokens: 120000",
        "fingerprint 0123456789abcdef, token: 0123456789abcdef, secret=0123456789abcdef",
        "iris-flowers-7kx2 hist_gradient_boosting task-0123 risk-adjusted-return-2024-quarter-3",
        "sk-learn-contrib-polylearn and scikit-learn==1.8.0", "hf_internal_testing/tiny-random-bert",
        "learning_rate=0.012345678901234567, seed 1234567890123456789, 1e-05",
        "card: https://example.org:8080/data.csv and someone@example.org", "AKIA, ASIA and eyJ are no keys",
        "key=value; target_key=customer_number_12345", "the private key of the lock", "", " ",
    ],
)  # fmt: skip
def test_words_numbers_columns_and_fingerprints_stay(text: str) -> None:
    assert redact(text) is text or redact(text) == text


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.sampled_from(
    [
        *KEYS.values(),
        PEM,
        HARD,
        "password",
        ": ",
        "=",
        "://a:b@c",
        "Bearer ",
        'api_key="',
        "hunter2",
        "\\",
        "-----BEGIN ",
    ]
)
JOINED = st.lists(TEXTS, max_size=6).map("".join)
NAMES = st.text(st.characters(exclude_categories=("Cs",)), max_size=5) | st.sampled_from(
    ["api_key", "password", "token"]
)
VALUES = st.recursive(
    JOINED | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none(),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(NAMES, v, max_size=3),
    max_leaves=8,
)


@settings(
    derandomize=True, database=None, deadline=None, max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(value=VALUES, ascii=st.booleans())
def test_json_stays_json_of_the_same_shape_and_nothing_is_left_for_a_second_time(value: object, ascii: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DB_PASSWORD", HARD)
        once = redact(json.dumps(value, ensure_ascii=ascii))
        assert redact(once) == once
    assert shape(json.loads(once)) == shape(value)
    assert not any(
        spelling in once for spelling in (json.dumps(HARD)[1:-1], json.dumps(HARD, ensure_ascii=False)[1:-1])
    )


def shape(value: object) -> object:
    """The kinds of a value's parts, and its numbers."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value]
    return str if isinstance(value, str) else value


@pytest.mark.parametrize(
    "unit",
    ["://a:", "sk-", "eyJaaaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "password=", "api_key\\", "Bearer a", '"token'],
)
def test_the_longest_texts_are_read_within_seconds(unit: str) -> None:
    since = time.monotonic()
    for before in ("", "://a:", "eyJaaaaaaaaaa.", 'password="'):
        assert redact((before + unit * 400_000)[:400_000])
    assert time.monotonic() - since < 20


# ------------------------------------------------------------------------------------------------------ on the disk


def secretive(run_card: e.RunStarted, secrets: list[str]) -> list[e.Event]:
    text = " and ".join(secrets)
    return [
        e.Said(text=f"use {text}", understood=text),
        e.Replied(text=text, by="openai:m"),
        e.LLMAsked(
            call=1, purpose="revise", model="openai:m", mode="tools", context_tokens=8192, output_tokens=100,
            prompt_version="1", tokens_in=10, tokens_out=100,
            messages=(e.Message(role="user", text=text, calls=(e.Call(name="x", arguments={"a": secrets}),)),),
            tools=({"name": text},),
        ),
        e.LLMAnswered(call=1, text=text, calls=(e.Call(name="x", raw=json.dumps({"a": secrets})),), words=text),
        e.ToolCalled(name="x", arguments={text: {"b": [text]}}, result=json.dumps({"a": text}), by="person"),
        e.DecisionRefused(decision="revise", problem=text, by="openai:m"),
        e.ControllerSwitched(to="builtin", reason=text),
        e.RequestChanged(request=run_card.request.model_copy(update={"require": text})),
        e.Warned(text=text),
    ]  # fmt: skip


def on_disk(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_no_secret_is_in_any_file_of_the_home(make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", HARD)
    monkeypatch.setenv("OWN_API_KEY", "plainly1234 secret")
    secrets = [*KEYS.values(), PEM, HARD, "plainly1234 secret"]
    journal = open_journal(folder=tmp_path)
    started = make.started(name=KEYS["openai"])
    run = journal.create(started)
    events = secretive(started, secrets)
    journal.append(run, *events)
    journal.append(run, make.profiled(name=KEYS["github"]))
    # While it is open, what was written last stands in the -wal file.
    files = on_disk(tmp_path)
    assert any(name.endswith("-wal") and len(content) for name, content in files.items())
    look_for = {*secrets, *(json.dumps(s)[1:-1] for s in secrets), *(s.split("\n")[0] for s in secrets)}
    look_for |= {json.dumps(s, ensure_ascii=False)[1:-1] for s in look_for}
    look_for |= {LETTERS, LETTERS.lower(), LETTERS[-16:], HARD[:8], "EXAMPLE"}
    assert [(name, s) for name, content in files.items() for s in look_for if s.encode() in content] == []
    assert not any(LETTERS.lower()[:16] in name for name in files) and "openai" not in run
    journal.close()
    assert [(name, s) for name, content in on_disk(tmp_path).items() for s in look_for if s.encode() in content] == []


def test_what_a_process_holds_of_an_event_keeps_its_words_and_the_disk_does_not(make, tmp_path: Path) -> None:
    journal = open_journal(folder=tmp_path)
    run = journal.create(make.started())
    event = e.Said(text=f"my key is {KEYS['openai']}, be careful")
    journal.append(run, event)
    assert event.text == f"my key is {KEYS['openai']}, be careful"
    assert journal.state(run).said == [e.Said(text="my key is [redacted], be careful")]


def test_a_password_that_is_a_word_of_the_journal_leaves_it_readable(
    make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "continue")
    journal = open_journal(folder=tmp_path)
    run = journal.create(make.started())
    journal.append(run, make.profiled(), e.Revised(action="continue", reason="to continue is right", by="builtin"))
    assert journal.state(run).revisions == [e.Revised(action="continue", reason="to [redacted] is right", by="builtin")]


def test_the_tables_are_the_same_when_they_are_derived_anew(make, tmp_path: Path) -> None:
    journal = open_journal(folder=tmp_path)
    run = journal.create(make.started(name=f"data {KEYS['openai']}"))
    before = journal.runs()
    journal.rebuild()
    assert journal.runs() == before and before[0].run == run and before[0].name == "data redacted"


def test_what_was_typed_is_kept_without_secrets(tmp_path: Path) -> None:
    history = open_history(tmp_path / "history")
    history.append_string(f"/controller openai:m with {KEYS['openai']}")
    history.append_string("password: hunter2!\nand more")
    text = (tmp_path / "history").read_text("utf-8")
    assert KEYS["openai"] not in text and "hunter2" not in text
    assert "+/controller openai:m with [redacted]" in text and "+and more" in text
