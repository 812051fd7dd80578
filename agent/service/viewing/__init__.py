"""The page in a browser on this machine, while somebody asks for it: cameras live, and past incidents to review.

run      `vedette view`: an agent of its own for the page
page     the HTTP server on loopback, and who gets in
screens  the newest annotated picture of each camera
review   past incidents, their pictures and verdicts
ranges   parts of a film, as browsers ask for them
"""
