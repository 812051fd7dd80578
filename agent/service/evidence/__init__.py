"""What an incident may show: the snapshots that are sent and the clips that stay on this box.

snapshots       the pictures that may leave the box
best_view       how well a picture shows what an incident is about
people          where people were a moment ago, to be blurred
incident_clips  which films are kept, and when
footage         the last seconds of a camera, and what an incident takes of it
darkroom        analysed pictures → small JPEGs, masked and blurred
clip_film       JPEGs and sound → MP4
fragments       a film that is written while it goes on
"""
