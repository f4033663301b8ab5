"""Each benchmark is a command that starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
STARTS = """
import contextlib, importlib, io, sys
for name in sys.argv[1:]:
    module = importlib.import_module(f"benchmarks.{name}")
    if hasattr(module, "main") and hasattr(module, "argparse"):
        sys.argv[1:] = ["--help"]
        with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
            module.main()
        assert "usage" in said.getvalue(), name
    print(name)
"""


def test_every_benchmark_says_what_it_takes():
    names = sorted(file.stem for file in (ROOT / "benchmarks").glob("[a-z]*.py"))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", STARTS, *names]
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == names
