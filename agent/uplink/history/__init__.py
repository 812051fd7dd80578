"""The incidents kept on this box.

history     written with the outbox in one transaction, asked by `vedette incidents`; verdicts
similarity  how alike two incidents are
"""
