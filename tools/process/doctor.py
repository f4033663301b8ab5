"""What breaks a set-up, found in seconds: packages, devices, space, the journal, the network, the terminal.

Nothing is changed, nothing secret is shown: of keys, proxies and addresses only whether they are set.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from automl_gpt.cards.errors import StoreError
from automl_gpt.tools.base import home
from automl_gpt.tools.journal.database import Database, file_url, parse_url
from automl_gpt.tools.process import machine
from automl_gpt.tools.process.packages import Check, Level, check_packages

PYTHON = (3, 11)
GIGABYTE = 1e9
LITTLE_SPACE, NO_SPACE = 5.0, 0.5
LITTLE_MEMORY, NO_MEMORY = 4.0, 1.0
HUB_SECONDS = 2.0
WIDE_ENOUGH = 80
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ON = ("1", "on", "yes", "true")


def examine() -> list[Check]:
    """Look at everything; imports, the journal and the network are waited for at once."""
    with ThreadPoolExecutor(3) as pool:
        packages, store, hub = pool.submit(check_packages), pool.submit(check_store), pool.submit(check_hub)
        here = [check_python(), *check_space(), check_memory(), check_home()]
        there = [check_proxies(), check_key(), check_terminal(), check_threads()]
        return [*here, store.result(), *packages.result(), hub.result(), *there]


def healthy(checks: Iterable[Check]) -> bool:
    """Say whether nothing is broken; warnings don't count."""
    return all(check.level != "bad" for check in checks)


# ------------------------------------------------------------------------------------------------------- this machine


def check_python() -> Check:
    """Check the interpreter's version."""
    text = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] >= PYTHON:
        return Check("python", "ok", text)
    return Check("python", "bad", f"{text} is too old", f"install Python {PYTHON[0]}.{PYTHON[1]} or newer")


def check_space() -> list[Check]:
    """Check the free space where models are kept, and where temporary files go."""
    places = {
        "space": (_nearest(home()), "AUTOML_GPT_HOME"),
        "temporary space": (Path(tempfile.gettempdir()), "TMPDIR"),
    }
    checks: list[Check] = []
    for name, (folder, variable) in places.items():
        free = shutil.disk_usage(folder).free / GIGABYTE
        level = _level(free, LITTLE_SPACE, NO_SPACE)
        mend = "" if level == "ok" else f"free some, `automl-gpt runs --clean` does, or set {variable} to another disk"
        checks.append(Check(name, level, f"{free:.1f} GB are free in {folder}", mend))
    return checks


def check_memory() -> Check:
    """Check the memory that is free, within a container's limit."""
    free = machine.memory() / GIGABYTE
    level = _level(free, LITTLE_MEMORY, NO_MEMORY)
    mend = "" if level == "ok" else "end other programs, or train with --workers 1"
    return Check("memory", level, f"{free:.1f} GB of memory are free", mend)


def _level(value: float, little: float, none: float) -> Level:
    return "bad" if value < none else "warn" if value < little else "ok"


def check_home() -> Check:
    """Check that the home can be written to; nothing is left there."""
    folder = home()
    try:
        with tempfile.TemporaryFile(dir=_nearest(folder)):
            return Check("home", "ok", f"{folder} can be written to")
    except OSError as error:
        mend = "set AUTOML_GPT_HOME to a folder of yours"
        return Check("home", "bad", f"{folder} can't be written to: {error.strerror or error}", mend)


def _nearest(folder: Path) -> Path:
    """Return the folder, or the innermost one around it that exists."""
    place = folder.expanduser().absolute()
    return next(one for one in (place, *place.parents) if one.exists())


def check_store() -> Check:
    """Check that the journal's database answers; one that is not there yet is not made."""
    given = os.environ.get("AUTOML_GPT_STORE")
    try:
        database = Database(parse_url(given) if given else file_url(home().expanduser().absolute() / "journal.db"))
        if database.file is not None and not database.file.exists():
            return Check("journal", "ok", f"{database.place} will be made by the first run")
        try:
            with database.reading() as connection:
                connection.exec_driver_sql("SELECT 1")
        finally:
            database.close()
    except StoreError as error:
        return Check("journal", "bad", str(error), "set AUTOML_GPT_STORE to a database that answers, or unset it")
    return Check("journal", "ok", f"{database.place} answers")


