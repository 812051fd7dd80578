"""The installer's page: one running agent, seen from a browser on this machine, while somebody asks for it."""
