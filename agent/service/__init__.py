"""The one place that wires: worker threads, replay, the demo, annotated video, supervision."""
