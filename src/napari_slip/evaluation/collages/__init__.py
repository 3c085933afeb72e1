"""The SLIP paper's experiment, made sound: four pictures in one, and a text for each."""

from napari_slip.evaluation.collages.asking import Contestant, ask_all
from napari_slip.evaluation.collages.figures import CollageReport, collage_report
from napari_slip.evaluation.collages.making import Collage, make_collages
from napari_slip.evaluation.collages.page import write_report
from napari_slip.evaluation.collages.running import evaluate_collages
from napari_slip.evaluation.collages.taught import teach_from_examples

__all__ = [
    "Collage",
    "CollageReport",
    "Contestant",
    "ask_all",
    "collage_report",
    "evaluate_collages",
    "make_collages",
    "teach_from_examples",
    "write_report",
]
