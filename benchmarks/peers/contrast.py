"""PyTorch's InfoNCE over all documents: normalised, one product, cross entropy, backward."""
import os
import sys

import torch

from turns import take_turns

rows, width = map(int, sys.argv[1:3])
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
query, document = (torch.randn(rows, width, requires_grad=True) for _ in range(2))
own = torch.arange(rows)


def step():
    a, b = (torch.nn.functional.normalize(x, dim=1) for x in (query, document))
    loss = torch.nn.functional.cross_entropy(a @ b.T * 20, own)
    torch.autograd.grad(loss, (query, document))


if __name__ == "__main__":
    take_turns({f"PyTorch {torch.__version__}": step})
