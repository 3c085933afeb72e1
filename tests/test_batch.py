from __future__ import annotations

import time

import numpy as np
import pytest
import tifffile
from _fake_slip import BrokenSlip, ColourEncoder, SpotSegmenter, fake_slip, spots
from PIL import Image

from napari_slip.batch import Job, images, run_images
from napari_slip.errors import Cancelled, InputError
from napari_slip.hashing import file_hash
from napari_slip.io import ModelRecord, RunSettings, read_provenance, write_provenance
from napari_slip.progress import Progress
from napari_slip.settings import FilterSettings, MatchSettings

MODELS = ModelRecord(
    name="mini", sam=None, clip=None, device="cpu", sam_hash="sha256:1", clip_hash="sha256:2"
)
RED = {"red": ["red"]}


def save(path, pixels=None):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(spots() if pixels is None else pixels).save(path)
    return path


def run(jobs, out, *, slip=None, settings=None, **more):
    out.mkdir(exist_ok=True)
    return run_images(
        slip or fake_slip(), jobs, out, models=MODELS, settings=settings or RunSettings(), **more
    )


def test_an_image_becomes_four_files_and_a_story(tmp_path):
    path = save(tmp_path / "a.png")
    batch = run([Job(path=path, prompts=RED, negatives=("grey",))], tmp_path / "out")
    (outcome,) = batch.outcomes
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "a.segments.tif",
        "a.matches.tif",
        "a.segments.csv",
        "a.overlay.png",
        "provenance.json",
    }
    (record,) = read_provenance(batch.provenance).images
    assert record == outcome.record
    assert record.sha256 == file_hash(path)
    assert (record.beside, record.n_segments) == ("../a.png", 2)
    assert record.answers[0]["best"] == 1  # the red square is the first
    assert tifffile.imread(outcome.files["matches"])[10, 8] == 1
    assert tifffile.imread(outcome.files["matches"])[10, 22] == 0  # the green one


def test_settings_reach_the_result(tmp_path):
    path = save(tmp_path / "a.png", spots(colours=("red", "green", "red")))
    job = Job(path=path, prompts={"colour": ["red", "green"]})
    everything = run([job], tmp_path / "1", settings=RunSettings(match=MatchSettings(select="above:0")))
    nothing = run([job], tmp_path / "2", settings=RunSettings(filters=FilterSettings(area=(1, 9))))
    assert everything.outcomes[0].record.answers[0]["accepted"] == 3
    assert nothing.outcomes[0].record.answers[0] == {
        "prompt": "colour",
        "best": None,
        "score": None,
        "accepted": 0,
    }
    assert "filters hide all 3 segments" in nothing.outcomes[0].why


def test_equal_stems_and_a_second_run_get_numbers(tmp_path):
    jobs = [
        Job(path=save(tmp_path / "one" / "a.png"), prompts=RED),
        Job(path=save(tmp_path / "two" / "a.png", spots(colours=("green",))), prompts=RED),
    ]
    run(jobs, tmp_path / "out")
    before = {file: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    batch = run(jobs[:1], tmp_path / "out")
    assert {file.name for file in batch.outcomes[0].files.values()} >= {"a-3.segments.tif", "a-3.overlay.png"}
    assert batch.provenance.name == "provenance-2.json"
    assert {file: file.read_bytes() for file in before} == before
    assert len(before) == 9


def test_a_bad_image_does_not_stop_the_others(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    jobs = [
        Job(path=path, prompts=RED)
        for path in (
            tmp_path / "missing.png",
            save(tmp_path / "dark.png", spots(level=150)),
            tmp_path / "text.png",
            save(tmp_path / "dot.png", np.zeros((1, 1), np.uint8)),
            save(tmp_path / "good.png"),
        )
    ]
    heard = []
    slip = BrokenSlip(SpotSegmenter(), ColourEncoder())
    batch = run(jobs, tmp_path / "out", slip=slip, heard=heard.append)
    errors = [outcome.record.error for outcome in batch.outcomes]
    assert errors[-1] is None
    for job, error in zip(jobs[:-1], errors[:-1], strict=True):
        assert job.path.name in error
        assert "\n" not in error
    assert "RuntimeError: CUDA error: out of memory" in errors[1]
    assert "1 x 1 pixels" in errors[3]
    assert heard == list(batch.outcomes)
    assert [image.error for image in read_provenance(batch.provenance).images] == errors
    assert sorted(file.name.split(".")[0] for file in (tmp_path / "out").iterdir()) == ["good"] * 4 + [
        "provenance"
    ]


def test_without_any_image_there_is_still_a_story(tmp_path):
    assert read_provenance(run([], tmp_path / "out").provenance).images == ()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, Cancelled])
