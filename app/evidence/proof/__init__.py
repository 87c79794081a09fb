"""What is proved and how: records as bytes, trees, seals, signatures. Pure."""
