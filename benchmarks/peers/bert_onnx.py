"""BERT as ONNX graphs: attention as the classic exporters wrote it, so that onnxruntime's optimizer fuses it."""
import math
import os

import torch
from transformers import AutoModel


class Plain(torch.nn.Module):
    """Mean-pooled unit vectors of BERT, without what the tracer cannot follow."""

    def __init__(self, path):
        super().__init__()
        self.bert = AutoModel.from_pretrained(path)
        self.eval()

    def forward(self, ids, mask):
        bert, config = self.bert, self.bert.config
        embeddings = bert.embeddings
        places = torch.arange(ids.shape[1]).unsqueeze(0)
        types = torch.zeros_like(ids)
        hidden = embeddings.word_embeddings(ids) + embeddings.position_embeddings(places)
        hidden = embeddings.LayerNorm(hidden + embeddings.token_type_embeddings(types))
        hide = (1.0 - mask[:, None, None, :].to(hidden.dtype)) * -10000.0
        heads, width = config.num_attention_heads, config.hidden_size // config.num_attention_heads

        def split(x):
            return x.view(x.shape[0], x.shape[1], heads, width).permute(0, 2, 1, 3)

        for layer in bert.encoder.layer:
            own = layer.attention.self
            query, key, value = split(own.query(hidden)), split(own.key(hidden)), split(own.value(hidden))
            scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(width) + hide
            mixed = torch.matmul(torch.softmax(scores, dim=-1), value).permute(0, 2, 1, 3).contiguous()
            mixed = mixed.view(mixed.shape[0], mixed.shape[1], heads * width)
            output = layer.attention.output
            hidden = output.LayerNorm(output.dense(mixed) + hidden)
            middle = torch.nn.functional.gelu(layer.intermediate.dense(hidden))
            hidden = layer.output.LayerNorm(layer.output.dense(middle) + hidden)
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        return torch.nn.functional.normalize((hidden * weight).sum(1) / weight.sum(1), dim=1)


def export(path, folder):
    """Writes plain.onnx, fused.onnx and int8.onnx (dynamic, weights by channel); returns their paths by name."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer

    files = {name: os.path.join(folder, name + ".onnx") for name in ("plain", "fused", "int8")}
    model, ids = Plain(path), torch.randint(1000, 2000, (2, 16))
    axes = {0: "texts", 1: "tokens"}
    torch.onnx.export(model, (ids, torch.ones_like(ids)), files["plain"], input_names=["ids", "mask"], output_names=["e"],
                      dynamic_axes={"ids": axes, "mask": axes}, opset_version=14, dynamo=False)
    config = model.bert.config
    fused = optimizer.optimize_model(files["plain"], model_type="bert", num_heads=config.num_attention_heads,
                                     hidden_size=config.hidden_size)
    if not fused.get_fused_operator_statistics()["Attention"]:
        raise RuntimeError("the optimizer fused no attention")
    fused.save_model_to_file(files["fused"])
    quantize_dynamic(files["fused"], files["int8"], weight_type=QuantType.QInt8, per_channel=True,
                     extra_options={"DefaultTensorType": 1})
    return files
