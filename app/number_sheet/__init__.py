"""Everything that is known of one number, on one sheet."""
