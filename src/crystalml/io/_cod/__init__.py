"""Client of the Crystallography Open Database: metadata, polite downloads, a manifest."""