# --------------------------------------------------------------------------------------------------------- the network


def check_hub() -> Check:
    """Check whether the hub of weights and data sets can be reached: said, never a failure."""
    address = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    host = urlsplit(address).hostname or "the hub"
    if os.environ.get("HF_HUB_OFFLINE", "").strip().lower() in ON:
        return Check("hub", "ok", "HF_HUB_OFFLINE is set: only what was downloaded before is used")
    if _within(2 * HUB_SECONDS, lambda: _answers(address)):
        return Check("hub", "ok", f"{host} can be reached")
    mend = "copy weights and data here and name their paths, or set HTTPS_PROXY or HF_ENDPOINT"
    return Check("hub", "warn", f"{host} can't be reached: hub: sources work only if downloaded before", mend)


def _answers(address: str) -> bool:
    import httpx2

    try:
        return httpx2.head(address, timeout=HUB_SECONDS).status_code < 500
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError):
        return False


def _within(seconds: float, question: Callable[[], bool]) -> bool:
    """Ask, and take too late an answer for a no: looking up a name keeps to no time limit of its own."""
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(question()), daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answers and answers[0])


def check_proxies() -> Check:
    """Check which proxies are set, and that servers of this machine are asked without them."""
    found = [name for name in os.environ if name.upper() in PROXIES and os.environ[name]]
    if not found:
        return Check("proxy", "ok", "no proxy is set")
    excepted = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    hosts = {host.strip().lower() for host in excepted.split(",")}
    text = f"set: {', '.join(sorted(found))}"
    if "*" in hosts or {"localhost", "127.0.0.1"} <= hosts:
        return Check("proxy", "ok", text)
    mend = "export NO_PROXY=localhost,127.0.0.1"
    return Check("proxy", "warn", f"{text}; servers on this machine are asked through it, too", mend)


def check_key() -> Check:
    """Check whether there is a key for a language model, and that it is one piece."""
    key = os.environ.get("OPENAI_API_KEY", "")
    if not key:
        return Check("key", "ok", "OPENAI_API_KEY is not set: the built-in controller needs none")
    if key != key.strip().strip("'\"") or any(map(str.isspace, key)):
        mend = "set it again, without spaces, line ends and quotes"
        return Check("key", "warn", "OPENAI_API_KEY has spaces or quotes in or around it", mend)
    return Check("key", "ok", "OPENAI_API_KEY is set")


# -------------------------------------------------------------------------------------------------------- the terminal


def check_terminal() -> Check:
    """Check that the terminal is wide enough and shows more than ASCII."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("_", "-")
    if not encoding.startswith("utf"):
        mend = "export LANG=C.UTF-8 PYTHONIOENCODING=utf-8"
        return Check("terminal", "warn", f"the output is encoded as {encoding}: curves can't be drawn", mend)
    if not sys.stdout.isatty():
        return Check("terminal", "ok", f"no terminal: plain text, {encoding}")
    size = shutil.get_terminal_size()
    text = f"{size.columns} x {size.lines}, {encoding}"
    if size.columns < WIDE_ENOUGH:
        return Check("terminal", "warn", f"{text} is narrow for tables", f"make it {WIDE_ENOUGH} columns wide")
    return Check("terminal", "ok", text)


def check_threads() -> Check:
    """Check that variables that limit threads are numbers that the cores allow."""
    cores = machine.cores()
    found = {name: os.environ[name] for name in THREADS if name in os.environ}
    text = f"{cores} cores" + "".join(f", {name}={value}" for name, value in found.items())
    if all(value.isdecimal() and 0 < int(value) <= cores for value in found.values()):
        return Check("threads", "ok", text)
    return Check("threads", "warn", f"{text}: more threads than cores slow each other down", "unset " + " ".join(found))
