"""PyTorch's scaled_dot_product_attention, forward, then backward by its own gradient."""
import os
import sys

import torch

from turns import take_turns

heads, width, length, tokens, repeat = map(int, sys.argv[1:])
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
shape = (tokens // length, heads, length, width)
q, k, v = (torch.randn(shape, requires_grad=True) for _ in range(3))
dout = torch.randn(shape)
attend = torch.nn.functional.scaled_dot_product_attention


def forward():
    with torch.inference_mode():
        for _ in range(repeat):
            attend(q, k, v)


out = attend(q, k, v)


def backward():
    for _ in range(repeat):
        torch.autograd.grad(out, (q, k, v), dout, retain_graph=True)


take_turns({f"PyTorch {torch.__version__}": forward, "PyTorch backward": backward})
