"""Scenes of our own: rendered rooms, bodies, actions and synthesised sound, with exact labels. For development only.

`python -m models.scenes` (`__main__`) lists, renders and shows them; docs/scenes.md explains how they are made.

What happens
  catalogue    all scenes by name; left: those of things left and taken; shows: what each shows, in a line
  scene        who does what where; `render` makes clip and labels
  people, poses, motion  who appears, key poses, movement over time
  ragdoll      how bodies fall (MuJoCo)
  skeleton     joints and their limits; body: meshes and clothes
  props        doors, panes, bags; fluid: flames and smoke
Where
  rooms        rooms, yards and their cameras; solids: what they are made of
  blender      renders an empty room (Cycles); trace: what each of its pixels shows
  camera       projection and lens; light: lamps and shadows
Picture and sound
  draw, raster moving things into the picture of a room
  film         linear pictures and sound → a clip
  sound        synthesised sound
Stills for training
  stills       pictures of people who lie, fall, crouch and stand; still_rooms: rooms drawn by chance
Judging
  check        what the product and other detectors say of the clips; gallery: all at a glance
"""
