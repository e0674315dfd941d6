"""Makers of the site's pages, and what Sphinx does with all of them."""
