"""Named data sets, one file per publisher."""
