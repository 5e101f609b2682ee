"""Style mixing, and expression transfer: styles of one code in another."""

from torch import Tensor

from latentloop.editing.layers import layer_mask


def mix(w_plus: Tensor, styles: Tensor, layers: tuple[int, ...], *, strength: float = 1.0) -> Tensor:
    """Replace some layers' styles by another code's (Karras et al., arXiv:1812.04948, section 3.1).

    Args:
        w_plus: Whose other layers stay, (N, num_ws, w_dim).
        styles: Whose styles come in, (N, num_ws, w_dim) or (1, num_ws, w_dim).
        layers: Which; see `parse_layers`.
        strength: How much of the way to go; 0 keeps `w_plus`, 1 takes `styles`.
    """
    weight = strength * layer_mask(layers, w_plus.shape[1]).to(w_plus)
    return w_plus.lerp(styles.expand_as(w_plus), weight.expand_as(w_plus))


def transfer(
    w_plus: Tensor, neutral: Tensor, expressive: Tensor, layers: tuple[int, ...], *, strength: float = 1.0
) -> Tensor:
    """Add the difference between two codes of one person, such as an expression (Abdal et al., arXiv:1904.03189).

    Args:
        w_plus: Who gets the expression, (N, num_ws, w_dim).
        neutral: The person without it, (1, num_ws, w_dim).
        expressive: The person with it, (1, num_ws, w_dim).
        layers: Which layers change; see `parse_layers`.
        strength: 0 changes nothing, 1 adds the whole difference.
    """
    return w_plus + strength * layer_mask(layers, w_plus.shape[1]).to(w_plus) * (expressive - neutral)
