"""Scenes of our own: rendered rooms, bodies, actions and synthesised sound, with exact labels. For development only."""
