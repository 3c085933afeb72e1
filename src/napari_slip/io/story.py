"""How a session's objects came about: by which run, and what a person decided."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from napari_slip.io.provenance import Provenance, current_versions, finite
from napari_slip.io.whole import whole_file

if TYPE_CHECKING:
    from pathlib import Path

    from napari_slip.objects import Object
    from napari_slip.session import Session


def write_story(
    path: Path, session: Session, stem: str, files: dict[str, Path], run: Provenance | str
) -> None:
    """Write how the work came about: versions, texts, settings, decisions, and the run behind it.

    Parameters
    ----------
    path : Path
        Where.
    session : Session
        The work.
    stem : str
        Name of the picture.
    files : dict
        What was written with it, from kinds to paths.
    run : Provenance or str
        What ``napari-slip replay`` does again, or why there is nothing that it could.
    """
    story = {
        "picture": stem,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": current_versions(),
        "classes": [{"name": c.name, "phrases": c.phrases, "colour": c.colour} for c in session.classes],
        "settings": session.settings,
        "objects": [
            {"class": name, "plane": plane, **counted} for (name, plane), counted in session.counts().items()
        ],
        "decided": [_told(o) for o in session.objects.values() if o.status != "predicted"],
        "run": finite(asdict(run)) if isinstance(run, Provenance) else run,
        "files": {kind: file.name for kind, file in files.items()},
    }
    with whole_file(path) as part:
        part.write_text(json.dumps(story, indent=2), encoding="utf-8")


def _told(thing: Object) -> dict[str, Any]:
    """Tell a decision; a mask made by hand is no model's alone, and stands in the other files only."""
    told: dict[str, Any] = {
        "object": thing.id,
        "class": thing.class_name,
        "status": thing.status,
        "plane": thing.plane,
        "segment": thing.segment,
        "by_hand": thing.status == "corrected" or thing.segment is None,
    }
    if thing.pointing is not None:
        told |= {"clicks": thing.pointing.points, "box": thing.pointing.box}
    return told
