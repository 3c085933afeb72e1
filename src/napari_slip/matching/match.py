"""Segments x prompts -> Match: the scores, and which segments they accept."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.errors import InputError
from napari_slip.filtering import select as shown
from napari_slip.filtering.containment import INSIDE, crowds
from napari_slip.filtering.overlaps import overlaps
from napari_slip.matching import similarity
from napari_slip.matching.prompts import Prompts
from napari_slip.matching.texts import embed_texts
from napari_slip.matching.why import why_nothing
from napari_slip.models.words import unknown_words
from napari_slip.settings import FilterSettings, MatchSettings, Select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from napari_slip.matching.teaching import Head
    from napari_slip.models.protocols import DualEncoder
    from napari_slip.segments import Segments


@dataclass(frozen=True, eq=False)
class Match:
    """Every segment's score for every prompt, and what follows from it.

    Parameters
    ----------
    segments : Segments
        The N segments that were compared.
    names : tuple of str
        The P prompts, or classes.
    cosine : (N, P) float32 array
        Similarity of a segment and a text, -1..1; of a class's phrases the best.
    calibrated : (N, P) float32 array
        Score within 0..1 that takes the negatives and the model's null prompts into account, and how sure
        SAM is of the mask (`similarity.certainty`).
    selection : (N,) bool array
        Which segments the filters show; only these can be accepted.
    settings : MatchSettings
        What counts as accepted unless it is said otherwise.
    model : str
        Name of the CLIP.
    unknown : mapping from names to tuples of str
        Words that the CLIP has never been trained on.
    """

    segments: Segments
    names: tuple[str, ...]
    cosine: NDArray[np.float32]
    calibrated: NDArray[np.float32]
    selection: NDArray[np.bool_]
    settings: MatchSettings = field(default_factory=MatchSettings)
    model: str = ""
    unknown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def _accepted(self) -> dict[Select, NDArray[np.bool_]]:
        return {}

    @cached_property
    def best(self) -> tuple[int | None, ...]:
        """Label of each prompt's best shown segment; None if none is shown or reaches ``min_score``."""
        tops = [self._accepted_rows(column, Select("best")) for column in range(len(self.names))]
        return tuple(rows[0] + 1 if rows else None for rows in tops)

    def accepted(self, select: str | None = None) -> NDArray[np.bool_]:
        """Return which segments each prompt accepts.

        Accepted masks of one prompt never contain each other, which is so where more than 80 % of the smaller
        lie inside the larger. Of ``"best"`` and ``"top:K"`` the higher score wins; of ``"above:S"``, where
        both are good enough, the higher product of the score and SAM's own two, and of five or more side by
        side and what holds them, those inside.

        Parameters
        ----------
        select : str, optional
            ``"best"``, ``"top:K"`` or ``"above:S"``; the settings' own if not given.

        Returns
        -------
        (N, P) bool array
            Not to be written to: it is worked out once for each rule.

        Raises
        ------
        InputError
            If `select` is none of these.
        """
        rule = Select.parse(self.settings.select if select is None else select)
        if rule not in self._accepted:
            accepted = np.zeros(self.calibrated.shape, bool)
            for column in range(len(self.names)):
                accepted[self._accepted_rows(column, rule), column] = True
            accepted.flags.writeable = False
            self._accepted[rule] = accepted
        return self._accepted[rule]

    def labels(self, select: str | None = None) -> NDArray[np.uint32]:
        """Draw the accepted segments, (H, W), with the ids that ``segments.labels()`` has."""
        return self.segments.labels(self.accepted(select).any(axis=1))

    def table(self, select: str | None = None) -> pd.DataFrame:
        """Return the segments' table with what the match says of each.

        For every prompt there are ``cosine <name>`` and ``score <name>``; ``class`` is the best scoring of
        the prompts that accept the segment, or of all if none does, and ``accepted`` says whether one does.
        """
        table = self.segments.table()
        accepted = self.accepted(select)
        for column, name in enumerate(self.names):
            table[f"cosine {name}"] = self.cosine[:, column]
            table[f"score {name}"] = self.calibrated[:, column]
        # accepted prompts come before all others, whatever their scores
        best = (self.calibrated + 2 * accepted).argmax(axis=1)
        table["class"] = np.asarray(self.names, object)[best]
        table["accepted"] = np.asarray(accepted.any(axis=1))
        return table

    def why(self, select: str | None = None) -> str:
        """Say in sentences why prompts accept nothing, with the best candidates; empty if all accept."""
        return why_nothing(self, Select.parse(self.settings.select if select is None else select))

    def ranked(self, column: int) -> NDArray[np.intp]:
        """Return the shown rows, a prompt's best first; equal scores go by the cosine."""
        order = np.lexsort((-self.cosine[:, column], -self.calibrated[:, column]))
        return order[self.selection[order]]

    def _accepted_rows(self, column: int, rule: Select) -> list[int]:
        rows = self.ranked(column)
        floor = rule.number if rule.rule == "above" else self.settings.min_score
        rows = rows[self.calibrated[rows, column] >= floor]
        limit: float = rule.number
        if rule.rule == "above":
            # a whole and its parts may all look like what is looked for: SAM knows better which is one
            # object, but a group of cells that it takes for one would hide them all
            quality = self.segments.predicted_iou * self.segments.stability_score
            worth = self.calibrated[rows, column] * quality[rows]
            crowd = crowds(self.segments.masks, np.isin(np.arange(len(self.segments)), rows))
            rows, limit = rows[np.lexsort((-worth, crowd[rows]))], np.inf
        pairs = overlaps(self.segments.masks)  # measured once for these masks, whatever is matched
        return pairs.without_rivals(rows.tolist(), pairs.share > INSIDE, limit)


