"""Calibration on a site's own recordings and verdicts: `vedette calibrate`. Needs no torch.

cli         the command group
labels      a sound of this place ("our doorbell")
thresholds  from verdicts and from ordinary recordings; applied: which margins held when
av_offset   by how much sound comes later than its picture
int8        activation ranges of an int8 model
normality   what is usual, from recordings
recordings  reads them
"""
