"""Many CIFs to a Parquet data set, interruptible at any moment."""
