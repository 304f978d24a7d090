"""What the page shows of a motion or a scene: small files that a browser reads without help of the server."""
