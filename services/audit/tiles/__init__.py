"""The log over HTTP as tiles, entry bundles and checkpoints (C2SP tlog-tiles), made from the rows of the store."""
