from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from importlinter.cli import lint_imports
from npe2 import PluginManifest

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "napari_slip"


def text(path: Path | Traversable) -> str:
    return path.read_text(encoding="utf-8")


PROJECT = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]

# Needed, though no line of ours imports them.
NEEDED_BY_OTHERS = {"torchvision": "segment-anything imports it and does not ask for it"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required(requirements: list[str]) -> set[str]:
    return {normal(re.match(r"[\w.-]+", line)[0]) for line in requirements}


def third_party_imports(folder: Path, *, but: str = "") -> set[str]:
    """The distributions that the modules of a folder import, wherever in the module."""
    names = set()
    for path in folder.rglob("*.py"):
        if but and path.is_relative_to(folder / but):
            continue
        for node in ast.walk(ast.parse(text(path))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    owners = packages_distributions()
    foreign = names - set(sys.stdlib_module_names) - {"napari_slip"}
    return {normal(owners.get(name, [name])[0]) for name in foreign}


def test_imports_point_downwards_and_only_the_viewer_knows_qt(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    assert lint_imports(cache_dir=str(tmp_path)) == 0


def test_every_room_is_a_package():
    """The contracts and the type checker see no folder without an __init__.py."""
    rooms = {path.parent for path in SOURCE.rglob("*.py")}
    assert {room.name for room in rooms if not (room / "__init__.py").is_file()} == set()


def test_importing_the_package_is_light():
    code = "import sys, napari_slip; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "napari_slip" in loaded
    assert not {"torch", "transformers", "napari", "qtpy", "PyQt5", "PyQt6", "PySide6"}.intersection(loaded)


def test_what_is_imported_is_required():
    base = required(PROJECT["dependencies"])
    assert third_party_imports(SOURCE, but="viewer") <= base
    with_napari = base | required(PROJECT["optional-dependencies"]["all"])
    assert third_party_imports(SOURCE / "viewer") <= with_napari


def test_what_is_required_is_imported():
    unused = required(PROJECT["dependencies"]) - third_party_imports(SOURCE)
    assert unused <= set(NEEDED_BY_OTHERS)


@pytest.mark.parametrize("folder", ["src", "tests", "recipes", "benchmarks"])
def test_no_file_is_longer_than_a_sitting(folder):
    lengths = {str(path): len(text(path).splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_the_manifest_at_the_top_is_the_one_that_napari_reads():
    assert text(files("napari_slip") / "napari.yaml") == text(ROOT / "napari.yaml")


def test_the_manifest_names_things_that_exist():
    manifest = PluginManifest.from_file(ROOT / "napari.yaml")
    assert manifest.name == PROJECT["name"]
    manifest.validate_imports()


def test_the_readme_gives_the_command_that_the_checks_run():
    command = text(ROOT / ".ci" / "run").splitlines()[-1]
    assert command.endswith("pip install tox && tox")
    readme = text(ROOT / "README.md").splitlines()
    assert command in readme
    environment = "python3 -m venv .venv && . .venv/bin/activate"
    assert f"{environment} && pip install . && napari-slip demo --out demo" in readme


def test_a_bare_tox_runs_style_types_and_tests():
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    environments = [name.strip() for name in tox["tox"]["env_list"].split(",")]
    commands = [line for name in environments for line in tox[f"testenv:{name}"]["commands"].split("\n")]
    assert {"ruff check", "mypy", "pytest {posargs}"} <= set(commands)
