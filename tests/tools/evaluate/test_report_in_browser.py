"""The report as a person sees it: in headless Chromium."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from automl_gpt.tools.evaluate.report import write_report
from tests.tools.finished_run import churn_run

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr", "--v=0",
)  # fmt: skip
MEASURE = "<pre id='measured'></pre><script>measured.textContent = document.documentElement.scrollWidth</script>"


def browse(file: Path, folder: Path, *flags: str) -> tuple[str, str]:
    """Return the page's DOM after loading, and what the browser's console said."""
    assert BROWSER is not None
    command = [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", *flags, "--dump-dom", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if BROWSER is None:
        assert "CI" not in os.environ, "CI needs chromium to look at the report"
        pytest.skip("there is no chromium here")
    run = churn_run(tmp_path_factory.mktemp("runs") / "churn")
    return write_report(run.state, run.folder)


def test_the_report_opens_with_all_its_parts_and_without_an_error(page: Path, tmp_path: Path) -> None:
    dom, console = browse(page, tmp_path)
    assert console == ""
    headings = re.findall(r"<h2>(.*?)</h2>", dom)
    assert headings[:3] == ["The delivered model", "Predicted against actual", "Trials"]
    assert len(headings) == 8
    assert dom.count("<svg") == 7
    assert "<script" not in dom


def test_on_a_narrow_screen_the_page_itself_does_not_scroll_sideways(page: Path, tmp_path: Path) -> None:
    # Headless Chromium takes no window narrower than 500 pixels, so the page stands in a frame.
    text = page.read_text(encoding="utf-8")
    open_page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text).replace(
        "</body>", MEASURE + "</body>"
    )
    (tmp_path / "page.html").write_text(open_page, encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(
        "<iframe id='f' src='page.html' width='380' height='800' style='border:0'></iframe><pre id='said'></pre>"
        "<script>f.onload = () => { said.textContent = "
        "f.contentWindow.document.getElementById('measured').textContent }</script>"
    )
    dom, _ = browse(frame, tmp_path, "--allow-file-access-from-files", "--virtual-time-budget=3000")
    found = re.search(r'<pre id="said">(\d+)</pre>', dom)
    assert found is not None
    assert int(found.group(1)) <= 380
