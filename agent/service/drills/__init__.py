"""Drills: a known event goes through the live pipeline, marked as what it is, and must arrive."""
