"""Train mini CLIP from nothing, or go on training it: ``python recipes/train_mini_clip.py --help``."""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    """Train for the minutes asked for, then measure, calibrate and write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with bbbc038 and emoji")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint and, in 'clip', the model")
    parser.add_argument(
        "--minutes", type=float, default=90, help="length of this stretch; call again to go on"
    )
    parser.add_argument(
        "--from", dest="weights", type=Path, help="weights to start from, such as the shipped ones"
    )
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the new weights in a mean with those of --from, 0 to 1"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves the choice to it")
    asked = parser.parse_args()

    import torch
    from transformers import CLIPModel

    from napari_slip.training.mini.averaging import lead
    from napari_slip.training.mini.clip_card import finish
    from napari_slip.training.mini.clip_feed import Plan
    from napari_slip.training.mini.clip_loop import start, train
    from napari_slip.training.mini.clip_pool import Painter
    from napari_slip.training.mini.clip_segments import mini_segments

    if asked.threads:
        torch.set_num_threads(asked.threads)
    asked.out.mkdir(parents=True, exist_ok=True)
    painter, plan = Painter(asked.data, mini_segments), Plan(minutes=asked.minutes, seed=asked.seed)
    state = start(painter, plan, asked.out, asked.weights)
    print(
        f"step {state.step}, {state.seconds / 60:.0f} min so far; this stretch takes {asked.minutes:g} min",
        flush=True,
    )
    train(state, painter, plan, asked.out, report=lambda line: print(line, flush=True))
    print(f"trained for {state.seconds / 60:.0f} min in all; measuring takes about 3 min", flush=True)
    if asked.weights and asked.share < 1:
        before = CLIPModel.from_pretrained(asked.weights, dtype=torch.float32)
        lead(state.model, before, 1 - asked.share)
    finish(state, painter, asked.data, asked.out / "clip")


if __name__ == "__main__":
    main()
