"""A training's curves elsewhere: TensorBoard and MLflow, written from its events."""

from shortcut.tracking.following import tracked

__all__ = ["tracked"]
