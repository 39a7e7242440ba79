"""PyTorch and onnxruntime encode the same lengths: padded to the longest of each batch of 32."""
import os
import sys
import tempfile

import torch
from transformers import AutoModel

from turns import take_turns

path, lengths = sys.argv[1], [int(n) for n in sys.argv[2].split(",")]
repeat = max([1] + [int(word.split("=")[1]) for word in sys.argv if word.startswith("--repeat=")])
threads = int(os.environ["OMP_NUM_THREADS"])
torch.set_num_threads(threads)
model = AutoModel.from_pretrained(path).eval()
batches = []
for at in range(0, len(lengths), 32):
    part = lengths[at : at + 32]
    mask = torch.zeros(len(part), max(part), dtype=torch.long)
    for row, length in enumerate(part):
        mask[row, :length] = 1
    batches.append((torch.randint(1000, 30000, mask.shape), mask))


class Embedder(torch.nn.Module):
    def forward(self, ids, mask):
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        return torch.nn.functional.normalize((hidden * weight).sum(1) / weight.sum(1), dim=1)


def with_torch():
    with torch.inference_mode():
        for ids, mask in batches * repeat:
            Embedder()(ids, mask)


candidates = {f"PyTorch {torch.__version__}": with_torch}
try:
    import onnxruntime

    from bert_onnx import export

    for name, file in export(path, tempfile.mkdtemp()).items():
        if name == "int8" and "--int8" not in sys.argv:
            continue
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

        def run(session=session):
            for ids, mask in batches * repeat:
                session.run(None, {"ids": ids.numpy(), "mask": mask.numpy()})

        candidates[f"onnxruntime {onnxruntime.__version__} {name}"] = run
except Exception as error:
    print(f"onnxruntime left out: {error}", file=sys.stderr)
take_turns(candidates)
