"""Multi-object tracking: detections in, identities out, one picture at a time.

tracker        the algorithm, after ByteTrack and OC-SORT
association    which detection continues which track
kalman         a constant-velocity Kalman filter for many boxes at once
camera_motion  the camera's own motion, estimated from the tracks
score_level    how sure this detector is when it is sure
sightings      what was detected in one picture, as columns
tracks         the tracks of one camera, as columns
"""
