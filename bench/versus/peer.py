# SPDX-License-Identifier: MIT
"""MeZO and Sparse MeZO in PyTorch: the published algorithms, and the same with passes that write no new tensors.

A step is perturb +, loss, perturb -2, loss, restore, update (arXiv 2305.17333, algorithm 1); Sparse MeZO masks each of
these passes by a threshold on |theta| that is fixed before training (arXiv 2402.15751).
"""

import math

import torch

EPSILON = 1e-3
SPARSITY = 0.75
# So small that no weight changes: every step is then the same work.
LEARNING_RATE = 1e-20


class Published:
    """Four passes a step; each draws every tensor's noise anew from the seed and makes new tensors of it all.

    Each masks by the weights as it meets them, so in Sparse MeZO what crosses its threshold on the way is not restored.
    """

    def __init__(self, model):
        self.parameters = list(model.parameters())
        # Only matrices are thresholded; vectors are tuned densely.
        self.thresholds = [
            p.abs().flatten().kthvalue(math.ceil((1 - SPARSITY) * p.numel())).values if p.dim() == 2 else None
            for p in self.parameters
        ]
        self.saved = [p.data.clone() for p in self.parameters]

    def reset(self):
        """Theta as it was before any step."""
        for p, saved in zip(self.parameters, self.saved):
            p.data.copy_(saved)

    def add(self, scale, seed, sparse):
        torch.manual_seed(seed)
        for p, threshold in zip(self.parameters, self.thresholds):
            z = torch.normal(mean=0, std=1, size=p.data.size(), device=p.data.device, dtype=p.data.dtype)
            if sparse and threshold is not None:
                z = z * (p.data.abs() <= threshold)
            p.data = p.data + scale * z

    def step(self, loss, seed, sparse):
        """The losses at theta + epsilon z and theta - epsilon z."""
        self.add(EPSILON, seed, sparse)
        plus = loss()
        self.add(-2 * EPSILON, seed, sparse)
        minus = loss()
        self.add(EPSILON, seed, sparse)
        self.add(-LEARNING_RATE * (plus - minus) / (2 * EPSILON), seed, sparse)
        return plus, minus


class InPlace(Published):
    """Three passes in buffers allocated once: the first computes the mask, and restoring and updating are one pass."""

    def __init__(self, model):
        super().__init__(model)
        self.noise = self.parameters[0].new_empty(max(p.numel() for p in self.parameters))
        self.masks = [torch.empty_like(p, dtype=torch.bool) if p.dim() == 2 else None for p in self.parameters]

    def add(self, scale, seed, sparse, first=False):
        torch.manual_seed(seed)
        for p, threshold, mask in zip(self.parameters, self.thresholds, self.masks):
            z = self.noise[: p.numel()].view(p.shape)
            if sparse and first and mask is not None:
                torch.abs(p.data, out=z)
                torch.le(z, threshold, out=mask)
            z.normal_()
            if sparse and mask is not None:
                z.mul_(mask)
            p.data.add_(z, alpha=scale)

    def step(self, loss, seed, sparse):
        self.add(EPSILON, seed, sparse, first=True)
        plus = loss()
        self.add(-2 * EPSILON, seed, sparse)
        minus = loss()
        self.add(EPSILON - LEARNING_RATE * (plus - minus) / (2 * EPSILON), seed, sparse)
        return plus, minus


@torch.inference_mode()
def loss_of_equal_lengths(model, ids, candidates, labels):
    """Sequences of one length whose candidates are single tokens: the head runs only at the last position."""
    logits = model(input_ids=ids, logits_to_keep=1, use_cache=False).logits[:, -1]
    return torch.nn.functional.cross_entropy(logits[:, candidates].float(), labels).item()


def collate(sequences, pad):
    """Sequences padded on the left to a multiple of 8, and which positions are real."""
    length = -(-max(map(len, sequences)) // 8) * 8
    ids = torch.full((len(sequences), length), pad)
    real = torch.zeros_like(ids)
    for row, tokens in enumerate(sequences):
        ids[row, length - len(tokens) :] = torch.tensor(tokens)
        real[row, length - len(tokens) :] = 1
    return ids, real


@torch.inference_mode()
def loss_as_published(model, ids, real, option_lengths, candidates, labels):
    """Each candidate a whole sequence, logits and their softmax at every position, as MeZO's code does: the scores are
    the mean log-probabilities of the candidates' tokens."""
    logits = model(input_ids=ids, attention_mask=real, use_cache=False).logits
    scores = torch.log_softmax(logits[:, :-1].contiguous(), dim=-1)
    targets = ids[:, 1:].contiguous()
    option = torch.zeros_like(targets)
    for row, length in enumerate(option_lengths):
        option[row, -length:] = 1
    chosen = torch.gather(scores, -1, targets.unsqueeze(-1)).squeeze(-1)
    chosen = (chosen * option).sum(-1) / option.sum(-1)
    return torch.nn.functional.cross_entropy(chosen.view(-1, candidates), labels).item()
