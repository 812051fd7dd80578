"""Annotated video: what the agent knows, drawn onto the pictures.

overlay  draws onto one picture
film     encodes a video; filming: one for each camera of a running agent
"""
