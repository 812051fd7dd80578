"""What may be set and asked over MQTT while the agent runs, and how that is kept."""
