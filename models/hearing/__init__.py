"""The sound model: 2 s of log-mel in, about thirty labels out, distilled from AudioSet teachers."""
