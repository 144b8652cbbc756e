"""What every asset body uses: published tables, partitions, conditions, failures, reporters and resources."""
