"""Carrying a signed revocation to the chain, and obeying it at once (I5)."""
