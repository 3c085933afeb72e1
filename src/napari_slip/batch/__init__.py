"""Many images and stacks, one after the other or on many machines: what is done is kept, whatever fails."""

from __future__ import annotations

from napari_slip.batch.cluster import Cluster
from napari_slip.batch.images import Batch, Job, Outcome, run_images
from napari_slip.batch.inputs import Source, find_sources
from napari_slip.batch.recipe import ModelRecipe, whole_path
from napari_slip.batch.stacks import Report, Workers, run_stacks
from napari_slip.batch.work import Orders, Recipe

__all__ = [
    "Batch",
    "Cluster",
    "Job",
    "ModelRecipe",
    "Orders",
    "Outcome",
    "Recipe",
    "Report",
    "Source",
    "Workers",
    "find_sources",
    "run_images",
    "run_stacks",
    "whole_path",
]