def match_segments(
    segments: Segments,
    prompts: Sequence[str] | Mapping[str, Sequence[str]],
    encoder: DualEncoder,
    *,
    negatives: Sequence[str] = (),
    settings: MatchSettings | None = None,
    filters: FilterSettings | None = None,
    head: Head | None = None,
) -> Match:
    """Score every segment against every prompt.

    Costs one pass of the text encoder over what it has not read before, and one matrix product.

    Parameters
    ----------
    segments : Segments
        N segments with embeddings.
    prompts : sequence of str, or mapping from class names to their phrases
        What is looked for. A class scores with the best of its phrases.
    encoder : DualEncoder
        The CLIP that made the embeddings.
    negatives : sequence of str
        Texts that a match must beat, beside the model's own null prompts.
    settings : MatchSettings, optional
        Templates and what counts as accepted.
    filters : FilterSettings, optional
        Which segments may match.
    head : Head, optional
        What was taught. The classes that it knows by name get its score in place of their texts'; the
        cosines stay those of the texts.

    Returns
    -------
    Match

    Raises
    ------
    InputError
        If a text is blank or given twice, the head was taught with another CLIP, or the segments have no
        embeddings of this encoder.
    """
    settings, card = settings or MatchSettings(), encoder.card
    texts = Prompts.read(prompts, negatives, card.calibration.null_prompts)
    _check_embeddings(segments, encoder)
    if len(segments):
        # All in one pass; only then they are told apart.
        read = embed_texts((*texts.phrases, *texts.rivals), encoder, settings.templates or card.templates)
        cosines = similarity.cosine(_embedding(segments, read.shape[1]), read)
    else:
        cosines = np.zeros((0, len(texts.phrases) + len(texts.rivals)), np.float32)
    looked_for, rivals = np.split(cosines, [len(texts.phrases)], axis=1)
    cosine = texts.best(looked_for)
    calibrated = texts.best(similarity.calibrated(looked_for, rivals, card.calibration, texts.own_rival))
    calibrated *= similarity.certainty(segments.predicted_iou)[:, None]
    if head is not None and len(segments):
        _apply(head, segments, texts.names, calibrated, encoder)
    return Match(
        segments=segments,
        names=texts.names,
        cosine=cosine,
        calibrated=calibrated,
        selection=shown(segments, filters or FilterSettings(), score=calibrated.max(axis=1)),
        settings=settings,
        model=card.name,
        unknown={
            name: tuple(dict.fromkeys(word for text in phrases for word in unknown_words(text, card)))
            for name, phrases in texts.by_name().items()
        },
    )


def _apply(
    head: Head,
    segments: Segments,
    names: tuple[str, ...],
    calibrated: NDArray[np.float32],
    encoder: DualEncoder,
) -> None:
    """Put the head's scores in the columns of the classes that it knows."""
    head.check(encoder)
    taught = head.scores(_embedding(segments, head.weights.shape[1]))
    for column, name in enumerate(names):
        if name in head.classes:
            calibrated[:, column] = taught[:, head.classes.index(name)]


def _check_embeddings(segments: Segments, encoder: DualEncoder) -> None:
    if not len(segments):
        return
    if segments.embedding is None:
        raise InputError(
            "The segments have no embeddings: show them to CLIP first, with Slip.segment or Slip.embed."
        )
    seen_by = segments.origin.get("clip", encoder.card.hash)
    if seen_by != encoder.card.hash:
        raise InputError(
            f"The segments' embeddings are another CLIP's than {encoder.card.name}: embed the segments "
            "again with it."
        )


def _embedding(segments: Segments, dimensions: int) -> NDArray[np.float32]:
    embedding = segments.embedding
    if embedding is None or embedding.shape != (len(segments), dimensions):
        raise InputError(
            f"The segments' embeddings have shape {None if embedding is None else embedding.shape}, but "
            f"{(len(segments), dimensions)} is expected: embed the segments again with this CLIP."
        )
    return embedding
