"""Train mini SAM on BBBC038 and drawn scenes; every stretch takes up where the last one ended.

    python recipes/train_mini_sam.py --data DIR --out DIR --minutes 60 [--cooldown 15] [--from WEIGHTS]

`DIR/bbbc038` and `DIR/emoji` are the data; the pools of scenes are drawn into `OUT` once, some of them on
crops of the JPEG files in `DIR/photographs`, if there are any, instead of drawn scenery.
With `--from`, the mean of the weights before and after goes to `OUT/mean.safetensors`; `--share` says what
those after it count for.
A file `OUT/stop` ends the stretch after the next step, with everything saved.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import torch
from torch import distributed, multiprocessing

from napari_slip.training.mini.sam_check import check
from napari_slip.training.mini.sam_data import Picture, kind_of, load_bbbc038, validation_stems
from napari_slip.training.mini.sam_export import export, export_mean, take_up
from napari_slip.training.mini.sam_loop import Trainer, train
from napari_slip.training.mini.sam_pools import COUNTS, SHARES, SIZES, write_pool
from napari_slip.training.mini.sam_sources import Pool, microscopy, scenes


def main() -> None:
    """Train for the given time, writing `state.pt` and `sam.safetensors` to the output folder."""
    arguments = read_arguments()
    for name, count in COUNTS.items():
        write_pool(name, arguments.data, arguments.out / name, count)
    if arguments.processes == 1:
        run(0, arguments, "")
    else:
        meeting = (arguments.out / f"meeting-{os.getpid()}-{time.time_ns()}").resolve().as_uri()
        multiprocessing.spawn(run, (arguments, meeting), arguments.processes)


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with bbbc038 and emoji")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the state, the pools and the weights"
    )
    parser.add_argument("--minutes", type=float, required=True, help="wall-clock time of this stretch")
    parser.add_argument(
        "--cooldown", type=float, default=0.0, help="last minutes, in which the rate falls to nothing"
    )
    parser.add_argument(
        "--from", dest="start", type=Path, help="weights to start from instead of random ones"
    )
    parser.add_argument("--share", type=float, default=0.75, help="of the new weights in the mean, 0 to 1")
    parser.add_argument("--rate", type=float, default=1.6e-3, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=0, help="another one for each stretch with --from")
    parser.add_argument("--every", type=float, default=10.0, help="minutes between snapshots and checks")
    parser.add_argument("--whole", type=float, default=0.12, help="share of steps on frames of 512 pixels")
    parser.add_argument("--processes", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--views", type=int, default=4, help="views per step and process")
    return parser.parse_args()


def held_out(data: Path, out: Path, each: int = 5) -> dict[str, list[Picture]]:
    """Return a few validation images of each kind and a few scenes of things that are never trained on."""
    chosen: dict[str, list[Picture]] = {}
    for picture in load_bbbc038(data / "bbbc038", validation_stems()).values():
        pictures = chosen.setdefault(kind_of(picture.image), [])
        if len(pictures) < each:
            pictures.append(picture)
    write_pool("held out", data, out / "held out", each + 1, seed=99)
    return chosen | {"scenes": list(Pool(out / "held out", (1.0, 1.0)))}


def run(rank: int, arguments: argparse.Namespace, meeting: str) -> None:
    """Train as one of several processes, which exchange gradients through the file `meeting`."""
    torch.set_num_threads(1)
    if meeting:
        distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=arguments.processes)
    trainer = Trainer(rate=arguments.rate, seed=arguments.seed, rank=rank, world=arguments.processes)
    state = arguments.out / "state.pt"
    if state.exists():
        trainer.load(state)
        print(f"process {rank} resumed at step {trainer.steps}, after {trainer.seconds / 60:.0f} minutes")
    elif arguments.start:
        take_up(trainer.model, arguments.start)
        trainer.average.load_state_dict(trainer.model.state_dict())
    sources = [microscopy(arguments.data / "bbbc038", 1 - sum(SHARES.values()))]
    sources += [scenes(arguments.out / name, share, SIZES[name]) for name, share in SHARES.items()]

    def snapshot(trainer: Trainer) -> None:
        trainer.save(state)
        export(trainer.average, trainer.config, arguments.out / "sam.safetensors")
        if arguments.start:
            mean = arguments.out / "mean.safetensors"
            export_mean(trainer.average, trainer.config, arguments.start, mean, arguments.share)
        for name, pictures in held_out(arguments.data, arguments.out).items():
            figures = check(trainer.average, pictures)
            print(f"{name:20}", "  ".join(f"{k} {v:.3f}" for k, v in figures.items()), flush=True)

    train(
        trainer,
        sources,
        minutes=arguments.minutes,
        size=arguments.views,
        cooldown=arguments.cooldown,
        whole=arguments.whole,
        every=arguments.every,
        each=snapshot,
        stop=(arguments.out / "stop").exists,
        report=lambda line: print(line, flush=True),
    )


if __name__ == "__main__":
    main()
