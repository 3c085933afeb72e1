from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from _commands import commands, mini, one_sentence, save_coins
from PIL import Image

import napari_slip
from napari_slip.evaluation import Report, Row
from napari_slip.io import RESULTS, read_image, read_provenance
from napari_slip.settings import FilterSettings, MatchSettings

SHELL = [sys.executable, "-m", "napari_slip"]


@pytest.fixture
def call(monkeypatch, tmp_path_factory):
    return commands(monkeypatch, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def picture(tmp_path):
    return save_coins(tmp_path / "coins.png")


def shell(*words, **options):
    words = [*SHELL, *map(str, words)]
    return subprocess.run(words, capture_output=True, text=True, timeout=300, **options)


# ---------------------------------------------------------------- the command itself


def test_help_is_quick_because_nothing_heavy_is_imported():
    code = (
        "import sys; from typer.testing import CliRunner; from napari_slip.cli import app\n"
        "for words in (['--help'], ['segment', '--help'], ['demo', '--help']):\n"
        "    assert CliRunner().invoke(app, words).exit_code == 0\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "skimage", "scipy", "pandas", "napari", "qtpy"} & set(
        done.stdout.split()
    )


def test_the_commands_say_what_they_are(call):
    text = call("--help").stdout
    for command in ("segment", "demo", "replay", "cache", "evaluate", "models"):
        assert command in text
    assert call("--version").stdout.strip() == f"napari-slip {napari_slip.__version__}"


def test_evaluate_prints_a_table_or_json(call, tmp_path, monkeypatch):
    asked = []

    def measure(slip, data, progress):
        asked.append((slip.encoder.card.name, slip.store, data))
        progress("nuclei", 1, 1)
        return Report("mini", (Row(name="recall", value=0.75, n=4, bar=0.5),))

    monkeypatch.setattr("napari_slip.evaluation.evaluate", measure)
    assert "| recall | 0.75 | >= 0.5, reached | 4 |" in call("evaluate", "mini", "--data", tmp_path).stdout
    assert json.loads(call("evaluate", "mini", "--json").stdout)["rows"][0]["reached"] is True
    assert asked == [("mini", None, tmp_path), ("mini", None, None)]
    wrong = call("evaluate", "mini", "--data", tmp_path / "none")
    assert wrong.exit_code == 2
    assert "none is no folder" in one_sentence(wrong.stderr)


# ---------------------------------------------------------------- segment


def test_segment_writes_what_the_library_finds(call, picture, tmp_path):
    out = tmp_path / "out"
    done = call(
        *("segment", picture, "--prompt", "coin", "-p", "star", "--negative", "cloth", "--select", "top:3"),
        *("--area", 50, "inf", "--roundness", 0.2, 1, "--no-store", "--out", out),
    )
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == {
        "provenance.json",
        *("coins" + e for e in RESULTS.values()),
    }
    pixels = read_image(picture).pixels
    segments = mini().segment(pixels)
    match = mini().match(
        segments,
        ["coin", "star"],
        negatives=["cloth"],
        settings=MatchSettings(select="top:3"),
        filters=FilterSettings(area=(50, np.inf), roundness=(0.2, 1)),
    )
    np.testing.assert_array_equal(tifffile.imread(out / "coins.segments.tif"), segments.labels())
    np.testing.assert_array_equal(tifffile.imread(out / "coins.matches.tif"), match.labels())
    assert match.labels().any()
    assert f"{len(segments)} segments; coin: " in done.stdout
    assert str(out) in done.stdout


def test_proposal_settings_and_the_paper_s_filter_are_told_in_the_story(call, picture, tmp_path):
    done = call(
        *(
            "segment",
            picture,
            "-p",
            "coin",
            "--out",
            tmp_path / "out",
            "--paper-filter",
            "--stability-score",
            0.5,
            1,
        ),
        *(
            "--grid",
            "--points-per-side",
            4,
            "--min-area",
            30,
            "--view",
            "box",
            "--view",
            "black",
            "--margin",
            0.3,
        ),
        *("--percentiles", 1, 99, "--template", "a {}.", "--min-score", 0.2),
    )
    assert done.exit_code == 0, done.output
    settings = json.loads((tmp_path / "out" / "provenance.json").read_text())["settings"]
    assert settings["filters"]["predicted_iou"] == [0.9, 1.0]
    assert settings["filters"]["containment"] == 0.8
    assert settings["filters"]["stability_score"] == [0.5, 1.0]
    assert (
        settings["proposals"] | {"prompts": "grid", "points_per_side": 4, "min_area": 30}
        == settings["proposals"]
    )
    assert settings["crops"] == {"views": ["box", "black"], "margin": 0.3}
    assert settings["contrast"]["percentiles"] == [1.0, 99.0]
    assert settings["match"] == {"templates": ["a {}."], "select": "best", "min_score": 0.2}


def test_contrast_limits_shape_the_result(call, picture, tmp_path):
    run = ("segment", picture, "-p", "coin", "--json", "--out", tmp_path / "out")
    bright = json.loads(call(*run, "--contrast-limits", 40, 200).stdout)
    white = json.loads(call(*run, "--contrast-limits", -9, 0).stdout)
    assert bright["images"][0]["n_segments"] > white["images"][0]["n_segments"]


def test_the_summary_for_machines_stands_alone_on_stdout(picture, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    done = shell("segment", picture, tmp_path / "text.png", "-p", "coin", "--json", "--out", tmp_path / "out")
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert (summary["done"], summary["failed"], summary["stopped"]) == (1, 1, False)
    good, bad = summary["images"]
    assert set(good["files"]) == set(RESULTS)
    assert all(Path(path).is_file() for path in [*good["files"].values(), summary["provenance"]])
    assert good["answers"][0]["prompt"] == "coin"
    assert bad["error"].startswith("text.png is not an image")
    assert "Failed: text.png is not an image" in done.stderr
    assert "1 of 2 images done; 1 failed." in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_images_are_listed_and_the_others_done(call, picture, tmp_path):
    (tmp_path / "empty.png").touch()
    Image.new("L", (1, 1)).save(tmp_path / "dot.png")
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((5, 30, 30), np.uint8))
    bad = [tmp_path / name for name in ("missing.png", "empty.png", "dot.png", "stack.tif")] + [tmp_path]
    done = call("segment", *bad, picture, "-p", "coin", "--out", tmp_path / "out")
    assert done.exit_code == 1
    failures = [line for line in done.stderr.splitlines() if line.startswith("Failed: ")]
    for path, line in zip(bad, failures, strict=True):
        assert path.name in line
        assert line.endswith(".")
    assert (tmp_path / "out" / "coins.matches.tif").exists()
    assert "Traceback" not in done.output


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_names_that_are_no_text_and_consoles_that_know_few_letters_do_no_harm(picture, tmp_path):
    strange = picture.rename(tmp_path / os.fsdecode(b"c\xff.png"))
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = shell("segment", strange, "-p", "紅 coin", "--out", tmp_path / "out", env=env)
    assert done.returncode == 0, done.stderr
    assert "coin" in done.stdout
    (record,) = read_provenance(tmp_path / "out" / "provenance.json").images
    assert record.path == str(strange)


def test_nothing_found_is_no_failure_and_is_explained(call, tmp_path):
    Image.new("L", (64, 64), 90).save(tmp_path / "flat.png")
    done = call(
        "segment", tmp_path / "flat.png", "-p", "coin", "--area", 1e6, "inf", "--out", tmp_path / "out"
    )
    assert done.exit_code == 0
    assert "no match" in done.stdout
    assert "No segment was found" in done.stdout or "filters hide" in done.stdout
    assert tifffile.imread(tmp_path / "out" / "flat.matches.tif").max() == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-p", "  "], "The prompt '  ' is blank"),
        (["-p", "coin", "-p", "coin"], "'coin' is given twice"),
        (["-p", "coin", "-n", ""], "The negative '' is blank"),
        (["-p", "coin", "-n", "coin"], "both a prompt and a negative"),
        (["-p", "coin", "--select", "most"], "'most' selects nothing"),
        (["-p", "coin", "--select", "top:0"], "'top:0' selects nothing"),
        (["-p", "coin", "--select", "above:2"], "'above:2' selects nothing"),
        (["-p", "coin", "--min-score", "2"], "min_score is 2"),
        (["-p", "coin", "--area", "9", "3"], "area is"),
        (["-p", "coin", "--containment", "80"], "containment is 80"),
        (["-p", "coin", "--contrast-limits", "9", "3"], "limits is"),
        (["-p", "coin", "--points-per-side", "0"], "points_per_side is 0"),
        (["-p", "coin", "--view", "blue"], "'blue' is no view"),
        (["-p", "coin", "--template", "a photo"], "needs exactly one {}"),
        (["-p", "coin", "--model", "huge"], "no preset 'huge'"),
        (["-p", "coin", "--model", "mini", "--sam", "vit_b"], "one or the other"),
        (["-p", "coin", "--sam", "vit_x"], "no SAM called 'vit_x'"),
        (["-p", "coin", "--clip", "no/such/folder"], "no/such/folder"),
        (["-p", "coin", "--device", "abacus"], "'abacus' is no device"),
    ],
)
def test_wrong_usage_is_said_in_a_sentence_before_any_work(call, picture, tmp_path, words, says, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = call("segment", picture, "--out", tmp_path / "out", *words)
    assert done.exit_code == 2
    assert says in one_sentence(done.stderr)
    assert not list((tmp_path / "out").glob("*"))


def test_no_results_lie_anywhere_where_every_image_failed(call, picture, tmp_path):
    (tmp_path / "no.png").write_text("no picture")
    alone = call("segment", tmp_path / "no.png", "-p", "coin", "--out", tmp_path / "1")
    assert (alone.exit_code, alone.stdout) == (1, "")
    beside = call("segment", tmp_path / "no.png", picture, "-p", "coin", "--out", tmp_path / "2")
    assert beside.exit_code == 1
    assert f"The results lie in {tmp_path / '2'}" in beside.stdout


def test_missing_options_are_usage_errors(call, picture, tmp_path):
    for words in (
        [picture, "-p", "coin"],
        ["-p", "coin", "--out", tmp_path / "o"],
    ):
        done = call("segment", *words)
        assert done.exit_code == 2
        assert "Missing" in done.stderr


def test_an_out_folder_that_is_a_file_is_named(call, picture, tmp_path):
    (tmp_path / "file").touch()
    done = call("segment", picture, "-p", "coin", "--out", tmp_path / "file")
    assert done.exit_code == 2
    assert f"{tmp_path / 'file'} is a file" in one_sentence(done.stderr)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_an_out_folder_that_may_not_be_written_to_is_named(call, picture, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    done = call("segment", picture, "-p", "coin", "--out", tmp_path / "locked")
    assert done.exit_code == 2
    assert "locked: Permission denied" in one_sentence(done.stderr)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /proc")
def test_an_out_folder_where_nothing_can_be_made_is_named(call, picture):
    done = call("segment", picture, "-p", "coin", "--out", "/proc/out")
    assert done.exit_code == 2
    assert "/proc/out" in one_sentence(done.stderr)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_bad_checkpoints_end_in_a_sentence_and_run_nothing(call, picture, tmp_path):
    torch.save({"weight": torch.zeros(200, 200)}, tmp_path / "other.pth")
    (tmp_path / "half.pth").write_bytes((tmp_path / "other.pth").read_bytes()[:50000])
    torch.save({"weight": Malicious(tmp_path / "owned")}, tmp_path / "evil.pth")
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Malicious(tmp_path / "owned")))
    (tmp_path / "text.safetensors").write_text("no weights")
    for name in ("other.pth", "half.pth", "evil.pth", "evil.pkl", "text.safetensors"):
        done = call("segment", picture, "-p", "coin", "--sam", tmp_path / name, "--out", tmp_path / "out")
        assert done.exit_code == 2, done.output
        assert name in one_sentence(done.stderr)
    assert not (tmp_path / "owned").exists()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_in_a_sentence_and_keeps_the_results(picture, tmp_path):
    out = tmp_path / "out"
    words = [*SHELL, "segment", *[str(picture)] * 400, "-p", "coin", "--out", str(out), "--no-store"]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell has the commands that it puts in the background ignore Ctrl-C, and they their children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        until = time.monotonic() + 120
        while not (out / "provenance.json").exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    done = stdout.count("overlay.png")
    assert f"Stopped: {done} of 400 images done" in stderr
    assert 1 <= done == len(list(out.glob("*.overlay.png"))) < 400
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert len(json.loads((out / "provenance.json").read_text())["images"]) == done


