"""The rules of the house: layers, packaging, size, safety, and how little is imported before it is needed."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
BELOW = {"agent": {"agent", "tools", "cards"}, "tools": {"tools", "cards"}, "cards": {"cards"}}
FOLDERS = (*BELOW, "prompt_templates")
DATA = (".yaml", ".j2", ".html", ".gz")
HEAVY = {
    *("langchain", "langchain_core", "lightgbm", "matplotlib", "openai", "optuna", "pandas", "pyarrow", "scipy"),
    *("sklearn", "sqlalchemy", "torch", "transformers", "xgboost"),
}
CODE_ON_LOADING = {"pickle", "cPickle", "_pickle", "joblib", "dill", "cloudpickle", "marshal", "shelve"}

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
MODULES = {
    path: ast.parse(path.read_text("utf-8"), str(path))
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def place(path: Path, node: ast.AST | None = None) -> str:
    line = f":{getattr(node, 'lineno', 1)}" if node else ""
    return f"{path.relative_to(ROOT).as_posix()}{line}"


def layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def imported(node: ast.AST) -> list[str]:
    """The full names that an import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]
    return []


def imports() -> Iterator[tuple[Path, ast.AST, str]]:
    for path, tree in MODULES.items():
        for node in ast.walk(tree):
            for name in imported(node):
                yield path, node, name


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node, node.func.id


def files_of_the_repository() -> list[Path]:
    """All files that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


# ------------------------------------------------------------------------------------------------------------- layers


def test_no_layer_imports_from_one_above_it() -> None:
    wrong: list[str] = []
    for path, node, name in imports():
        parts = name.split(".")
        if parts[0] == "automl_gpt" and (parts[1] if len(parts) > 1 else "") not in BELOW.get(layer(path), set()):
            wrong.append(f"{place(path, node)} imports {name}")
    assert wrong == []


def test_project_modules_are_imported_by_their_full_names() -> None:
    bare = [
        f"{place(p, n)} {name}" for p, n, name in imports() if name.startswith(".") or name.split(".")[0] in FOLDERS
    ]
    assert bare == []


def test_no_function_but_a_command_hides_an_import_of_the_project() -> None:
    # A command imports what it needs when it runs, so that --help answers at once; elsewhere it would hide a cycle.
    hidden = [
        f"{place(path, node)} {name}"
        for path, tree in MODULES.items()
        if not place(path).startswith("agent/cli.py")
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        for name in imported(node)
        if name.startswith("automl_gpt")
    ]
    assert hidden == []


def test_only_agent_prompts_reads_the_prompt_templates() -> None:
    readers = [
        place(path, node)
        for path, tree in MODULES.items()
        if path != ROOT / "agent" / "prompts" / "__init__.py"
        for node in ast.walk(tree)
        if (isinstance(node, ast.Constant) and node.value == "prompt_templates")
        or any(name.startswith("automl_gpt.prompt_templates") for name in imported(node))
    ]
    assert readers == []


# ---------------------------------------------------------------------------------------------------------- packaging


def packaged_files() -> dict[str, Path]:
    """Every file of the product by the name that it shall have in a wheel."""
    return {
        f"automl_gpt/{path.relative_to(ROOT).as_posix()}": path
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".py", *DATA) or path.name == "py.typed"
    }


def test_pyproject_names_every_package_of_the_tree() -> None:
    tree = {name.rpartition("/")[0].replace("/", ".") for name in packaged_files()}
    assert sorted(PYPROJECT["tool"]["setuptools"]["packages"]) == sorted(tree)


def test_every_layer_says_that_it_is_typed() -> None:
    assert [folder for folder in BELOW if not (ROOT / folder / "py.typed").is_file()] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy so that the checkout gets no build folder."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for folder in (*FOLDERS, "tests", "benchmarks"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__", ".peers"))
    for name in ("pyproject.toml", PYPROJECT["project"]["readme"], *PYPROJECT["project"]["license-files"]):
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(out), "."]
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    built = subprocess.run(command, cwd=source, capture_output=True, text=True, env=environment, check=False)
    assert built.returncode == 0, built.stderr
    return next(out.glob("*.whl"))


def test_a_wheel_holds_all_files_of_the_product_and_no_others(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert sorted(names) == sorted(packaged_files())


def test_cards_and_templates_are_found_from_an_unpacked_wheel(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "import json, pathlib, automl_gpt.cards as c, automl_gpt.prompt_templates as p;"
        "folders = [pathlib.Path(m.__file__).parent for m in (c, p)];"
        "print(json.dumps([str(f) for folder in folders for f in folder.rglob('*.*')]))"
    )
    # -I leaves out the working folder and -S the site-packages, hence the editable installation too.
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"]
    found = [Path(f) for f in json.loads(subprocess.run(command, capture_output=True, check=True).stdout)]
    assert all(f.is_relative_to(tmp_path) for f in found)
    assert {".yaml", ".j2"} <= {f.suffix for f in found}


def pins() -> dict[str, list[Requirement]]:
    """The lines of constraints.txt by the canonical name of their distribution."""
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def test_constraints_pin_every_requirement_to_one_version_that_it_allows() -> None:
    project = PYPROJECT["project"]
    wanted = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    locked, wrong = pins(), list[str]()
    for requirement in map(Requirement, wanted):
        versions = [s for pin in locked.get(canonicalize_name(requirement.name), []) for s in pin.specifier]
        if not versions or not all(s.operator == "==" and s.version in requirement.specifier for s in versions):
            wrong.append(str(requirement))
    assert wrong == []


def test_the_two_builds_of_xgboost_are_held_to_one_version() -> None:
    assert str(pins()["xgboost"][0].specifier) == str(pins()["xgboost-cpu"][0].specifier)


# --------------------------------------------------------------------------------------------------- size and language


def test_no_file_of_the_product_is_longer_than_400_lines() -> None:
    lengths = {place(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


def test_public_functions_and_classes_have_docstrings() -> None:
    bare = [
        f"{place(path, node)} {node.name}"
        for path, tree in MODULES.items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert bare == []


def test_every_module_says_what_it_is_for() -> None:
    assert [place(path) for path, tree in MODULES.items() if tree.body and not ast.get_docstring(tree)] == []


def test_tools_and_cards_print_nothing() -> None:
    printing = [
        place(path, call)
        for path, tree in MODULES.items()
        if layer(path) in ("tools", "cards")
        for call, name in calls(tree)
        if name == "print"
    ]
    assert printing == []


# ------------------------------------------------------------------------------------------------------------- safety


def test_nothing_is_loaded_in_a_format_that_runs_code() -> None:
    assert [f"{place(p, n)} {name}" for p, n, name in imports() if name.split(".")[0] in CODE_ON_LOADING] == []


def test_no_text_is_run_as_code() -> None:
    running = [place(p, call) for p, tree in MODULES.items() for call, name in calls(tree) if name in ("eval", "exec")]
    assert running == []


def test_no_library_is_told_to_trust_what_it_loads() -> None:
    trusting = [
        f"{place(path, node)} {node.arg}"
        for path, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword)
        if node.arg in ("allow_pickle", "trust_remote_code")
        if not (isinstance(node.value, ast.Constant) and node.value.value is False)
    ]
    assert trusting == []


# ---------------------------------------------------------------------------------------------------------- lean start

AFTER_START = """
import json, sys
{start}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


