"""HTTP: what Exchange Web Services and published pages have in common, and the pages."""
