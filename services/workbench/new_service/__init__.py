"""The generator of services: copies templates, adds rows to shared files, and takes both back."""
