"""Page that needs no server: a folder of files for any web host, whose networks run in the browser."""

from latentloop.web_site.site import WrittenSite, check_site, write_site

__all__ = ["WrittenSite", "check_site", "write_site"]
