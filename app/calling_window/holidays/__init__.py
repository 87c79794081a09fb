"""Days that a government proclaimed holidays, which no calendar could know."""
