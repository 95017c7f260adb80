"""An operation over pictures: assembled, fitted to a picture, run on one file or on thousands, compared on every backend."""
