"""How fast the client is, beside bare requests and other clients of Bitrix24: ``make bench``."""
