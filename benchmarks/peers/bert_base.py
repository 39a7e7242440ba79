"""bert_base.py MODEL FOLDER: a BERT-base of random weights with the tokenizer of MODEL, for speed alone."""
import shutil
import sys
from pathlib import Path

import torch
from transformers import BertConfig, BertModel

model, folder = map(Path, sys.argv[1:])
torch.manual_seed(1)
BertModel(BertConfig()).save_pretrained(folder)
for name in ["tokenizer.json", "tokenizer_config.json", "vocab.txt", "modules.json", "sentence_bert_config.json"]:
    shutil.copy(model / name, folder)
shutil.copytree(model / "1_Pooling", folder / "1_Pooling", dirs_exist_ok=True)
pooling = folder / "1_Pooling" / "config.json"
pooling.write_text(pooling.read_text().replace("384", "768"))
