"""Who changed what and when: written in the transaction of the change, read by those who administer."""
