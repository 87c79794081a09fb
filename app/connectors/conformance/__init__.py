"""A kit for whoever builds a connector: a gate that fails in every way, and the proof that no call gets through."""
