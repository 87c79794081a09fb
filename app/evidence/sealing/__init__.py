"""Seals are made: hour by hour, with the key of the installation, beside the text of the rules."""
