"""``python -m airflow_provider_bitrix24.authorize``: an application gets its tokens, with a person at hand."""
