"""Commands that regenerate the figures of BENCHMARKS.md: `python -m benchmarks` writes it (`__main__`).

Incidents on labelled recordings
  clips        labelled clips: accuracy, precision, recall, delays
  fires, falls fires and falls in recordings that nothing learned from; night: fires without colour
  continuous   recordings joined end to end: one happening, one incident
  delays       how long after its first evidence an incident opens
  beside       sounds as alarms, beside the rule that recorders use
False incidents
  hours        hours of normal film; calm: any folders of it
  sounds       hard sounds without a security event
  unnamed      things without a class
  footage      the list of normal recordings; distinct: that none is counted twice or was learned from
Parts of the product
  detection    average precision of `vedette detect`
  tracking     MOT17 by TrackEval; tracking_search: the tracker's numbers
  tamper       altered cameras; alterations: how they are altered
  ped2         learned normality on UCSD Ped2
Cost
  scene_cost, clip_cost, review_cost; scene_pairs: this checkout's scene against another's
  cost_pairs   `vedette bench` here and in another checkout, in turn
Shared
  repositories recordings out of git directories of public repositories
"""
