"""The command line: typer commands, rendering for people, exit codes. Heavy imports live inside the commands."""
