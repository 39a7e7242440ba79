"""The Rust library of Hugging Face tokenizes the same texts in one thread; processor time, as ours."""
import json
import os
import sys
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tokenizers
from tokenizers import Tokenizer, models, pre_tokenizers

from turns import take_turns

folder, file = Path(sys.argv[1]), sys.argv[2]
texts = json.loads(Path(file).read_text("utf-8"))


def opened():
    if (folder / "tokenizer.json").exists():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer
    model = models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


tokenizer = opened()
name = f"tokenizers {tokenizers.__version__}"
take_turns({name: lambda: tokenizer.encode_batch(texts)}, clock=time.process_time)