def test_ctrl_c_while_the_models_load_ends_in_a_sentence(call, picture, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_slip.loading.load", interrupted)
    done = call("segment", picture, "-p", "coin", "--out", tmp_path / "out")
    assert done.exit_code == 130
    assert "Stopped: 0 of 1 image done" in one_sentence(done.stderr)


def test_ctrl_c_during_other_work_does_not_say_that_nothing_was_done(call, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_slip.evaluation.evaluate", interrupted)
    done = call("evaluate", "mini")
    assert (done.exit_code, one_sentence(done.stderr)) == (130, "Stopped before it was done.")


# ---------------------------------------------------------------- the store


def test_an_image_seen_before_is_not_segmented_again(call, picture, tmp_path, monkeypatch):
    def again(*_):
        raise RuntimeError("it was segmented again")

    run = ("segment", picture, "-p", "coin", "--out", tmp_path / "out", "--json")
    first = call(*run)
    monkeypatch.setattr(mini().segmenter, "encode", again)
    second = call(*run)
    assert first.exit_code == second.exit_code == 0, second.output
    read = [
        tifffile.imread(tmp_path / "out" / name) for name in ("coins.segments.tif", "coins-2.segments.tif")
    ]
    np.testing.assert_array_equal(*read)
    assert "it was segmented again" in call(*run, "--no-store").stderr


def test_the_store_can_be_looked_at_and_cleared(call, picture, tmp_path):
    def held():
        return json.loads(call("cache", "info", "--json").stdout)

    assert held()["entries"] == 0
    call("segment", picture, "-p", "coin", "--out", tmp_path / "1", "--no-store")
    assert held()["entries"] == 0
    call("segment", picture, "-p", "coin", "--out", tmp_path / "2")
    assert held()["entries"] == 1
    text = call("cache", "info").stdout
    assert "Segments of 1 image, " in text
    assert held()["folder"] in text
    cleared = call("cache", "clear")
    assert cleared.exit_code == 0
    assert "MB freed" in cleared.stdout
    assert held()["entries"] == 0
