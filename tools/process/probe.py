"""Import packages one by one and say how each went: run as a process of its own, which a broken package may end.

`python -m automl_gpt.tools.process.probe NAME...` writes a line of JSON before and after each import. What packages
print is thrown away.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any


def main(names: list[str]) -> None:
    """Import the packages in this order."""
    out = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    for name in names:
        _say(out, {"begun": name})
        _say(out, {"name": name, **_imported(name)})


def _say(out: int, line: dict[str, Any]) -> None:
    os.write(out, json.dumps(line).encode() + b"\n")


def _imported(name: str) -> dict[str, Any]:
    try:
        module: Any = importlib.import_module(name)
        found = {"version": str(getattr(module, "__version__", ""))}
        return found | (_devices(module) if name == "torch" else {})
    except ModuleNotFoundError as error:
        return {"missing": True} if error.name == name.partition(".")[0] else {"problem": _words(error)}
    except BaseException as error:
        return {"problem": _words(error)}


def _words(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _devices(torch: Any) -> dict[str, Any]:
    """Return the accelerators that torch sees, and the CUDA that it was built for."""
    cuda = torch.cuda.is_available()
    return {
        "built_for": torch.version.cuda,
        "devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if cuda else [],
        "mps": bool(torch.backends.mps.is_available()),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
