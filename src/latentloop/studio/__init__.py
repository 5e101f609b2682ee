"""Web page for editing photos, served by the user's own machine."""
