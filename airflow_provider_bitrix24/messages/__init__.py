"""Texts that people read in Bitrix24: how they are written, where they go, and how many become one."""
