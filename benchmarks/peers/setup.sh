#!/bin/sh
# setup.sh FOLDER [MODEL]: everything the benchmarks stand beside, outside the repository.
#
#   FOLDER/venv   a Python for --python or INBATCH_PYTHON
#   FOLDER/onnx   onnxruntime-node and MODEL as a graph for it, for ONNX_FOLDER
#   FOLDER/bert-base   a model of that size, of random weights, for --model
set -e
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
model=${2:-$here/../../../shared/models/all-MiniLM-L6-v2}
mkdir -p "$folder/onnx"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 faiss-cpu==1.15.1 onnx==1.23.2 onnxruntime==1.31.1 sentence-transformers==6.2.0 tokenizers==0.23.3 transformers==5.23.0 accelerate==1.15.0 datasets==5.2.0
cp "$model/tokenizer.json" "$model/tokenizer_config.json" "$folder/onnx"
cd "$folder/onnx"
npm install --no-save --no-audit --no-fund --ignore-scripts onnxruntime-node@1.30.0
cd "$here"
"$folder/venv/bin/python" bert_base.py "$model" "$folder/bert-base"
"$folder/venv/bin/python" -c "
import shutil, sys, tempfile
from bert_onnx import export
shutil.copy(export(sys.argv[1], tempfile.mkdtemp())['fused'], sys.argv[2])
" "$model" "$folder/onnx/model.onnx"
