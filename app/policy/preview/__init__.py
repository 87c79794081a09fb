"""What a policy would have changed, before it is put."""
