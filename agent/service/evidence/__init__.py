"""What an incident may show: the snapshots that are sent and the clips that stay on this box."""
