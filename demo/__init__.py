"""The demo: an invented motorway gantry and car park, their pictures, and the script played."""
