"""The server's HTTP edge: one route table, one gate before it, pages for people and endpoints for machines."""
