from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "napari_slip"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """A folder with the source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT], check=True)
    return folder


@pytest.fixture(scope="module")
def wheel(dist) -> Path:
    return next(dist.glob("*.whl"))


def read(wheel: Path, name: str) -> str:
    with ZipFile(wheel) as archive:
        return archive.read(next(entry for entry in archive.namelist() if entry.endswith(name))).decode()


def test_the_wheel_carries_the_whole_package(wheel):
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    ours = {path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes() for path in files}
    with ZipFile(wheel) as archive:
        shipped = [name for name in archive.namelist() if name.startswith("napari_slip/")]
        assert sorted(shipped) == sorted(ours)
        assert {name: archive.read(name) for name in shipped} == ours


def test_the_mini_weights_are_shipped_and_small(wheel):
    with ZipFile(wheel) as archive:
        weights = [entry for entry in archive.infolist() if "/models/mini/" in entry.filename]
    sizes = {entry.filename: entry.file_size for entry in weights if not entry.filename.endswith(".py")}
    assert sum(name.endswith(".safetensors") for name in sizes) >= 2  # a SAM and a CLIP
    assert sum(name.endswith(".json") for name in sizes) >= 1  # a tokenizer, configurations
    assert sum(sizes.values()) <= 30e6


def test_the_base_brings_neither_napari_nor_qt(wheel):
    requirements = email.message_from_string(read(wheel, ".dist-info/METADATA")).get_all("Requires-Dist")
    base = {re.match(r"[\w.-]+", line)[0].lower() for line in requirements if "extra ==" not in line}
    assert "torch" in base
    assert not base & {"napari", "pyqt5", "pyqt6", "pyside2", "pyside6"}


def test_the_wheel_offers_a_command_and_a_napari_plugin(wheel):
    entries = ConfigParser(delimiters="=")
    entries.read_string(read(wheel, ".dist-info/entry_points.txt"))
    assert entries["console_scripts"]["napari-slip"] == "napari_slip.cli:app"
    assert entries["napari.manifest"]["napari-slip"] == "napari_slip:napari.yaml"


def test_napari_accepts_the_installed_wheel(wheel, tmp_path):
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", tmp_path, wheel]
    subprocess.run(pip, check=True)
    code = "import napari_slip; print(napari_slip.__file__); from npe2.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "validate", "napari-slip", "--imports"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(tmp_path) in done.stdout  # this wheel, and no other installation


def test_the_source_distribution_is_enough_to_test_it(dist):
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"napari.yaml", "tox.ini", "LICENSE", "tests/conftest.py", "src/napari_slip/napari.yaml"} <= names
