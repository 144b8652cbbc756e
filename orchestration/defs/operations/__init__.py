"""Operations: what keeps the graph in order rather than makes anything."""
