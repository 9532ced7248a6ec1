"""What there is before the first update: images, network and optimizer, rates that are checked, changes that may be."""
