"""What the chain asks of every engine that finds segments: one suite over all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch
from _commands import commands
from engines import ENGINES, load, transformers_sam_model
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_slip.errors import Cancelled, InputError, ModelError
from napari_slip.io import read_provenance
from napari_slip.models import load_sam, tinyvit
from napari_slip.progress import Progress
from napari_slip.segmentation import LabelsSegmenter, Segmenter, load_segmenter
from napari_slip.settings import ProposalSettings

EVERYTHING = {"pred_iou_thresh": 0.0, "stability_score_thresh": 0.0, "points_per_side": 3, "min_area": 1}


@pytest.fixture(scope="module", params=list(ENGINES))
def engine(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield load(request.param, tmp_path_factory.mktemp(request.param), patch)


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def plane(engine, picture):
    return engine.encode(picture, Progress())


def everything(engine: Segmenter) -> ProposalSettings:
    return replace(engine.proposals, **EVERYTHING)


def test_it_says_who_it_is(engine):
    assert isinstance(engine, Segmenter)
    assert engine.name
    assert engine.hash.startswith("sha256:")
    assert len(engine.hash) == 71
    assert isinstance(engine.proposals, ProposalSettings)


def test_segments_lie_on_the_plane(engine, plane, picture):
    steps = []
    segments = engine.propose(plane, everything(engine), Progress(lambda *step: steps.append(step)))
    assert len(segments) > 0
    assert segments.shape == picture.shape[:2]
    x0, y0, x1, y1 = segments.masks.boxes.T
    assert ((x0 >= 0) & (y0 >= 0) & (x1 <= 90) & (y1 <= 60) & (x0 < x1) & (y0 < y1)).all()
    assert (segments.area > 0).all()
    assert ((segments.predicted_iou >= 0) & (segments.predicted_iou <= 1)).all()
    assert ((segments.stability_score >= 0) & (segments.stability_score <= 1)).all()
    name, done, total = steps[-1]
    assert (name, done) == ("prompts", total)


def test_the_same_plane_gives_the_same_segments(engine, plane, picture):
    first = engine.propose(plane, everything(engine), Progress())
    again = engine.propose(engine.encode(picture, Progress()), everything(engine), Progress())
    np.testing.assert_array_equal(first.masks.boxes, again.masks.boxes)
    np.testing.assert_array_equal(first.masks.bits, again.masks.bits)


def test_floors_that_nothing_passes_give_nothing(engine, plane):
    none = engine.propose(plane, replace(everything(engine), min_area=10**6), Progress())
    assert len(none) == 0
    assert none.shape == (60, 90)


def test_small_masks_are_left_out(engine, plane):
    segments = engine.propose(plane, replace(everything(engine), min_area=50), Progress())
    assert (segments.area >= 50).all()


@pytest.mark.parametrize(
    "prompt",
    [
        {"points": [[20, 15]]},
        {"points": [[20, 15], [60, 40]], "point_labels": [1, 0]},
        {"box": [5, 2, 45, 30]},
        {"points": [[20, 15]], "box": [5, 2, 45, 30]},
        {"mask": "left"},
        {"points": [[20, 15]], "mask": "left"},
    ],
    ids=["click", "clicks", "box", "click in a box", "mask", "click in a mask"],
)
def test_what_is_pointed_at_becomes_one_mask(engine, plane, prompt):
    asked = {key: np.array(value) for key, value in prompt.items() if key != "mask"}
    if "mask" in prompt:
        asked["mask"] = np.zeros((60, 90), bool)
        asked["mask"][4:26, 8:42] = True
    refined = engine.refine(plane, **asked)
    assert refined.mask.shape == (60, 90)
    assert refined.mask.dtype == bool
    assert 0 <= refined.predicted_iou <= 1
    assert 0 <= refined.stability_score <= 1


def test_what_cannot_be_pointed_at_is_a_sentence(engine, plane):
    with pytest.raises(InputError, match=r"nothing to make a mask from"):
        engine.refine(plane)
    with pytest.raises(InputError, match=r"A point lies outside of the plane of 90 x 60 pixels"):
        engine.refine(plane, points=np.array([[500, 5]]))


def test_work_that_is_told_to_stop_stops(engine, plane, picture):
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        engine.encode(picture, progress)
    with pytest.raises(Cancelled):
        engine.propose(plane, everything(engine), progress)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (300, 40)])
def test_planes_of_any_shape(engine, shape):
    if isinstance(engine, LabelsSegmenter):
        with pytest.raises(InputError, match=r"labels of this very plane"):
            engine.encode(np.zeros((*shape, 3), np.uint8), Progress())
        return
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    plane = engine.encode(picture, Progress())
    segments = engine.propose(plane, replace(everything(engine), points_per_side=1), Progress())
    assert segments.shape == shape
    assert engine.refine(plane, points=np.array([[0.5, 0.5]])).mask.shape == shape


def test_only_sam3_can_be_asked_by_texts(engine, plane):
    asked = replace(everything(engine), texts=("red coin",))
    if "sam3" in engine.name:
        assert engine.propose(plane, asked, Progress()).shape == (60, 90)
    else:
        with pytest.raises(InputError, match=r"cannot be asked for 'red coin': .* choose SAM 3"):
            engine.propose(plane, asked, Progress())


# ---------------------------------------------------------------- one by one


def test_sam3_finds_by_text_what_its_own_model_finds(tmp_path, monkeypatch, picture):
    from transformers import Sam3Model

    engine = load("sam3", tmp_path, monkeypatch)
    plane = engine.encode(picture, Progress())
    theirs = Sam3Model.from_pretrained(tmp_path).eval()
    ids = torch.tensor([[0, 3, 5, 1]])
    with torch.inference_mode():
        output = theirs(
            pixel_values=engine.network.picture(picture), input_ids=ids, attention_mask=torch.ones_like(ids)
        )
        masks, scores = engine.network.find(plane.tiles[0].embedding, "red coin")
    torch.testing.assert_close(masks, output.pred_masks[0], atol=1e-4, rtol=1e-4)
    expected = (output.pred_logits.sigmoid() * output.presence_logits.sigmoid())[0]
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-5)
    # what it is sure of, all of it if it is sure of everything, becomes segments
    monkeypatch.setattr("napari_slip.segmentation.sam3.FOUND", -1.0)
    settings = replace(everything(engine), texts=("red coin", "cell"), box_nms_thresh=1.0)
    steps = []
    found = engine.propose(plane, settings, Progress(lambda *step: steps.append(step)))
    assert 0 < len(found) <= 12
    assert steps[-1] == ("prompts", 2, 2)


def test_the_image_encoder_of_sam3_runs_once_for_both_of_its_parts(tmp_path, monkeypatch, picture):
    engine = load("sam3", tmp_path, monkeypatch)
    runs = []
    backbone = engine.network.detector.vision_encoder.backbone
    backbone.register_forward_hook(lambda *_: runs.append(1))
    engine.encode(picture, Progress())
    assert len(runs) == 1
    assert engine.network.model.vision_encoder.backbone is backbone


def test_weights_of_transformers_fit_into_segment_anything(tmp_path, monkeypatch):
    engine = load("transformers_sam", tmp_path, monkeypatch)
    theirs, ours = transformers_sam_model(), engine.network
    pixels = torch.randn(1, 3, 128, 128)
    points, signs = torch.tensor([[[[30.0, 40.0]]]]), torch.tensor([[[1]]])
    with torch.inference_mode():
        seen = ours.image_encoder(pixels)
        torch.testing.assert_close(seen, theirs.get_image_embeddings(pixels), atol=1e-4, rtol=1e-4)
        expected = theirs(image_embeddings=seen, input_points=points, input_labels=signs)
        sparse, dense = ours.prompt_encoder(points=(points[0], signs[0]), boxes=None, masks=None)
        masks, iou = ours.mask_decoder(
            image_embeddings=seen,
            image_pe=ours.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )
    torch.testing.assert_close(masks, expected.pred_masks[0], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(iou, expected.iou_scores[0], atol=1e-4, rtol=1e-4)


def test_a_training_checkpoint_is_the_same_network(tmp_path, monkeypatch, picture):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    plain = load("segment_anything", tmp_path / "one", monkeypatch)
    wrapped = load("micro_sam", tmp_path / "two", monkeypatch)
    for name, values in plain.network.state_dict().items():
        assert torch.equal(values, wrapped.network.state_dict()[name]), name


def test_mobile_sam_takes_every_weight_of_its_checkpoint(tmp_path, monkeypatch):
    engine = load("mobile_sam", tmp_path, monkeypatch)
    with torch.inference_mode():
        assert engine.network.image_encoder(torch.randn(1, 3, 128, 128)).shape == (1, 256, 8, 8)
    torch.manual_seed(3)
    small = {"side": 128, "widths": (8, 16, 16, 24), "depths": (1, 1, 2, 1), "heads": (1, 2, 2, 3)}
    monkeypatch.undo()
    expected = tinyvit.TinyVitEncoder(**small).state_dict()
    for name, values in engine.network.image_encoder.state_dict().items():
        assert torch.equal(values, expected[name].to(values.dtype)), name


def test_the_real_sizes_of_mobile_sam():
    encoder = tinyvit.TinyVitEncoder().eval()
    # 9.66 million parameters with the decoder's 3.876 and the prompt encoder, as its authors say
    assert 5.5e6 < sum(parameter.numel() for parameter in encoder.parameters()) < 6.5e6


@pytest.mark.parametrize("name", ["sam2", "sam3", "transformers_sam"])
def test_a_folder_that_lacks_a_weight_is_a_sentence(tmp_path, monkeypatch, name):
    from safetensors.torch import load_file, save_file

    where = ENGINES[name](tmp_path, monkeypatch)
    state = load_file(tmp_path / "model.safetensors")
    last = sorted(key for key in state if "mask_decoder" in key)[0]
    del state[last]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"(lacks|Missing key|is no complete SAM)") as raised:
        load_segmenter(where, device="cpu")
    assert "\n" not in str(raised.value)


def test_a_folder_of_another_architecture_is_a_sentence(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match=r"is of another architecture \(bert\): expected a SAM"):
        load_segmenter(tmp_path, device="cpu")


def test_a_checkpoint_with_other_weights_than_a_sam_is_a_sentence(tmp_path):
    torch.save({"layer.weight": torch.zeros(3, 3)}, tmp_path / "x.pth")
    with pytest.raises(ModelError, match=r"vit_b, vit_l or vit_h, or of MobileSAM"):
        load_sam(tmp_path / "x.pth")


# ---------------------------------------------------------------- labels that are there already


@given(st.integers(0, 2**32 - 1), st.sampled_from([np.uint8, np.int32, np.uint64]))
def test_every_label_becomes_one_segment(seed, kind):
    random = np.random.default_rng(seed)
    labels = random.choice([0, 0, 1, 5, 200], (random.integers(1, 20), random.integers(1, 20))).astype(kind)
    engine = LabelsSegmenter(labels)
    plane = engine.encode(np.zeros((*labels.shape, 3), np.uint8), Progress())
    segments = engine.propose(plane, engine.proposals, Progress())
    ids = np.unique(labels[labels > 0])
    assert len(segments) == len(ids)
    for row, label in enumerate(ids):
        mask = np.zeros(labels.shape, bool)
        mask[segments.window(row)] = segments.masks.crop(row)
        np.testing.assert_array_equal(mask, labels == label)
        y, x = np.argwhere(labels == label)[0]
        np.testing.assert_array_equal(engine.refine(plane, points=np.array([[x, y]])).mask, labels == label)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((3, 4, 5), int), r"shape \(3, 4, 5\) .* labels of one plane"),
        (np.zeros((3, 4)), "type float64"),
        (np.full((3, 4), -1), "holds the label -1"),
        (np.zeros((0, 4), int), r"shape \(0, 4\)"),
    ],
)
def test_what_are_no_labels_is_a_sentence(labels, message):
    with pytest.raises(InputError, match=message):
        LabelsSegmenter(labels)


def test_labels_that_cannot_be_read_are_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"There is no file .*nothing.tif"):
        load_segmenter(f"labels:{tmp_path}/nothing.tif")
    (tmp_path / "text.tif").write_text("no picture")
    with pytest.raises(InputError, match=r"text.tif cannot be read as labels"):
        load_segmenter(f"labels:{tmp_path}/text.tif")


def test_a_click_beside_all_labels_is_a_sentence():
    engine = LabelsSegmenter(np.eye(5, dtype=int))
    plane = engine.encode(np.zeros((5, 5, 3), np.uint8), Progress())
    with pytest.raises(InputError, match=r"labels has nothing there: click on a label"):
        engine.refine(plane, points=np.array([[4, 0]]))


# ---------------------------------------------------------------- from the command line


@pytest.fixture
def call(tmp_path, monkeypatch):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    return commands(monkeypatch, tmp_path)


def test_labels_from_elsewhere_are_matched_with_texts_and_replayed(call, tmp_path, monkeypatch):
    labels = ENGINES["labels"](tmp_path, monkeypatch).replace(f"{tmp_path}/", "")
    done = call("segment", "a.png", "-p", "cell", "-o", "out", "--sam", labels)
    assert done.exit_code == 0, done.output
    segments = tifffile.imread("out/a.segments.tif")
    assert segments.max() == 3
    np.testing.assert_array_equal(segments > 0, tifffile.imread("labels.tif") > 0)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # the path of the labels is kept whole
    again = call("replay", "../out/provenance.json", "-o", "again")
    assert again.exit_code == 0, again.output
    np.testing.assert_array_equal(tifffile.imread("again/a.segments.tif"), segments)


def test_sam3_is_asked_for_the_prompts(call, tmp_path, monkeypatch):
    (tmp_path / "three").mkdir()
    ENGINES["sam3"](tmp_path / "three", monkeypatch)
    options = ["segment", "a.png", "-p", "red coin", "-p", "cell", "-o", "out", "--no-store", "--ask"]
    done = call(*options, "--sam", "three")
    assert done.exit_code == 0, done.output
    story = read_provenance(tmp_path / "out" / "provenance.json")
    assert story.settings.proposals.texts == ("red coin", "cell")
    refused = call(*options)
    assert refused.exit_code == 1, refused.output
    assert "mini cannot be asked for 'red coin'" in refused.stderr
