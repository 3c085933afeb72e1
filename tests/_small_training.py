"""Settings for trainings that take seconds."""

from __future__ import annotations

from napari_slip.training.own import TrainSettings

SMALL = TrainSettings(
    image_model="resnet18",
    text_model="distilbert:dim=16,n_layers=1,n_heads=2,hidden_dim=32",
    image_size=32,
    projection=16,
    batch=8,
    epochs=1,
)
