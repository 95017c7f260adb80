"""Operations on pictures: built from options, fitted to a picture, run on one file or thousands, compared on all backends."""
