"""Learned normality: what is usual in front of a camera, and how unusual something is.

normality  the whole of one camera: learns, and turns what is unusual into evidence
field      speed, size and direction in each part of the picture
things     people and things that are followed: kind, place, size, speed, direction, posture
walking    how legs swing
looks      the whole scene and its sound, by the models' embeddings
hours      hours at which there never is any activity
exemplars  the density that these use: exemplars in bounded memory
gauge      how much surprise is usual
knowledge  all of it as arrays, for the disk
words      how an unusual moment is described
"""

from agent.scene.normality.knowledge import Knowledge
from agent.scene.normality.normality import Normality

__all__ = ["Knowledge", "Normality"]
