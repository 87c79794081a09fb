"""The clients in clients/ and the server of callgate mcp, beside a running service and beside servers that lie."""
