"""What a DAG author uses as a callback."""
