"""Pictures and films of incidents that stay on the box, bounded by bytes and age.

pictures  one JPEG of each incident
clips     MP4 films
"""
