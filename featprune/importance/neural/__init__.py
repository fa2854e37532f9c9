"""Importance from networks: Keras on whichever backend there is, loaded when it is first used."""
