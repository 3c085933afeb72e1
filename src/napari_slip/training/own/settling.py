"""How far to go from the old model to the new one: between their weights lies one that knows both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from napari_slip.training.own.learner import Learner
    from napari_slip.training.own.remembering import Memory

SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5)
"""Of the new weights, from which one is chosen."""


NOISE = 0.005
"""Sums of two accuracies that differ by less are alike: a picture or two among some hundreds."""


@dataclass(frozen=True)
class Settled:
    """What was chosen.

    Parameters
    ----------
    share : float
        Of the new weights; the rest are the old ones.
    accuracy : float
        On the new classes' validation pictures.
    knew, knows : float
        Share of drawn things that are named rightly, by the old model and by this one.
    """

    share: float
    accuracy: float
    knew: float
    knows: float


def settle(
    learner: Learner, memory: Memory, best: Mapping[str, Tensor], accuracy: Callable[[], float]
) -> Settled:
    """Give a network the weights between the old model's and the best ones that serve both alike.

    The mean of old and fine-tuned weights often loses little of the new and keeps much of the old (Wortsman
    et al., arXiv 2109.01903). The share is the smallest of those that have the highest sum of both
    accuracies, on validation pictures of the new classes and on drawn things that no step has shown: what is
    in neither suffers from each step away from the old weights.

    Parameters
    ----------
    learner : Learner
        Whose network gets the weights.
    memory : Memory
        With the old model.
    best : mapping of str to Tensor
        Weights of the best pass.
    accuracy : callable
        Asks the learner what the validation pictures of the new classes are.

    Returns
    -------
    Settled
    """
    old = memory.before.network.state_dict()
    knew = memory.knows(memory.before)
    tried = []
    for share in SHARES:
        _between(learner, old, best, share)
        tried.append(Settled(share, accuracy(), knew, memory.knows(learner)))
    best_sum = max(one.accuracy + one.knows for one in tried)
    chosen = min(
        (one for one in tried if one.accuracy + one.knows >= best_sum - NOISE), key=lambda one: one.share
    )
    _between(learner, old, best, chosen.share)
    return chosen


def _between(learner: Learner, old: Mapping[str, Tensor], new: Mapping[str, Tensor], share: float) -> None:
    device = next(learner.network.parameters()).device
    mixed = {}
    for name, value in new.items():
        value = value.to(device)
        # Counters of a normalisation are no floats. LoRA adds a product: with one factor held, the other
        # moves it in proportion, and where the held one began, which is random, does not matter.
        moves = value.is_floating_point() and ".lora_A." not in name
        mixed[name] = old[name].to(device).lerp(value, share) if moves else value
    learner.network.load_state_dict(mixed)
