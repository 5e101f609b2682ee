"""Jobs of `latentloop-lite`: photos edited and embedded into folders by the runtime, without PyTorch."""
