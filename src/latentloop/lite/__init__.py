"""What `latentloop-lite` does: photos edited and embedded into folders with the runtime, without PyTorch."""
