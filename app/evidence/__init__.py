"""What was recorded, sealed so that a change shows, and handed out with the proof of each record."""
