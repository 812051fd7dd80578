"""Commands that regenerate the figures of BENCHMARKS.md."""
