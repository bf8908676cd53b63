"""From a file or a name to the tensors that a run trains on."""
