"""The studio: a web page on which people edit photos, served by their own machine."""
