"""The configuration: its schema, loading with errors that name line and key, editing that keeps comments."""
