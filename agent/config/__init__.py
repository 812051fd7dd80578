"""The configuration: its schema, loading with errors that name line and key, editing that keeps comments.

places       where the file, the credentials and the state live
schema       every key, its unit and its reason
cameras      those of a camera, and of what is drawn into its picture
fields       what values may be
names        what people call things, in any script, and the identifiers made of that
text         TOML text → data, and the line a key stands on
problems     what is wrong with the data, in words, with the nearest key
load         file (and overrides) → Config, or one ConfigError
edit         changes that keep comments and order; atomic writes
template     the commented file that `vedette init` writes
credentials  passwords, each in a file of its own
hours        hours of the week, as a person writes them
frigate      what a configuration of Frigate says, to take its cameras over
files        writing so that a loss of power leaves the old or the new content
"""
