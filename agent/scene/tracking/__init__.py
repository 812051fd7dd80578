"""Multi-object tracking: detections in, identities out, one picture at a time."""
