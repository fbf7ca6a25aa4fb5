"""Sensors: what a task waits for at a portal."""
