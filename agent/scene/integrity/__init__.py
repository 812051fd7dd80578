"""Whether the senses themselves can be trusted: covered, moved, blurred, frozen or dark cameras, silent microphones.

picture     whether a camera still shows its place, and as well as it did
edges       what a place looks like by the edges of its cells
freezing    a camera that repeats one picture
cuts        from one picture to the next another place: a cut recording, another channel
microphone  silent, overdriven or repeating microphones
"""
