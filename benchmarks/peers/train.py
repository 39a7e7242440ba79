"""PyTorch takes the same training step: each side padded to its longest text."""
import os
import sys

import torch
from transformers import AutoModel

from turns import take_turns

path, lengths = sys.argv[1], [int(n) for n in sys.argv[2].split(",")]
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
model = AutoModel.from_pretrained(path).train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.01, fused=True)
pairs = len(lengths) // 2


def side(part):
    mask = torch.zeros(len(part), max(part), dtype=torch.long)
    for row, length in enumerate(part):
        mask[row, :length] = 1
    return torch.randint(1000, 30000, mask.shape), mask


sides = side(lengths[:pairs]), side(lengths[pairs:])


def embed(ids, mask):
    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    weight = mask.unsqueeze(-1).to(hidden.dtype)
    return torch.nn.functional.normalize((hidden * weight).sum(1) / weight.sum(1), dim=1)


def step():
    query, document = embed(*sides[0]), embed(*sides[1])
    loss = torch.nn.functional.cross_entropy(query @ document.T * 20, torch.arange(pairs))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


take_turns({f"PyTorch {torch.__version__}": step})
