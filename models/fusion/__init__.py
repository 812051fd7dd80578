"""The fusion graph: eight seconds of what was seen and heard, judged together."""
