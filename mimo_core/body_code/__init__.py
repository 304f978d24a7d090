"""The colours of the official body code, learned from the videos of a scene template."""
