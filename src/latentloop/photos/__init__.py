"""Finding photos in folders, globs and tar files, and reading their bytes."""
