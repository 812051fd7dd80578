"""What the running agent says of itself: state, metrics, drift, counts and its log.

report         the retained state topic
tallies        counts of sounds, people and crossings; presence: who is there now
measures       counters of the agent; metrics: Prometheus
drift          how far a model's scores have moved; drift_watch: for every camera, kept over restarts
incident_log   a line in the log for each incident
loglimit       bounds the log; library_noise: what libraries in C write to stderr
"""
