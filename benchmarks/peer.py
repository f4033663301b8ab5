"""Peers: other people's libraries in environments of their own. Their results are kept in benchmarks/.peers/results."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.datasets import Case
from benchmarks.product import Done, timed

HERE = Path(__file__).parent / "peers"
KEPT = Path(__file__).parent / ".peers"


@dataclass(frozen=True)
class Peer:
    """A method of a script in benchmarks/peers, and the list of packages of its environment."""

    name: str
    script: str
    packages: str

    @property
    def version(self) -> str:
        """A digest of all that a result depends on beside the data: the script and its libraries."""
        return hashlib.sha256((HERE / self.script).read_bytes() + (HERE / self.packages).read_bytes()).hexdigest()[:8]

    def python(self) -> Path:
        """Return the Python of its environment; made at the first call and whenever the list of packages changes."""
        wanted = (HERE / self.packages).read_text("utf-8")
        folder = KEPT / Path(self.packages).stem
        stamp = folder / "packages.txt"
        if not stamp.is_file() or stamp.read_text("utf-8") != wanted:
            print(f"making the environment of {self.name} ...", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            pip = [folder / "bin" / "python", "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
            subprocess.run([*pip, "-r", HERE / self.packages], check=True)
            stamp.write_text(wanted, "utf-8")
        return folder / "bin" / "python"

    def run(self, case: Case, out: Path, seconds: float, cores: int) -> Done:
        """Let it learn and write its predictions."""
        command: list[str | Path] = [self.python(), HERE / self.script, self.name, case.train, case.test, out]
        command += ["--task", case.task, "--target", case.target, "--seconds", str(seconds), "--seed", str(case.seed)]
        command += ["--threads", str(cores), *(f"--drop={column}" for column in case.drop)]
        return timed([*command, "--began", str(time.monotonic())], cores=cores, timeout=3 * seconds + 120)


PEERS = {
    peer.name: peer
    for peer in (
        Peer("xgboost", "boosting.py", "boosting.txt"),
        Peer("optuna", "boosting.py", "boosting.txt"),
        Peer("flaml", "automl.py", "flaml.txt"),
        Peer("autogluon", "automl.py", "autogluon.txt"),
    )
}