def loaded_by(start: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after running `start`."""
    command = [sys.executable, "-c", AFTER_START.format(start=start)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", ["cli", "chat"])
def test_importing_the_program_loads_no_heavy_library(module: str) -> None:
    assert loaded_by(f"import automl_gpt.agent.{module}") & HEAVY == set()


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["cards", "--help"]])
def test_help_loads_no_heavy_library(arguments: list[str]) -> None:
    start = f"sys.argv = ['automl-gpt', *{arguments!r}]\nfrom automl_gpt.agent.cli import main\n"
    start += "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
    assert loaded_by(start) & HEAVY == set()


# ---------------------------------------------------------------------------------------------------------- the papers


def test_no_file_names_a_place_of_one_machine() -> None:
    private = re.compile(r"(?<![\w.])/(?:work|root|home/\w|Users/\w)[\w/]*")
    found = [
        f"{place(path)} {hit.group()}"
        for path in files_of_the_repository()
        if path != Path(__file__) and not path.is_symlink()
        for hit in private.finditer(path.read_text("utf-8", errors="replace"))
    ]
    assert found == []


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_command_of_a_document_exists(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    named = re.findall(r"(?:`|^\s*\$? *)make ([a-z]+)\b", text, re.MULTILINE)
    assert named
    assert set(named) <= make_targets()


def planned(need: Callable[[str], str], target: str) -> str:
    """What make would do for a target on a machine where nothing is installed yet."""
    command = [need("make"), "--dry-run", "--always-make", "--no-print-directory", target, "ACCEL=cpu"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_main_job_waits_for_no_deep_learning_library(need: Callable[[str], str]) -> None:
    plan = planned(need, "run")
    assert "automl-gpt run breast_cancer" in plan
    assert "torch" not in plan and ",deep" not in plan
    assert ",deep" in planned(need, "chat")


def test_the_help_of_make_lists_every_target(need: Callable[[str], str]) -> None:
    shown = subprocess.run([need("make"), "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"make ([a-z]+)", shown)) >= make_targets()


def test_the_license_is_the_one_that_pyproject_names() -> None:
    assert PYPROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text("utf-8")
