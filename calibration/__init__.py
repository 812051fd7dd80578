"""Calibration on a site's own recordings; empty so far, the commands follow with the version that learns."""
