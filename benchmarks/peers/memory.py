"""The same pieces of work as memory-run.mjs with PyTorch; prints the peak resident memory in MiB."""
import os
import resource
import sys

work, *given = sys.argv[1:]
if work == "contrast":
    sys.argv = ["contrast.py", *given]
    import contrast

    contrast.step()
else:
    import torch
    from transformers import AutoModel

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    model = AutoModel.from_pretrained(given[0])
    ids, mask = torch.randint(1000, 30000, (32, 128)), torch.ones(32, 128, dtype=torch.long)

    def embed():
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        return torch.nn.functional.normalize(hidden.mean(1), dim=1)

    if work == "encode":
        model.eval()
        with torch.inference_mode():
            for _ in range(8):
                embed()
    if work == "train":
        model.train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
        for _ in range(2):
            loss = torch.nn.functional.cross_entropy(embed() @ embed().T * 20, torch.arange(32))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
