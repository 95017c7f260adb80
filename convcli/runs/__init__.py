"""Operations on pictures: built from options, fitted to a picture, run on one file or on thousands, compared on all backends."""
