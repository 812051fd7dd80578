"""Calibration on a site's own recordings and verdicts: `vedette calibrate`. Needs no torch."""
