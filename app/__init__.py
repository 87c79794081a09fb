"""Callgate: the gate that a dialler or an SMS gateway asks before anything reaches a carrier."""

VERSION = "0.1.0"
