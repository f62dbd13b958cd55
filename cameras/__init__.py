"""Sites, zones and cameras; device keys and heartbeats; captures and their intake."""