def test_what_was_done_before_a_stop_is_kept_and_told(tmp_path, stop):
    jobs = [Job(path=save(tmp_path / name), prompts=RED) for name in ("a.png", "b.png", "c.png")]
    seen = []

    def report(step, done, total):
        if step == "prompts":
            seen.append(step)
            if len(seen) == 2:
                raise stop

    with pytest.raises(stop):
        run(jobs, tmp_path / "out", progress=Progress(report))
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == ["a.matches.tif", "a.overlay.png", "a.segments.csv", "a.segments.tif", "provenance.json"]
    (record,) = read_provenance(tmp_path / "out" / "provenance.json").images
    assert record.path.endswith("a.png")


def test_a_stop_while_the_first_image_is_told_of_loses_nothing(tmp_path, monkeypatch):
    jobs, heard = [Job(path=save(tmp_path / name), prompts=RED) for name in ("a.png", "b.png")], []
    write = images.write_provenance

    def interrupted(path, story):
        monkeypatch.setattr(images, "write_provenance", write)
        raise KeyboardInterrupt

    monkeypatch.setattr(images, "write_provenance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(jobs, tmp_path / "out", heard=heard.append)
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == ["a.matches.tif", "a.overlay.png", "a.segments.csv", "a.segments.tif", "provenance.json"]
    (outcome,) = heard
    assert read_provenance(tmp_path / "out" / "provenance.json").images == (outcome.record,)


def test_channels_are_those_of_the_file_or_of_the_job(tmp_path):
    channels = np.moveaxis(spots(), -1, 0)[[0, 1]]
    tifffile.imwrite(tmp_path / "told.tif", channels, photometric="minisblack")
    tifffile.imwrite(tmp_path / "known.ome.tif", channels, metadata={"axes": "CYX"}, photometric="minisblack")
    jobs = [
        Job(path=tmp_path / "told.tif", prompts=RED, channel_axis=0),
        Job(path=tmp_path / "known.ome.tif", prompts=RED),
        Job(path=tmp_path / "told.tif", prompts=RED),
    ]
    one, two, three = run(jobs, tmp_path / "out").outcomes
    assert one.record.pixels == two.record.pixels
    assert one.record.n_segments == 2
    assert "told.tif is a stack" in three.record.error


def test_a_full_disk_is_told_and_leaves_no_half_results(tmp_path, monkeypatch):
    jobs = [Job(path=save(tmp_path / name), prompts=RED) for name in ("a.png", "b.png")]
    write = tifffile.imwrite

    def full_at_b(path, *args, **options):
        if (tmp_path / "out" / "a.segments.tif").exists():
            raise OSError(28, "No space left on device")
        write(path, *args, **options)

    monkeypatch.setattr(tifffile, "imwrite", full_at_b)
    done, failed = run(jobs, tmp_path / "out").outcomes
    assert done.record.error is None
    assert "results of b cannot be written" in failed.record.error
    assert "no space left" in failed.record.error
    assert not list((tmp_path / "out").glob("b*"))


def test_a_story_that_cannot_be_written_ends_in_a_sentence(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_slip.batch.images.write_provenance", full)
    with pytest.raises(InputError, match=r"provenance file cannot be written .*results so far are there"):
        run([Job(path=save(tmp_path / "a.png"), prompts=RED)], tmp_path / "out")
    assert (tmp_path / "out" / "a.matches.tif").exists()
    assert not (tmp_path / "out" / "provenance.json").exists()


def test_the_store_is_asked_once_per_image(tmp_path):
    class Memory:
        def __init__(self):
            self.kept, self.hits = {}, 0

        def load(self, rgb, origin):
            found = self.kept.get(rgb.tobytes())
            self.hits += found is not None
            return found

        def save(self, rgb, segments):
            self.kept[rgb.tobytes()] = segments

    store = Memory()
    job = Job(path=save(tmp_path / "a.png"), prompts=RED)
    one, two = run([job, job], tmp_path / "out", slip=fake_slip(store=store)).outcomes
    assert store.hits == 1
    assert one.record.pixels == two.record.pixels


def test_the_story_of_many_images_is_not_written_anew_for_each(tmp_path, monkeypatch):
    written = []

    def slowly(path, story):
        written.append(len(story.images))
        time.sleep(0.05)
        write_provenance(path, story)

    monkeypatch.setattr("napari_slip.batch.images.write_provenance", slowly)
    jobs = [Job(path=tmp_path / "missing.png", prompts=RED)] * 200
    batch = run(jobs, tmp_path / "out")
    assert len(written) < 20
    assert len(read_provenance(batch.provenance).images) == 200
