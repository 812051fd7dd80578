"""`vedette digest`: one day of this box on one page.

day   what happened on a day, out of the history
page  the page as HTML
reel  the day's pictures as a film
"""
