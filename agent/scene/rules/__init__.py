"""What people may and may not do where: zones, lines, hours, and objects that are left or taken."""
