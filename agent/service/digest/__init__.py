"""`vedette digest`: one day of this box on one page."""
