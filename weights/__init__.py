"""Where the zoo's weights come from: a script a checkpoint, to fetch and convert it or to train it."""
