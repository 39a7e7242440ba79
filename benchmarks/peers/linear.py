"""PyTorch multiplies the same shapes: as it does by itself, and by oneDNN with a weight that oneDNN has packed."""
import os
import sys

import torch

from turns import take_turns

m, n, k, repeat = map(int, sys.argv[1:])
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
x, w, bias, dy = torch.randn(m, k), torch.randn(n, k), torch.randn(n), torch.randn(m, n)


def forward():
    with torch.inference_mode():
        for _ in range(repeat):
            torch.nn.functional.linear(x, w, bias)


packed = torch.ops.mkldnn._reorder_linear_weight(w, m)


def forward_by_onednn():
    with torch.inference_mode():
        for _ in range(repeat):
            torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")


def input_gradient():
    with torch.inference_mode():
        for _ in range(repeat):
            dy @ w


def weight_gradient():
    with torch.inference_mode():
        for _ in range(repeat):
            dy.T @ x


take_turns(
    {
        "PyTorch forward": forward,
        "oneDNN forward": forward_by_onednn,
        "PyTorch dX": input_gradient,
        "PyTorch dW": weight_gradient,
    }
)
