"""Consents in bulk: brought in as a list, listed, and taken out again."""
