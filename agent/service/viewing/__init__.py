"""The page in a browser on this machine, while somebody asks for it: cameras live, and past incidents to review."""
