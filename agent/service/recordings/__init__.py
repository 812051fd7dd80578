"""Recorded observations and films, played again: the same input gives the same incidents, byte for byte."""
