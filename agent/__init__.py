"""Vedette: an agent beside a camera and a microphone that reports few, true, explained incidents."""

__version__ = "0.1.0"
