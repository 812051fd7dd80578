"""Annotated video: what the agent knows, drawn onto the pictures."""
