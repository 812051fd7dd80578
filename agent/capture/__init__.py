"""Pictures and sound from files, cameras and microphones: opened, decoded, put on one clock, watched, opened again."""
