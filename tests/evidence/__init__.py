"""Who changed what; seals over decisions and histories; what they prove."""
