"""The evidence of one number, as a file that is verified without the service."""
