"""The graphs: which file runs where, what goes in, and what the numbers that come out mean."""
