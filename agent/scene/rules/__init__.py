"""What people may and may not do where: zones, lines, hours, and objects that are left or taken.

zones            who is inside, for how long, and which rule that breaks
lines            who crosses a line, which way
hours            when the rules hold
left_objects     bags and other things of a known class that are left or taken
unnamed_objects  things without a class that are left or taken
whereabouts      who was where lately: whoever brought or took a thing
"""
