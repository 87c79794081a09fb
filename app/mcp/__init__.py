"""Callgate's read-only questions as tools of the Model Context Protocol: asks a running Callgate, decides nothing."""
