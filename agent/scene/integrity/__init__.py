"""Whether the senses themselves can be trusted: covered, moved, blurred, frozen or dark cameras, silent microphones."""
