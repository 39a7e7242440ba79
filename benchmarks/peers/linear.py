"""PyTorch multiplies the same shapes (oneDNN or MKL behind it)."""
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


def input_gradient():
    with torch.inference_mode():
        for _ in range(repeat):
            dy @ w


def weight_gradient():
    with torch.inference_mode():
        for _ in range(repeat):
            dy.T @ x


take_turns({"PyTorch forward": forward, "PyTorch dX": input_gradient, "PyTorch dW": weight_gradient})
