"""The server, and the core that server and kiosk share."""
