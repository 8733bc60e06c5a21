"""From files to batches: where labels come from, one decoder, splits, augmentation, loading."""
