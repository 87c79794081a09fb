"""How approved intents ended, as their callers tell it, and what follows: rates, channels given back, wishes."""
