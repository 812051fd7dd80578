"""Learned normality: what is usual in front of a camera, and how unusual something is."""

from agent.scene.normality.knowledge import Knowledge
from agent.scene.normality.normality import Normality

__all__ = ["Knowledge", "Normality"]
