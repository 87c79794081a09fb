"""What already asks "may I dial this?" in its own words, answered in them. Each decides as POST /v1/intents does."""
