"""The systemd service: how it is installed, how it is doing, and what a support bundle holds."""
