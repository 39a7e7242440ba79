"""PyTorch's LayerNorm, AdamW (fused) and embedding gradient; last a copy of 32 million floats."""
import os
import sys

import torch

from turns import take_turns

tokens, width, vocabulary, *repeats = map(int, sys.argv[1:])
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
x = torch.randn(tokens, width, requires_grad=True)
weight, bias = (torch.randn(width, requires_grad=True) for _ in range(2))
dy = torch.randn(tokens, width)
parameter = torch.randn(32, 1_000_000)
parameter.grad = torch.randn(32, 1_000_000)
optimizer = torch.optim.AdamW([parameter], lr=1e-5, fused=True)
table = torch.zeros(vocabulary, width)
ids = torch.arange(tokens) * 7919 % vocabulary
source, target = torch.randn(32_000_000), torch.empty(32_000_000)
normalise = torch.nn.functional.layer_norm
out = normalise(x, (width,), weight, bias)


def forward():
    with torch.inference_mode():
        normalise(x, (width,), weight, bias)


def backward():
    torch.autograd.grad(out, (x, weight, bias), dy, retain_graph=True)


candidates = {
    f"PyTorch {torch.__version__}": forward,
    "PyTorch backward": backward,
    "PyTorch fused": optimizer.step,
    "PyTorch index_add": lambda: table.index_add_(0, ids, dy),
    "copy": lambda: target.copy_(source),
}


def repeated(run, times):
    def runs():
        for _ in range(times):
            run()

    return runs


take_turns({name: repeated(run, times) for (name, run), times in zip(candidates.items(), repeats)})
