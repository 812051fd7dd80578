"""What the running agent says of itself: state, metrics, drift, counts and its log."""
