"""The other side: who receives what the boxes say (`vedette watch`).

subscriber  receives messages
feed        from received messages to news: incidents, gaps, silent boxes
sequence    proves from `seq` and gap messages that nothing is missing
"""
