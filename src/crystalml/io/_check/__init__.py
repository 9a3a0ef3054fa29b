"""What in a table of crystals contradicts itself or what is known of crystals."""
