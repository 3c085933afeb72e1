from __future__ import annotations

import subprocess
import sys

import _display
import pytest


@pytest.fixture
def commands(monkeypatch):
    """What is run, instead of running it; sudo asks for a password."""
    seen = []

    def run(command, **options):
        seen.append(command)
        return subprocess.CompletedProcess(command, 1 if command[0] == "sudo" else 0)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(_display.shutil, "which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr(_display.subprocess, "run", run)
    return seen


def lack(monkeypatch, *answers):
    """Let the packages of each answer be missing, one answer for each look."""
    looks = iter(answers)
    monkeypatch.setattr(_display, "missing", lambda: next(looks))


def test_root_installs_what_is_missing(monkeypatch, commands):
    lack(monkeypatch, ["xvfb", "libgl1"], [])
    monkeypatch.setattr(_display.os, "geteuid", lambda: 0, raising=False)
    assert _display.main() is None
    assert [command[2] for command in commands] == ["apt-get", "apt-get"]
    assert commands[1][3:] == ["install", "-y", "--no-install-recommends", "xvfb", "libgl1"]


def test_who_may_not_install_is_told_what_to_type(monkeypatch, commands):
    lack(monkeypatch, ["xvfb", "libgl1"])
    monkeypatch.setattr(_display.os, "geteuid", lambda: 1000, raising=False)
    sentence = _display.main()
    assert sentence is not None
    install = "sudo apt-get update && sudo apt-get install -y --no-install-recommends xvfb libgl1"
    assert sentence.endswith(install)
    assert commands == [["sudo", "-n", "true"]]


def test_a_linux_without_apt_is_told_what_is_missing(monkeypatch, commands):
    lack(monkeypatch, ["xvfb"])
    monkeypatch.setattr(_display.shutil, "which", lambda program: None)
    assert "xvfb" in str(_display.main())
    assert commands == []


def test_an_installation_that_changes_nothing_is_no_success(monkeypatch, commands):
    lack(monkeypatch, ["xvfb"], ["xvfb"])
    monkeypatch.setattr(_display.os, "geteuid", lambda: 0, raising=False)
    assert "xvfb" in str(_display.main())


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_nothing_is_done(monkeypatch, commands, platform):
    lack(monkeypatch, ["xvfb"])
    monkeypatch.setattr(sys, "platform", platform)
    assert _display.main() is None
    assert commands == []
