"""``python -m airflow_provider_bitrix24.authorize``: a person gets the first tokens of an application."""
