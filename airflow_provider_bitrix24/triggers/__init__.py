"""Triggers: what waits in the triggerer, without a worker. They read, and change no business data."""
