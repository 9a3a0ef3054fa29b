"""Sparse alternatives to softmax, which choose the columns that a step of TabNet looks at.

Both are found by Newton's method on the threshold below which entries become zero. That needs no
sorting, which costs more the more columns there are. Rows lie side by side in memory meanwhile, so
that sums over columns run along whole rows of processor registers.
"""

import torch

_NEWTON_STEPS = 50  # never met: about five are taken, seven for entmax


class _Sparsemax(torch.autograd.Function):
    """The nearest point of the probability simplex (Martins and Astudillo, 2016)."""

    @staticmethod
    def forward(ctx, scores):
        z = _below_zero(scores)
        threshold = z.new_full(z.shape[1:], -1.0)
        n_before = None
        for _ in range(_NEWTON_STEPS):
            above = (z > threshold).to(z.dtype)
            n_above = above.sum(0)
            if n_before is not None and torch.equal(n_above, n_before):
                break  # what is above only ever shrinks, so the support is found
            threshold = above.mul_(z).sum(0).sub_(1).div_(n_above)
            n_before = n_above
        mask = z.sub_(threshold).clamp_(min=0).T.contiguous()
        ctx.save_for_backward(mask)
        return mask

    @staticmethod
    def backward(ctx, gradient):
        (mask,) = ctx.saved_tensors
        support = (mask > 0).to(mask.dtype)
        inside = gradient * support
        ones = mask.new_ones(mask.shape[1])
        mean = torch.mv(inside, ones).div_(torch.mv(support, ones))
        return torch.addcmul(inside, support, mean.unsqueeze(1), value=-1)


class _Entmax(torch.autograd.Function):
    """Tsallis entmax with alpha 1.5, between softmax and sparsemax (Peters et al., 2019)."""

    @staticmethod
    def forward(ctx, scores):
        z = _below_zero(scores).div_(2)
        threshold = z.new_full(z.shape[1:], -1.0)
        for _ in range(_NEWTON_STEPS):
            above = (z - threshold).clamp_(min=0)
            step = above.square().sum(0).sub_(1).div_(above.sum(0).mul_(2))
            threshold += step
            if not (step > torch.finfo(z.dtype).eps).any():
                break
        mask = z.sub_(threshold).clamp_(min=0).square_().T.contiguous()
        ctx.save_for_backward(mask)
        return mask

    @staticmethod
    def backward(ctx, gradient):
        (mask,) = ctx.saved_tensors
        root = mask.sqrt()
        inside = gradient * root
        ones = mask.new_ones(mask.shape[1])
        mean = torch.mv(inside, ones).div_(torch.mv(root, ones))
        return torch.addcmul(inside, root, mean.unsqueeze(1), value=-1)


def _below_zero(scores):
    """Return the scores less the largest of their row, in columns."""
    z = scores.T.contiguous()
    return z - z.amax(0)


# Name -> function of scores of shape (n_rows, n_columns); the rows of the result sum to 1.
MASKS = {"entmax": _Entmax.apply, "sparsemax": _Sparsemax.apply}
